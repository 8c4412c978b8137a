"""Connections on a plain listener: taken in by batches, read, written to, ended. Clients are sockets of the system."""

import asyncio
import contextlib
import errno
import os
import resource
import socket
import struct
import sys
import time
from collections.abc import AsyncIterator, Iterator
from pathlib import Path
from typing import Any, cast

import pytest
from awxfast._rust import Balance, Front, RequestHead, SocketTransport
from awxfast.http.fair_share import WHOLE
from awxfast.http.plain_listener import PlainListener
from awxfast.http.service import HttpService
from awxfast.system.shares import Shares
from resets import reset_at_close
from serving import HANG, until

TURN = 32
"""Connections that a listener takes in each turn."""
TURN_BYTES = 4 * 1024 * 1024
READ_BYTES = 64 * 1024
"""What a turn reads at most, but for its last read, and what a read brings."""
TURN_SECONDS = 0.01
"""How long a turn goes on with more."""
TURN_PLAIN = 16
"""Connections that are no websockets which a turn serves."""


UPGRADE = (
    b"GET /websocket/ HTTP/1.1\r\nHost: here\r\nUpgrade: websocket\r\nConnection: Upgrade\r\n"
    b"Sec-WebSocket-Version: 13\r\nSec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==\r\n\r\n"
)
ANSWER = b"s3pPLMBiTxaQ9kYGzzhZRbK+xOo="
"""To that key, as RFC 6455 section 1.3 has it."""


class Recorder(asyncio.Protocol):
    """What a connection told."""

    made: list["Recorder"]
    stays_behind_end = False

    def __init__(self) -> None:
        self.data = b""
        self.told: list[str] = []
        self.lost: list[Exception | None] = []
        self.made.append(self)

    def connection_made(self, transport: Any) -> None:
        self.transport: SocketTransport = transport

    def data_received(self, data: bytes) -> None:
        if data == b"fault":
            raise RuntimeError("a protocol's fault")
        self.data += data

    def eof_received(self) -> bool:
        self.told.append("eof")
        return self.stays_behind_end

    def pause_writing(self) -> None:
        self.told.append("pause")

    def resume_writing(self) -> None:
        self.told.append("resume")

    def connection_lost(self, exc: Exception | None) -> None:
        self.lost.append(exc)


class Service:
    """Takes in connections, and upgrades if it `opens` them."""

    max_head = 1000

    def __init__(self, make_protocol: type[Recorder]) -> None:
        self.make_protocol = make_protocol
        self.opens = False
        self.asked: list[tuple[str, bytes, bytes]] = []
        self.former: list[Any] = []

    def __call__(self) -> Recorder:
        return self.make_protocol()

    def open_at_once(self, transport: SocketTransport, head: RequestHead, accept_key: bytes, behind: bytes) -> bool:
        self.asked.append((head.path, accept_key, behind))
        self.former.append(transport.get_protocol())
        if self.opens:
            transport.set_protocol(self.make_protocol())
            transport.write(b"opened")
        return self.opens


class Listened:
    """A listener whose front is turned by the loop, or by the test."""

    def __init__(self, sock: socket.socket) -> None:
        self.loop = asyncio.get_running_loop()
        self.front = Front(self.loop)
        self.faults: list[dict[str, Any]] = []
        self.loop.set_exception_handler(lambda _, context: self.faults.append(context))
        self.made: list[Recorder] = []
        self.kind = type("OwnRecorder", (Recorder,), {"made": self.made})
        self.address = sock.getsockname()
        self._family = sock.family
        self.service = Service(self.kind)
        self.listener = PlainListener(self.front, sock, cast(HttpService, self.service))
        self.listener.start(256)
        self.clients: list[socket.socket] = []

    def run(self) -> None:
        self.loop.add_reader(self.front.fileno(), self.front.turn)

    def connect(self, data: bytes = b"") -> socket.socket:
        client = socket.socket(self._family)
        self.clients.append(client)
        client.connect(self.address)
        client.sendall(data)
        client.setblocking(False)
        return client

    async def meet(self, data: bytes = b"") -> tuple[socket.socket, Recorder]:
        count = len(self.made)
        client = self.connect(data)
        await until(lambda: len(self.made) > count)
        return client, self.made[-1]

    async def read(self, client: socket.socket) -> bytes:
        async with asyncio.timeout(HANG):
            return await self.loop.sock_recv(client, 1 << 20)

    def close(self) -> None:
        self.loop.remove_reader(self.front.fileno())
        self.listener.end_listening()
        self.front.close()
        for client in self.clients:
            client.close()


