"""One plain request by itself, on a connection that only notes what is written to it."""

import asyncio
import tracemalloc
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from awxfast.http.cycle import DISCARD_BYTES, HELD_BYTES, Cycle
from awxfast.wire.handshake import Headers

HANG = 20


class Connection:
    """Its client takes everything."""

    def __init__(self) -> None:
        self.written = b""
        self.ends: list[bool] = []
        """Whether another request may follow, for each response that is whole."""
        self.cuts = 0
        self.looks = 0

    def write(self, data: bytes) -> None:
        self.written += data

    async def drain(self) -> None: ...

    def regulate(self) -> None: ...

    def describe_server(self) -> Headers:
        return [(b"server", b"test")]

    def end_response(self, *, keeps_alive: bool) -> None:
        self.ends.append(keeps_alive)

    def look(self) -> bool:
        self.looks += 1
        return False

    def cut(self) -> None:
        self.cuts += 1


@pytest.fixture
def connection() -> Iterator[Connection]:
    yield Connection()


def begin(connection: Connection, *, expects_continue: bool = False, keeps_alive: bool = True) -> Cycle:
    scope = {"type": "http", "method": "POST", "http_version": "1.1", "path": "/"}
    return Cycle(connection, scope, keeps_alive=keeps_alive, expects_continue=expects_continue)


async def start(cycle: Cycle, *headers: tuple[bytes, bytes], trailers: bool = False) -> None:
    message = {"type": "http.response.start", "status": 200, "headers": list(headers), "trailers": trailers}
    await cycle.send(message)


async def send_body(cycle: Cycle, body: bytes, *, more: bool = False) -> None:
    await cycle.send({"type": "http.response.body", "body": body, "more_body": more})


async def receive(cycle: Cycle) -> Any:
    return await asyncio.wait_for(cycle.receive(), HANG)


class TestBody:
    async def test_parts_that_wait_are_received_as_one_and_the_end_once(self, connection: Connection) -> None:
        cycle = begin(connection)
        cycle.receive_body(b"one ")
        cycle.receive_body(b"two")
        assert await receive(cycle) == {"type": "http.request", "body": b"one two", "more_body": True}
        cycle.receive_end()
        assert await receive(cycle) == {"type": "http.request", "body": b"", "more_body": False}

    async def test_application_that_waits_hears_of_the_clients_end(self, connection: Connection) -> None:
        cycle = begin(connection)
        waiting = asyncio.ensure_future(cycle.receive())
        await asyncio.sleep(0)
        cycle.disconnect()
        assert await asyncio.wait_for(waiting, HANG) == {"type": "http.disconnect"}

    async def test_body_is_full_at_its_bound_and_has_room_when_it_is_received(self, connection: Connection) -> None:
        cycle = begin(connection)
        cycle.receive_body(b"x" * (HELD_BYTES - 1))
        assert not cycle.is_full
        cycle.receive_body(b"x")
        assert cycle.is_full
        await receive(cycle)
        assert not cycle.is_full

    async def test_parts_of_two_bytes_take_as_much_room_as_one_large_part(self, connection: Connection) -> None:
        cycle = begin(connection)
        tracemalloc.start()
        try:
            before, _ = tracemalloc.get_traced_memory()
            while not cycle.is_full:
                cycle.receive_body(b"%02d" % 7)
            held = tracemalloc.get_traced_memory()[0] - before
        finally:
            tracemalloc.stop()
        assert HELD_BYTES <= held < 2 * HELD_BYTES

    async def test_who_waits_for_a_word_gets_it_when_the_body_is_wanted(self, connection: Connection) -> None:
        cycle = begin(connection, expects_continue=True)
        waiting = asyncio.ensure_future(cycle.receive())
        await asyncio.sleep(0)
        assert connection.written == b"HTTP/1.1 100 Continue\r\n\r\n"
        cycle.receive_body(b"body")
        assert (await asyncio.wait_for(waiting, HANG))["body"] == b"body"


