"""Links that could be silent: dialled again while events wait, and each not too often."""

import asyncio
from typing import Any

import pytest
from awxfast.broadcast import silencing as silencing_module
from awxfast.broadcast.silencing import Silencing
from awxfast.broadcast.target import Member
from peer_server import until


class Peer:
    """A link that carries events until it is dialled again, if the server has heard who dials by then."""

    def __init__(self, calls: list[str], *, is_heard: bool = True) -> None:
        self.member = Member("web-1", "h", 443)
        self.calls, self.is_heard = calls, is_heard
        self.connected_at = 0.0
        self.is_silent = False

    @property
    def could_be_silent(self) -> bool:
        return not self.is_silent

    def dial_again(self) -> None:
        self.calls.append("dial")
        self.is_silent = self.is_heard


class Fixture:
    def __init__(self, *, is_heard: bool = True, announces: bool = True) -> None:
        self.calls: list[str] = []
        self.up, self.announces = True, announces
        self.peer = Peer(self.calls, is_heard=is_heard)
        self.peers = [self.peer]
        here: Any = self
        self.silencing = Silencing(here, here, here)

    # The engine

    async def announce(self, seconds: float) -> bool:
        self.calls.append("announce")
        return self.announces

    async def wait_sent(self, seconds: float) -> bool:
        self.calls.append("sent")
        return True

    # The intake

    def hold_events(self) -> None:
        self.calls.append("hold")

    def let_events_come(self) -> None:
        self.calls.append("come")

    # The dialler

    async def flush(self, seconds: float, peers: list[Peer]) -> list[Peer]:
        self.calls.append("flush")
        return peers


@pytest.fixture(autouse=True)
def soon(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(silencing_module, "LOOK_SECONDS", 0.01)
    monkeypatch.setattr(silencing_module, "STEP_SECONDS", 0.01)


async def run(fixture: Fixture, until_call: str) -> list[str]:
    task = asyncio.create_task(fixture.silencing.run())
    await until(lambda: until_call in fixture.calls)
    await asyncio.sleep(0.1)
    task.cancel()
    await asyncio.gather(task, return_exceptions=True)
    return fixture.calls


async def test_link_is_dialled_again_while_events_wait() -> None:
    assert await run(Fixture(), "come") == ["announce", "hold", "flush", "sent", "announce", "dial", "come"]


async def test_peer_that_stays_as_it_was_is_left_alone_for_a_time() -> None:
    assert (await run(Fixture(is_heard=False), "come")).count("dial") == 1


async def test_nothing_waits_for_an_engine_that_does_not_bring_our_own_word() -> None:
    assert await run(Fixture(announces=False), "announce") == ["announce"]


async def test_events_come_when_the_process_leaves_meanwhile() -> None:
    fixture = Fixture()
    forever = asyncio.Event()

    async def flush(seconds: float, peers: list[Peer]) -> list[Peer]:
        fixture.calls.append("flush")
        await forever.wait()
        return peers

    fixture.flush = flush  # type: ignore[method-assign]
    task = asyncio.create_task(fixture.silencing.run())
    await until(lambda: "flush" in fixture.calls)
    await fixture.silencing.end()
    assert fixture.calls[-1] == "come"
    task.cancel()
    await asyncio.gather(task, return_exceptions=True)