@pytest.fixture
async def listened() -> AsyncIterator[Listened]:
    one = Listened(socket.create_server(("127.0.0.1", 0)))
    yield one
    one.close()


class TestNewcomers:
    async def test_turn_takes_in_so_many_and_the_next_the_others(self, listened: Listened) -> None:
        for _ in range(TURN + 8):
            listened.connect()
        listened.front.turn()
        assert len(listened.made) == TURN
        listened.front.turn()
        assert len(listened.made) == TURN + 8

    async def test_turn_takes_in_nobody_when_its_time_is_up(self, listened: Listened) -> None:
        class Slow(Recorder):
            made = listened.made

            def connection_made(self, transport: Any) -> None:
                super().connection_made(transport)
                time.sleep(TURN_SECONDS / 2)

        listened.service.make_protocol = Slow
        for _ in range(8):
            listened.connect(b"at once")
        listened.front.turn()
        assert 1 <= len(listened.made) <= 3
        listened.run()
        await until(lambda: [one.data for one in listened.made] == [b"at once"] * 8)

    async def test_what_was_sent_already_is_read_in_the_same_turn(self, listened: Listened) -> None:
        listened.connect(b"at once")
        listened.front.turn()
        assert [one.data for one in listened.made] == [b"at once"]

    async def test_end_that_came_with_what_was_sent_is_told_in_the_same_turn(self, listened: Listened) -> None:
        listened.connect(b"all of it").shutdown(socket.SHUT_WR)
        listened.front.turn()
        assert [(one.data, one.told) for one in listened.made] == [(b"all of it", ["eof"])]

    async def test_end_that_came_with_more_is_told_in_the_same_turn(self, listened: Listened) -> None:
        client = listened.connect(b"some ")
        listened.front.turn()
        client.sendall(b"and the rest")
        client.shutdown(socket.SHUT_WR)
        listened.front.turn()
        assert [(one.data, one.told) for one in listened.made] == [(b"some and the rest", ["eof"])]

    async def test_client_that_is_gone_already_is_told_of_and_lost(self, listened: Listened) -> None:
        listened.connect().close()
        listened.run()
        await until(lambda: listened.made and listened.made[0].lost == [None])
        assert listened.made[0].told == ["eof"]

    async def test_newcomers_wait_while_there_is_no_descriptor(self, listened: Listened) -> None:
        listened.connect()
        before = resource.getrlimit(resource.RLIMIT_NOFILE)
        free = os.dup(0)
        os.close(free)
        resource.setrlimit(resource.RLIMIT_NOFILE, (free, before[1]))
        try:
            listened.front.turn()
            assert listened.made == []
        finally:
            resource.setrlimit(resource.RLIMIT_NOFILE, before)
        listened.run()
        await until(lambda: len(listened.made) == 1)

    async def test_nobody_is_taken_in_after_the_end_of_listening(self, listened: Listened) -> None:
        listened.listener.end_listening()
        with pytest.raises(ConnectionRefusedError):
            listened.connect()

    async def test_factory_that_fails_costs_its_connection(self, listened: Listened) -> None:
        def fail() -> asyncio.Protocol:
            raise RuntimeError("no protocol")

        with socket.create_server(("127.0.0.1", 0)) as sock:
            listened.front.listen(sock.fileno(), fail)
            listened.run()
            client = socket.create_connection(sock.getsockname())
            client.setblocking(False)
            assert await listened.read(client) == b""
            client.close()
        assert [str(fault["exception"]) for fault in listened.faults] == ["no protocol"]

    async def test_addresses_are_those_of_the_socket(self, listened: Listened) -> None:
        listened.run()
        client, one = await listened.meet()
        assert one.transport.get_extra_info("peername") == client.getsockname()
        assert one.transport.get_extra_info("sockname") == client.getpeername()
        assert one.transport.get_extra_info("cipher", "none") == "none"
        assert one.transport.family == socket.AF_INET
        kind = one.transport.getsockopt(socket.SOL_SOCKET, socket.SO_TYPE, 4)
        assert struct.unpack("=i", kind) == (socket.SOCK_STREAM,)
        nodelay = one.transport.getsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 4)
        assert struct.unpack("=i", nodelay) != (0,)

    async def test_client_on_a_unix_socket_has_no_address(self, tmp_path: Path) -> None:
        sock = socket.socket(socket.AF_UNIX)
        sock.bind(str(tmp_path / "s"))
        listened = Listened(sock)
        listened.run()
        client, one = await listened.meet(b"hello")
        await until(lambda: one.data == b"hello")
        assert one.transport.get_extra_info("peername") is None
        assert one.transport.get_extra_info("sockname") is None
        assert one.transport.family == socket.AF_UNIX
        one.transport.write(b"answer")
        assert await listened.read(client) == b"answer"
        listened.close()

    async def test_client_of_ipv6_has_its_address(self) -> None:
        listened = Listened(socket.create_server(("::1", 0), family=socket.AF_INET6))
        listened.run()
        client, one = await listened.meet()
        assert one.transport.get_extra_info("peername") == client.getsockname()
        assert one.transport.family == socket.AF_INET6
        listened.close()


