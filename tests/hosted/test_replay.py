"""A new consumer on a socket of the process before this one: what it is told, and what of its words gets out."""

import asyncio
from typing import Any

import orjson
import pytest
from awxfast.hosted import replay
from awxfast.hosted.inbox import Unreceived
from awxfast.hosted.replay import AT_ONCE, LONGEST_TEXT, Kept, ReopenedSocket, Replay, Replays
from awxfast.hosted.scope import describe_websocket
from awxfast.hosted.session import HostedSession
from awxfast.wire.handshake import Handshake
from awxfast.wire.request import Request
from servers import HANG

ACCEPT = {"type": "websocket.accept"}
CONNECT = {"type": "websocket.connect"}
REQUEST = Request(
    "GET",
    "1.1",
    "/a/\u00e9",
    b"token=%ff\xff",
    ((b"host", b"awx"), (b"x-odd", b"\xff"), (b"x-odd", b"b")),
    ("10.0.0.1", 4711),
    None,
    b"/a/%C3%A9",
    "/root",
    "https",
)


class KeptSocket:
    """The connection of a websocket that was accepted long ago."""

    client = 7

    def __init__(self) -> None:
        self.calls: list[Any] = []
        self.session: HostedSession | None = None

    def leave_groups(self) -> None:
        self.calls.append("leave groups")

    def send_str(self, text: str) -> int:
        self.calls.append(text)
        return len(text.encode())

    def pause_reading(self) -> None:
        self.calls.append("pause")

    def resume_reading(self) -> None:
        self.calls.append("resume")

    def leave(self, code: int, reason: bytes = b"") -> None:
        self.calls.append(("close", code))
        assert self.session is not None
        self.session.end(code)


def frozen(**more: Any) -> dict[str, Any]:
    kept = Kept(REQUEST, ("a", "b"))
    return {"kept": kept.freeze(), "subprotocol": None, "last": None, "commands": [], **more}


def go_on(**more: Any) -> tuple[HostedSession, KeptSocket, list[str]]:
    left: dict[str, Any] = orjson.loads(orjson.dumps(frozen(**more)))
    kept, settled = Kept.thaw(left["kept"]), []
    opening = ReopenedSocket(kept, left["subprotocol"])
    session = HostedSession(opening, Unreceived(), lambda: 0.0, kept)
    session.replay(Replay(left, opening, lambda: settled.append("settled")))
    socket = KeptSocket()
    socket.session = session
    session.resume(socket, left)  # type: ignore[arg-type]  # as much of a connection as it needs
    assert socket.calls[:2] == ["leave groups", "pause"]
    del socket.calls[:2]
    return session, socket, settled


def texts(*words: str) -> list[dict[str, str]]:
    return [{"type": "websocket.receive", "text": text} for text in words]


async def say(session: HostedSession, text: str) -> None:
    await session.send({"type": "websocket.send", "text": text})


class TestScope:
    def test_it_is_what_the_former_consumer_had(self) -> None:
        kept = Kept.thaw(orjson.loads(orjson.dumps(Kept(REQUEST, ("a", "b")).freeze())))
        former, present = (
            describe_websocket(request, Handshake(b"", subprotocols), {})
            for request, subprotocols in ((REQUEST, ("a", "b")), (kept.request, kept.subprotocols))
        )
        assert present == former


class TestReplay:
    async def test_acceptance_and_reply_to_the_last_text_are_dropped_and_the_next_is_sent(self) -> None:
        session, socket, settled = go_on(last="groups")
        assert await session.receive() == CONNECT
        await session.send(ACCEPT)
        await say(session, "welcome")
        assert [await session.receive()] == texts("groups")
        await say(session, "joined")
        assert (socket.calls, settled) == ([], [])
        receiving = asyncio.create_task(session.receive())
        await asyncio.sleep(0)
        assert (socket.calls, settled) == (["resume"], ["settled"])
        session.receive_text("more")
        assert [await receiving] == texts("more")
        await say(session, "done")
        assert socket.calls == ["resume", "done"]

    async def test_what_was_not_served_is_no_repetition(self) -> None:
        session, socket, _ = go_on(last="groups", commands=["one", ["dHdv"]])
        await session.receive()
        await session.send(ACCEPT)
        await session.receive()
        assert [await session.receive()] == texts("one")
        await say(session, "done one")
        assert await session.receive() == {"type": "websocket.receive", "bytes": b"two"}
        assert socket.calls == ["resume", "done one"]

    async def test_one_that_accepts_while_it_waits_for_more_is_heard_then(self) -> None:
        session, socket, settled = go_on()
        await session.receive()
        receiving = asyncio.create_task(session.receive())
        await asyncio.sleep(0)
        assert settled == []
        await session.send(ACCEPT)
        await say(session, "first")
        assert (socket.calls, settled) == (["resume", "first"], ["settled"])
        receiving.cancel()

    async def test_one_that_does_not_come_back_for_more_is_heard_when_time_is_up(self) -> None:
        session, socket, settled = go_on()
        await session.receive()
        await session.send(ACCEPT)
        await say(session, "dropped")
        session.end_late_replay()
        await say(session, "sent")
        assert (socket.calls, settled) == (["resume", "sent"], ["settled"])

    @pytest.mark.parametrize(
        "words",
        [
            [{"type": "websocket.close"}],
            [ACCEPT, {"type": "websocket.close", "code": 4001}],
            [{"type": "websocket.http.response.start", "status": 404}],
            [{"type": "websocket.accept", "subprotocol": "b"}],
        ],
        ids=["refuses", "closes", "denies", "wants_a_subprotocol"],
    )
    async def test_browser_is_told_to_come_back_where_it(self, words: list[dict[str, Any]]) -> None:
        session, socket, settled = go_on(last="groups")
        await session.receive()
        for word in words:
            await session.send(word)
        assert (socket.calls, settled) == ([("close", 1012)], ["settled"])

    async def test_browser_is_told_to_come_back_where_it_ends_too_early(self) -> None:
        session, socket, settled = go_on(last="groups")
        await session.send(ACCEPT)
        session.finish(None)  # type: ignore[arg-type]  # nobody waits for it
        assert (socket.calls, settled) == ([("close", 1012)], ["settled"])

    async def test_subprotocol_that_was_agreed_on_is_accepted(self) -> None:
        session, socket, _ = go_on(subprotocol="b")
        await session.send({"type": "websocket.accept", "subprotocol": "b"})
        assert (session.client, socket.calls) == (7, [])

    async def test_browser_that_has_gone_meanwhile_is_no_error(self) -> None:
        session, _, settled = go_on(last="groups")
        session.end(1001)
        await session.send(ACCEPT)
        assert settled == ["settled"]
        assert await session.receive() == CONNECT
        assert await session.receive() == {"type": "websocket.disconnect", "code": 1001}