class TestResponse:
    async def test_head_leaves_with_what_follows_at_once(self, connection: Connection) -> None:
        cycle = begin(connection)
        cycle.receive_end()
        await start(cycle, (b"content-length", b"4"))
        assert connection.written == b""
        await send_body(cycle, b"body")
        head, _, body = connection.written.partition(b"\r\n\r\n")
        assert head.startswith(b"HTTP/1.1 200 ")
        assert b"server: test" in head.lower()
        assert body == b"body"
        assert (connection.ends, cycle.sent, cycle.response_complete) == ([True], 4, True)

    async def test_head_alone_leaves_in_the_next_turn(self, connection: Connection) -> None:
        cycle = begin(connection)
        await start(cycle, (b"content-length", b"4"))
        await asyncio.sleep(0)
        assert connection.written.startswith(b"HTTP/1.1 200 ")

    async def test_connection_ends_behind_a_body_that_was_never_asked_for(self, connection: Connection) -> None:
        cycle = begin(connection, expects_continue=True)
        await start(cycle, (b"content-length", b"0"))
        await send_body(cycle, b"")
        assert connection.ends == [False]

    async def test_more_than_was_announced_cuts_the_connection(self, connection: Connection) -> None:
        cycle = begin(connection)
        await start(cycle, (b"content-length", b"4"))
        with pytest.raises(ValueError, match="longer than its Content-Length"):
            await send_body(cycle, b"five!")
        assert (connection.cuts, connection.ends, cycle.disconnected) == (1, [], True)

    async def test_trailers_nobody_announced_cut_it_too(self, connection: Connection) -> None:
        cycle = begin(connection)
        await start(cycle)
        with pytest.raises(ValueError, match="trailers have no place here"):
            await cycle.send({"type": "http.response.trailers", "headers": []})
        assert connection.cuts == 1

    async def test_response_with_trailers_ends_with_them(self, connection: Connection) -> None:
        cycle = begin(connection)
        cycle.receive_end()
        await start(cycle, trailers=True)
        await send_body(cycle, b"body")
        assert not cycle.response_complete
        await cycle.send({"type": "http.response.trailers", "headers": [(b"x-sum", b"1")]})
        assert connection.written.endswith(b"0\r\nx-sum: 1\r\n\r\n")
        assert connection.ends == [True]

    async def test_file_is_sent_whole(self, connection: Connection, tmp_path: Path) -> None:
        file = tmp_path / "file"
        file.write_bytes(b"y" * 300_000)
        cycle = begin(connection)
        cycle.receive_end()
        await start(cycle, (b"content-length", b"300000"))
        await cycle.send({"type": "http.response.pathsend", "path": str(file)})
        assert connection.written.endswith(b"\r\n\r\n" + b"y" * 300_000)
        assert connection.ends == [True]

    async def test_nothing_is_written_to_a_client_that_is_gone(self, connection: Connection) -> None:
        cycle = begin(connection)
        cycle.disconnect()
        await start(cycle)
        await send_body(cycle, b"body")
        await asyncio.sleep(0)
        assert (connection.written, cycle.response_started) == (b"", False)

    async def test_what_comes_behind_the_response_is_read_to_a_bound(self, connection: Connection) -> None:
        cycle = begin(connection)
        await start(cycle, (b"content-length", b"0"))
        await send_body(cycle, b"")
        cycle.receive_body(b"z" * DISCARD_BYTES)
        assert not cycle.is_past_use
        cycle.receive_body(b"z")
        assert cycle.is_past_use

    async def test_one_that_has_begun_is_cut_with_its_head_on_the_way(self, connection: Connection) -> None:
        cycle = begin(connection)
        await start(cycle)
        cycle.cut()
        assert connection.written.startswith(b"HTTP/1.1 200 ")
        assert connection.cuts == 1