HELPS_SECONDS = 0.002
"""Who helps looks again as soon as this; who has many more, and does not, later."""


class Fellows:
    """This process beside another in the table; `load` is what it says of itself, `asked` how often it was."""

    def __init__(self) -> None:
        self.table = Shares.create(2)
        self.own, self.other = self.table.rows
        self.balance = Balance(self.table.descriptor, 0)
        self.load: int | None = 0
        self.asked = 0
        self.balance.begin(self.measure)
        self.sock = socket.create_server(("127.0.0.1", 0))
        self.number = -1

    def next_look(self) -> float:
        """After so many seconds it looks whether the other one, which accepts one after the other, has come."""
        self.other.looked_at = time.monotonic_ns()
        self.other.accepted += 1
        return self.balance.wait_time()

    def help_other(self) -> None:
        """It has seen for long that the other one can't keep up."""
        self.balance.publish()
        while self.next_look():
            pass
        self.balance.note_accepted()

    def close(self) -> None:
        self.balance.end()
        self.sock.close()
        self.table.close()

    def measure(self) -> tuple[int, int]:
        self.asked += 1
        if self.load is None:
            raise RuntimeError("no measure")
        return 0, self.load


class TestShare:
    """Other processes accept on the same socket."""

    @pytest.fixture
    def fellows(self, listened: Listened) -> Iterator[Fellows]:
        listened.listener.end_listening()
        fellows = Fellows()
        listened.address = fellows.sock.getsockname()
        fellows.number = listened.front.listen(fellows.sock.fileno(), listened.kind, None, 0, fellows.balance)
        yield fellows
        fellows.close()

    async def test_it_is_asked_once_for_all_that_come_together(self, listened: Listened, fellows: Fellows) -> None:
        for _ in range(3):
            listened.connect()
        listened.front.turn()
        assert (fellows.asked, len(listened.made)) == (2, 3)  # once when it began
        assert (fellows.own.accepted, fellows.own.load) == (3, 3 * WHOLE)

    async def test_who_is_another_processs_waits_in_the_kernel(self, listened: Listened, fellows: Fellows) -> None:
        fellows.other.looked_at, fellows.load = time.monotonic_ns(), 100 * WHOLE
        listened.connect()
        for _ in range(2):
            listened.front.turn()
        assert (fellows.asked, listened.made) == (2, [])
        listened.run()
        await until(lambda: len(listened.made) == 1)  # the other one never comes
        assert fellows.own.accepted == 1

    async def test_it_is_told_where_another_has_accepted_whoever_waited(
        self, listened: Listened, fellows: Fellows
    ) -> None:
        fellows.load = 100 * WHOLE
        fellows.help_other()
        listened.connect()
        fellows.sock.accept()[0].close()
        listened.front.listen_again(fellows.number)
        assert fellows.next_look() > HELPS_SECONDS  # nobody waits any more: it doesn't help either
        assert listened.made == []

    async def test_measure_that_fails_costs_nobody_a_connection(self, listened: Listened, fellows: Fellows) -> None:
        unraisable: list[Any] = []
        former, sys.unraisablehook = sys.unraisablehook, unraisable.append
        fellows.load = None
        try:
            listened.connect()
            listened.front.turn()
        finally:
            sys.unraisablehook = former
        assert len(listened.made) == 1
        assert {str(one.exc_value) for one in unraisable} == {"no measure"}