class TestFreeze:
    async def test_text_that_is_served_is_the_last_and_what_waits_is_not_served(self) -> None:
        session, _, _ = await serve("a", "b")
        receiving = asyncio.create_task(session.receive())
        await asyncio.sleep(0)
        assert (session.freeze()["last"], session.freeze()["commands"]) == ("b", [])
        assert session.is_at_rest
        receiving.cancel()

    async def test_text_that_is_still_served_is_begun_anew(self) -> None:
        session, _, _ = await serve("a", "b")
        session.receive_text("c")
        session.receive_binary(b"two")
        assert not session.is_at_rest
        assert (session.freeze()["last"], session.freeze()["commands"]) == (None, ["b", "c", ["dHdv"]])

    async def test_text_that_is_too_long_can_not_be_told_again(self) -> None:
        session, _, _ = await serve("x" * (LONGEST_TEXT + 1))
        left = session.freeze()
        assert left["last"] is True
        _, socket, settled = go_on(**left)
        assert (socket.calls, settled) == ([("close", 1012)], ["settled"])

    async def test_consumer_that_has_not_had_all_leaves_what_it_was_to_have(self) -> None:
        session, _, _ = go_on(last="groups", commands=["more"])
        await session.receive()
        assert session.freeze() == frozen(last="groups", commands=["more"])


async def serve(*words: str) -> tuple[HostedSession, KeptSocket, list[str]]:
    """A session whose consumer was told these, and works on the last."""
    session, socket, settled = go_on()
    await session.receive()
    await session.send(ACCEPT)
    session.end_replay()
    for word in words:
        session.receive_text(word)
        await session.receive()
    return session, socket, settled


class TestReplays:
    async def test_so_many_begin_at_once_and_the_end_is_told(self) -> None:
        replays, begun = Replays(), []
        await replays.wait()
        settles = [replays.add(lambda number=number: begun.append(number)) for number in range(AT_ONCE + 1)]
        waiting = asyncio.ensure_future(replays.wait())
        await asyncio.sleep(0)
        await asyncio.sleep(0)
        assert len(begun) == AT_ONCE
        settles[0]()
        assert len(begun) == AT_ONCE + 1
        for settle in settles[1:]:
            assert not waiting.done()
            settle()
            await asyncio.sleep(0)
        await waiting

    async def test_many_that_take_long_hold_up_no_other(self, monkeypatch: pytest.MonkeyPatch) -> None:
        monkeypatch.setattr(replay, "PLACE_SECONDS", 0.01)
        replays, has_begun = Replays(), asyncio.Event()
        for _ in range(AT_ONCE):
            replays.add(lambda: None)
        settle = replays.add(has_begun.set)
        await asyncio.wait_for(has_begun.wait(), HANG)
        settle()
        over = asyncio.ensure_future(replays.wait())
        await asyncio.sleep(0)
        assert not over.done()  # the others have not had all yet
        over.cancel()

    async def test_one_that_ends_before_its_turn_takes_no_place(self) -> None:
        replays, begun = Replays(), []
        settles = [replays.add(lambda number=number: begun.append(number)) for number in range(AT_ONCE + 2)]
        settles[0]()
        settles[1]()
        await asyncio.sleep(0)
        assert len(begun) == AT_ONCE + 2
        for settle in settles[2:]:
            settle()
        await replays.wait()
