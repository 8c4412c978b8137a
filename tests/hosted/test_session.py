"""What an application says to a websocket, with a socket that writes it down."""

import asyncio
from collections.abc import Callable
from typing import Any

import pytest
from awxfast.hosted.inbox import MOST_BYTES, Unreceived
from awxfast.hosted.session import DENIED, UNDECIDED, WINDOW, HostedSession
from awxfast.wire.handshake import Handshake, Headers, Refusal
from awxfast.wire.request import Request


class PlayedOpening:
    """An upgrade request, and the socket that may come of it."""

    def __init__(self, *, attaches: bool = True) -> None:
        self.request = Request("GET", "1.1", "/")
        self.handshake = Handshake(b"", ("a", "b"))
        self.on_lost: Callable[[], None] | None = None
        self.session: HostedSession | None = None
        self.attaches = attaches
        self.calls: list[Any] = []
        self.client = 7

    def accept(self, session: HostedSession, kind: str, headers: Headers = ()) -> None:
        self.session = session
        self.calls.append(("accept", list(headers)))
        if self.attaches:
            session.open(self)

    def refuse(self, refusal: Refusal) -> None:
        self.calls.append(("refuse", refusal.status))

    def begin_denial(self, status: int, headers: Headers) -> None:
        self.calls.append(("begin", status, list(headers)))

    async def send_denial(self, body: bytes) -> None:
        self.calls.append(("part", body))

    def end_denial(self) -> None:
        self.calls.append("end")

    # the socket

    def send_str(self, text: str) -> int:
        self.calls.append(text)
        return len(text.encode())

    def send_binary(self, payload: bytes) -> None:
        self.calls.append(payload)

    def ask_room(self) -> None:
        self.calls.append("room?")

    def pause_reading(self) -> None:
        self.calls.append("pause")

    def resume_reading(self) -> None:
        self.calls.append("resume")

    def close(self, code: int, reason: bytes = b"") -> None:
        self.leave(code, reason)

    def leave(self, code: int, reason: bytes = b"") -> None:
        self.calls.append(("close", code, reason))
        assert self.session is not None
        self.session.end(code)


def begin(**options: Any) -> tuple[HostedSession, PlayedOpening]:
    opening = PlayedOpening(**options)
    return HostedSession(opening, Unreceived(), lambda: 0.0), opening


async def accepted() -> tuple[HostedSession, PlayedOpening]:
    session, opening = begin()
    assert await session.receive() == {"type": "websocket.connect"}
    await session.send({"type": "websocket.accept"})
    opening.calls.clear()
    return session, opening


class TestAcceptance:
    async def test_headers_and_subprotocol(self) -> None:
        session, opening = begin()
        headers = [(b"X-A", b"b")]
        await session.send({"type": "websocket.accept", "subprotocol": "b", "headers": headers})
        assert opening.calls == [("accept", [(b"x-a", b"b"), (b"sec-websocket-protocol", b"b")])]

    @pytest.mark.parametrize(
        "more",
        [
            {"subprotocol": "c"},
            {"headers": [("x", "y")]},
            {"headers": [(b"x y", b"z")]},
            {"headers": [(b"x", b"y\r\nz: a")]},
            {"headers": [(b"Sec-WebSocket-Accept", b"x")]},
            {"headers": [(b"connection", b"close")]},
        ],
    )
    async def test_what_can_not_be_sent_is_an_error_and_nothing_leaves(self, more: dict[str, Any]) -> None:
        session, opening = begin()
        with pytest.raises(ValueError, match=r"."):
            await session.send({"type": "websocket.accept", **more})
        assert opening.calls == []
        assert session.is_undecided

    async def test_twice_is_an_error(self) -> None:
        session, _ = await accepted()
        with pytest.raises(ValueError, match="already"):
            await session.send({"type": "websocket.accept"})

    async def test_it_waits_until_the_101_is_out(self) -> None:
        session, opening = begin(attaches=False)
        called: list[int | None] = []
        session.on_attached(lambda: called.append(session.client))
        accepting = asyncio.create_task(session.send({"type": "websocket.accept"}))
        await asyncio.sleep(0)
        assert not accepting.done()
        assert (called, session.client) == ([], None)
        session.open(opening)
        await accepting
        assert called == [7]

    async def test_client_that_leaves_meanwhile_is_no_error(self) -> None:
        session, _ = begin(attaches=False)
        accepting = asyncio.create_task(session.send({"type": "websocket.accept"}))
        await asyncio.sleep(0)
        session.end(1006)
        await accepting
        await session.send({"type": "websocket.send", "text": "to nobody"})
        assert [(await session.receive())["type"] for _ in range(2)] == ["websocket.connect", "websocket.disconnect"]