class TestUpgrades:
    async def test_sound_upgrade_is_opened_without_a_protocol_for_requests(self, listened: Listened) -> None:
        listened.service.opens = True
        client = listened.connect(UPGRADE + b"behind")
        listened.front.turn()
        assert listened.service.asked == [("/websocket/", ANSWER, b"behind")]
        assert listened.service.former == [None]
        assert len(listened.made) == 1
        assert client.recv(100) == b"opened"
        listened.run()
        await listened.loop.sock_sendall(client, b"more")
        await until(lambda: listened.made[0].data == b"more")

    async def test_upgrade_that_comes_late_is_opened_in_its_protocols_place(self, listened: Listened) -> None:
        listened.service.opens = True
        listened.run()
        client, first = await listened.meet()
        await listened.loop.sock_sendall(client, UPGRADE)
        assert await listened.read(client) == b"opened"
        assert listened.service.former == [first]
        await listened.loop.sock_sendall(client, UPGRADE)
        await until(lambda: listened.made[1].data == UPGRADE)
        assert (len(listened.service.asked), first.data) == (1, b"")

    @pytest.mark.parametrize("comes_late", [False, True])
    async def test_upgrade_that_is_not_opened_at_once_is_its_protocols(
        self, listened: Listened, comes_late: bool
    ) -> None:
        listened.run()
        client, one = await listened.meet(b"" if comes_late else UPGRADE)
        if comes_late:
            await listened.loop.sock_sendall(client, UPGRADE)
        await until(lambda: one.data == UPGRADE)
        assert len(listened.service.asked) == 1

    @pytest.mark.parametrize(
        "data",
        [
            UPGRADE.replace(b"GET", b"POST"),
            UPGRADE.replace(b"HTTP/1.1", b"HTTP/1.0"),
            UPGRADE.replace(b"Version: 13", b"Version: 12"),
            UPGRADE.replace(b"ZQ==", b"ZQ="),
            UPGRADE.replace(b"Host: here\r\n", b""),
            UPGRADE.replace(b"Upgrade: websocket", b"Upgrade: h2c"),
            UPGRADE.replace(b"Host: here", b"Host: here\r\nX: " + b"x" * 1000),
            UPGRADE[:-1],
            b"GET / HTTP/1.1\r\nHost: here\r\n\r\n" + UPGRADE,
        ],
    )
    async def test_anything_else_is_a_protocols(self, listened: Listened, data: bytes) -> None:
        listened.service.opens = True
        listened.run()
        _, one = await listened.meet(data)
        await until(lambda: one.data == data)
        assert listened.service.asked == []

    async def test_fault_of_the_opener_costs_its_connection(self, listened: Listened) -> None:
        def fail(*_: object) -> bool:
            raise RuntimeError("no opener")

        with socket.create_server(("127.0.0.1", 0)) as sock:
            listened.front.listen(sock.fileno(), listened.kind, fail, 1000)
            listened.run()
            client = socket.create_connection(sock.getsockname())
            client.sendall(UPGRADE)
            client.setblocking(False)
            assert await listened.read(client) == b""
            client.close()
        assert [str(fault["exception"]) for fault in listened.faults] == ["no opener"]


class TestReading:
    async def test_paused_connection_is_not_read_until_it_is_resumed(self, listened: Listened) -> None:
        listened.run()
        client, one = await listened.meet()
        one.transport.pause_reading()
        assert not one.transport.is_reading()
        await listened.loop.sock_sendall(client, b"later")
        other, _ = await listened.meet(b"meanwhile")
        await until(lambda: listened.made[-1].data == b"meanwhile")
        assert one.data == b""
        one.transport.resume_reading()
        assert one.transport.is_reading()
        await until(lambda: one.data == b"later")
        assert other.fileno() >= 0

    async def test_connection_ends_with_its_clients_end(self, listened: Listened) -> None:
        listened.run()
        client, one = await listened.meet(b"bye")
        client.shutdown(socket.SHUT_WR)
        await until(lambda: one.lost)
        assert (one.data, one.told, one.lost) == (b"bye", ["eof"], [None])
        assert await listened.read(client) == b""
        assert one.transport.fileno() == -1

    async def test_protocol_that_stays_behind_the_end_may_answer(self, listened: Listened) -> None:
        listened.kind.stays_behind_end = True  # type: ignore[attr-defined]
        listened.run()
        client, one = await listened.meet()
        client.shutdown(socket.SHUT_WR)
        await until(lambda: one.told == ["eof"])
        one.transport.write(b"answer")
        assert await listened.read(client) == b"answer"
        one.transport.close()
        assert await listened.read(client) == b""

    async def test_turn_tells_so_many_of_their_end_as_it_has_time_for(self, listened: Listened) -> None:
        lost: list[int] = []

        class Slow(Recorder):
            made = listened.made

            def connection_lost(self, exc: Exception | None) -> None:
                time.sleep(TURN_SECONDS / 2)
                lost.append(1)

        listened.service.make_protocol = Slow
        listened.run()
        for _ in range(12):
            await listened.meet()
        for one in listened.made:
            one.transport.abort()
        counts = []
        while len(lost) < 12:
            before = len(lost)
            await asyncio.sleep(0)
            counts.append(len(lost) - before)
        assert max(counts) <= 3

    async def test_fault_at_the_end_is_reported(self, listened: Listened) -> None:
        class Faulty(Recorder):
            made = listened.made

            def connection_lost(self, exc: Exception | None) -> None:
                raise RuntimeError("a fault at the end")

        listened.service.make_protocol = Faulty
        listened.run()
        client, one = await listened.meet()
        one.transport.abort()
        assert await listened.read(client) == b""
        assert [str(fault["exception"]) for fault in listened.faults] == ["a fault at the end"]

    async def test_reset_is_told_as_an_error(self, listened: Listened) -> None:
        listened.run()
        client, one = await listened.meet()
        reset_at_close(client)
        client.close()
        await until(lambda: one.lost)
        error = one.lost[0]
        assert isinstance(error, ConnectionResetError)
        assert error.errno == errno.ECONNRESET

    async def test_protocols_fault_costs_its_own_connection(self, listened: Listened) -> None:
        listened.run()
        client, one = await listened.meet(b"fault")
        other, second = await listened.meet(b"sound")
        await until(lambda: one.lost)
        assert await listened.read(client) == b""
        assert [str(fault["exception"]) for fault in listened.faults] == ["a protocol's fault"]
        second.transport.write(b"answer")
        assert await listened.read(other) == b"answer"

    async def test_successor_gets_what_comes_and_the_end(self, listened: Listened) -> None:
        listened.run()
        client, one = await listened.meet()
        successor = listened.kind()
        one.transport.set_protocol(successor)
        assert one.transport.get_protocol() is successor
        await listened.loop.sock_sendall(client, b"to the second")
        await until(lambda: successor.data == b"to the second")
        client.close()
        await until(lambda: successor.lost == [None])
        assert (one.data, one.lost) == (b"", [])