class TestDenial:
    async def test_close_is_a_refusal(self) -> None:
        session, opening = begin()
        await session.receive()
        await session.send({"type": "websocket.close"})
        assert opening.calls == [("refuse", DENIED.status)]
        assert await session.receive() == {"type": "websocket.disconnect", "code": 1006}

    async def test_response_of_its_own(self) -> None:
        session, opening = begin()
        headers = [(b"X-A", b"b"), (b"connection", b"keep-alive")]
        await session.send({"type": "websocket.http.response.start", "status": 401, "headers": headers})
        await session.send({"type": "websocket.http.response.body", "body": b"a", "more_body": True})
        await session.send({"type": "websocket.http.response.body"})
        assert opening.calls == [("begin", 401, [(b"x-a", b"b")]), ("part", b"a"), ("part", b""), "end"]

    async def test_response_that_is_never_finished_is_ended(self) -> None:
        session, opening = begin()
        await session.send({"type": "websocket.http.response.start", "status": 401})
        session.finish(UNDECIDED)
        assert opening.calls == [("begin", 401, []), "end"]

    @pytest.mark.parametrize("status", [101, 199, 600])
    async def test_status_that_is_none_is_an_error(self, status: int) -> None:
        session, _ = begin()
        with pytest.raises(ValueError, match="no status"):
            await session.send({"type": "websocket.http.response.start", "status": status})


class TestSending:
    @pytest.mark.parametrize(
        ("message", "sent"),
        [
            ({"text": "a"}, ["a"]),
            ({"text": ""}, [""]),
            ({"bytes": b"a"}, [b"a"]),
            ({"bytes": b""}, [b""]),
            ({"text": None, "bytes": b"a"}, [b"a"]),
            ({"text": "a", "bytes": None}, ["a"]),
            ({"text": "a", "bytes": b""}, ["a"]),
            ({"text": "", "bytes": b"a"}, [b"a"]),
            ({}, []),
        ],
    )
    async def test_text_or_bytes(self, message: dict[str, Any], sent: list[Any]) -> None:
        session, opening = await accepted()
        await session.send({"type": "websocket.send", **message})
        assert opening.calls == sent

    async def test_both_are_an_error(self) -> None:
        session, _ = await accepted()
        with pytest.raises(ValueError, match="not both"):
            await session.send({"type": "websocket.send", "text": "a", "bytes": b"b"})

    async def test_before_the_acceptance_it_is_an_error(self) -> None:
        session, _ = begin()
        with pytest.raises(ValueError, match="not accepted yet"):
            await session.send({"type": "websocket.send", "text": "a"})

    async def test_it_waits_for_room_past_the_window(self) -> None:
        session, opening = await accepted()
        sending = [asyncio.create_task(session.send({"type": "websocket.send", "text": "x" * WINDOW})) for _ in "ab"]
        await asyncio.sleep(0)
        await asyncio.sleep(0)
        assert opening.calls == ["x" * WINDOW, "room?"]
        session.room_made()
        await sending[0]
        await asyncio.sleep(0)
        assert opening.calls[2:] == ["x" * WINDOW, "room?"]
        session.end(1006)
        await sending[1]

    async def test_after_the_end_nothing_is_sent(self) -> None:
        session, opening = await accepted()
        session.end(1001)
        for kind in ("send", "close", "accept"):
            await session.send({"type": f"websocket.{kind}", "text": "a"})
        assert opening.calls == []


class TestReceiving:
    async def test_reading_pauses_while_the_application_does_not_receive(self) -> None:
        session, opening = await accepted()
        for number in range(200):
            session.receive_text(str(number))
        assert opening.calls == []
        session.receive_binary(bytes(MOST_BYTES))
        assert opening.calls == ["pause"]
        assert await session.receive() == {"type": "websocket.receive", "text": "0"}
        assert opening.calls == ["pause"]
        for _ in range(200):
            await session.receive()
        assert opening.calls == ["pause", "resume"]

    async def test_text_counts_as_the_memory_that_it_takes(self) -> None:
        """One character beyond the BMP makes four bytes of each."""
        session, opening = await accepted()
        session.receive_text("x" * (MOST_BYTES // 4) + "🤖")
        assert opening.calls == ["pause"]

    async def test_bytes(self) -> None:
        session, _ = await accepted()
        session.receive_binary(b"\xff")
        assert await session.receive() == {"type": "websocket.receive", "bytes": b"\xff"}

    async def test_end_is_told_once_and_last(self) -> None:
        session, _ = await accepted()
        session.receive_text("a")
        session.end(3000)
        session.end(1006)
        assert [(await session.receive()).get("code") for _ in range(2)] == [None, 3000]
        waiting = asyncio.create_task(session.receive())
        await asyncio.sleep(0)
        assert not waiting.done()
        waiting.cancel()


class TestFinish:
    async def test_task_that_ends_closes_what_is_open(self) -> None:
        session, opening = await accepted()
        called: list[str] = []
        session.on_end(lambda: called.append("end"))
        session.finish(UNDECIDED)
        assert opening.calls == [("close", 1011, b"the application ended")]
        assert called == ["end"]

    async def test_end_of_the_socket_is_not_the_end_of_the_task(self) -> None:
        session, _ = await accepted()
        called: list[str] = []
        session.on_end(lambda: called.append("end"))
        session.end(1001)
        assert (called, session.has_ended) == ([], False)
        session.finish(UNDECIDED)
        assert (called, session.has_ended) == (["end"], True)


class TestOverstepping:
    """The consumer wants more groups than one websocket may have."""

    async def test_open_one_is_closed_with_1008_and_the_application_told(self) -> None:
        session, opening = await accepted()
        session.overstep()
        session.overstep()
        assert opening.calls == [("close", 1008, b"too many groups")]
        assert await session.receive() == {"type": "websocket.disconnect", "code": 1008}

    async def test_one_that_waits_for_its_101_gets_403(self) -> None:
        session, opening = begin()
        session.overstep()
        assert opening.calls == [("refuse", 403)]