class TestAdopted:
    """Somebody else has accepted it, another process."""

    @staticmethod
    def adopt(listened: Listened) -> tuple[socket.socket, Recorder]:
        far, near = socket.socketpair()
        listened.clients.append(far)
        far.setblocking(False)
        one = listened.kind()
        with near:
            listened.front.adopt(near.fileno(), one)
        return far, one

    async def test_it_is_read_and_written_to_as_any_other(self, listened: Listened) -> None:
        listened.run()
        far, one = self.adopt(listened)
        await listened.loop.sock_sendall(far, b"hello")
        await until(lambda: one.data == b"hello")
        one.transport.write(b"and back")
        assert await listened.read(far) == b"and back"
        assert one.transport.get_protocol() is one

    async def test_one_that_pauses_is_not_read_before_it_resumes(self, listened: Listened) -> None:
        listened.run()
        far, one = self.adopt(listened)
        one.transport.pause_reading()
        await listened.loop.sock_sendall(far, b"later")
        _, other = await listened.meet(b"meanwhile")
        await until(lambda: other.data == b"meanwhile")
        assert one.data == b""
        one.transport.resume_reading()
        await until(lambda: one.data == b"later")

    async def test_one_that_is_gone_already_is_told_of(self, listened: Listened) -> None:
        listened.run()
        far = socket.create_server(("127.0.0.1", 0))
        gone = socket.create_connection(far.getsockname())
        near, _ = far.accept()
        reset_at_close(gone)
        gone.close()
        far.close()
        one = listened.kind()
        with near:
            listened.front.adopt(near.fileno(), one)
        await until(lambda: one.lost)

    async def test_what_is_no_descriptor_raises(self, listened: Listened) -> None:
        with pytest.raises(OSError):
            listened.front.adopt(-1, listened.kind())


class TestTurns:
    async def test_those_who_send_much_have_turns_one_after_the_other(self, listened: Listened) -> None:
        """Who is left when a turn has read enough is read before anybody is read again."""
        clients = [listened.connect() for _ in range(160)]
        while len(listened.made) < len(clients):
            listened.front.turn()
        read: set[Recorder] = set()
        while len(read) < len(clients):
            for client in clients:
                with contextlib.suppress(BlockingIOError):
                    client.send(bytes(READ_BYTES))
            before = {one: len(one.data) for one in listened.made}
            listened.front.turn()
            brought = {one: len(one.data) - before[one] for one in listened.made if len(one.data) > before[one]}
            assert sum(brought.values()) < TURN_BYTES + READ_BYTES
            was_read, read = read, read | brought.keys()
            assert len(read) == len(clients) or not was_read & brought.keys()
        assert sum(len(one.data) for one in read) > TURN_BYTES + READ_BYTES

    async def test_requests_of_many_are_read_a_few_each_turn(self, listened: Listened) -> None:
        clients = [listened.connect() for _ in range(100)]
        while len(listened.made) < len(clients):
            listened.front.turn()
        for client in clients:
            client.sendall(b"request")
        for turn in range(1, 8):
            listened.front.turn()
            assert sum(bool(one.data) for one in listened.made) == min(turn * TURN_PLAIN, len(clients))

    async def test_websocket_is_read_before_all_that_are_none(self, listened: Listened) -> None:
        clients = [listened.connect() for _ in range(100)]
        while len(listened.made) < len(clients):
            listened.front.turn()
        peers = {one.transport.get_extra_info("peername"): one for one in listened.made}
        last = clients[-1]
        successor = listened.kind()
        peers[last.getsockname()].transport.set_protocol(successor)
        for client in clients:
            client.sendall(b"something")
        listened.front.turn()
        assert successor.data == b"something"


class TestWriting:
    async def test_written_at_once_it_waits_for_no_turn(self, listened: Listened) -> None:
        listened.run()
        client, one = await listened.meet()
        assert one.transport.write_at_once(b"now")
        assert client.recv(10) == b"now"

    async def test_written_at_once_the_rest_leaves_when_there_is_room(self, listened: Listened) -> None:
        listened.run()
        client, one = await listened.meet()
        one.transport.set_write_buffer_limits(high=0)
        assert not one.transport.write_at_once(bytes(16 << 20))
        assert one.told == ["pause"]
        left = 16 << 20
        while left:
            left -= len(await listened.read(client))
        await until(lambda: one.told == ["pause", "resume"])

    async def test_written_at_once_to_somebody_gone_it_ends_the_connection(self, listened: Listened) -> None:
        listened.run()
        client, one = await listened.meet()
        one.transport.pause_reading()
        reset_at_close(client)
        client.close()
        assert not one.transport.write_at_once(b"x")
        assert one.transport.is_closing()
        await until(lambda: one.lost)

    async def test_much_is_written_as_the_client_takes_it(self, listened: Listened) -> None:
        listened.run()
        client, one = await listened.meet()
        whole = os.urandom(1 << 23)
        one.transport.write(whole)
        assert one.transport.get_write_buffer_size() > 0
        assert one.told == ["pause"]
        one.transport.write(b"the end")
        one.transport.close()
        got = b""
        while part := await listened.read(client):
            got += part
        assert got == whole + b"the end"
        await until(lambda: one.lost == [None])
        assert one.told == ["pause", "resume"]

    async def test_little_leaves_at_once_without_a_limit(self, listened: Listened) -> None:
        listened.run()
        client, one = await listened.meet()
        one.transport.set_write_buffer_limits(high=0)
        one.transport.write(b"now")
        assert one.transport.get_write_buffer_size() == 0
        assert client.recv(100) == b"now"
        assert one.told == []

    async def test_half_close_follows_what_was_written(self, listened: Listened) -> None:
        listened.run()
        client, one = await listened.meet()
        one.transport.write(b"the last")
        one.transport.write_eof()
        with pytest.raises(RuntimeError):
            one.transport.write(b"more")
        assert await listened.read(client) == b"the last"
        assert await listened.read(client) == b""
        await listened.loop.sock_sendall(client, b"still read")
        await until(lambda: one.data == b"still read")

    async def test_aborted_connection_ends_at_once(self, listened: Listened) -> None:
        listened.run()
        client, one = await listened.meet()
        one.transport.write(os.urandom(1 << 23))
        one.transport.abort()
        assert one.transport.is_closing()
        one.transport.write(b"to nobody")
        one.transport.close()
        await until(lambda: one.lost)
        assert one.lost == [None]
        with pytest.raises(ConnectionError):
            while await listened.read(client):
                pass
            raise ConnectionError("ended in order")

    async def test_write_to_somebody_gone_ends_the_connection(self, listened: Listened) -> None:
        listened.run()
        client, one = await listened.meet()
        one.transport.pause_reading()
        reset_at_close(client)
        client.close()
        async with asyncio.timeout(HANG):
            while not one.lost:
                one.transport.write(b"anybody?")
                await asyncio.sleep(0.01)
        assert isinstance(one.lost[0], ConnectionError)
