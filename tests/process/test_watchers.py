"""Who waits for what becomes of a reload, over the real socket."""

import asyncio
import errno
import json
import os
import socket
from collections.abc import AsyncIterator, Callable

import pytest
from awxfast.process.watchers import FULL, MOST_WATCHERS, READY, Watchers, name_watch_socket, read_peer
from servers import HANG


@pytest.fixture
async def watchers() -> AsyncIterator[Watchers]:
    watchers = Watchers.open()
    watchers.begin()
    yield watchers
    watchers.close()


class Refusing:
    """A server's socket of which nobody can be accepted."""

    def __init__(self, sock: socket.socket, accept: Callable[[], tuple[socket.socket, object]]) -> None:
        self._sock = sock
        self.accept = accept

    def fileno(self) -> int:
        return self._sock.fileno()

    def close(self) -> None:
        self._sock.close()


class Asker:
    """`awxfast reload`, as the socket sees it."""

    def __init__(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        self.reader = reader
        self.writer = writer

    @classmethod
    async def open(cls) -> "Asker":
        return cls(*await asyncio.open_unix_connection(name_watch_socket(os.getpid())))

    async def hear(self) -> bytes:
        return await asyncio.wait_for(self.reader.readline(), HANG)

    async def leave(self) -> None:
        self.writer.close()
        await self.writer.wait_closed()


async def test_who_asked_before_a_reload_began_is_told_of_it(watchers: Watchers) -> None:
    one = await Asker.open()
    assert await one.hear() == READY
    watchers.begin_reload()
    late = await Asker.open()
    assert await late.hear() == READY
    watchers.tell(done=True, text="all is well")
    assert json.loads(await one.hear()) == {"done": True, "text": "all is well"}
    assert await one.hear() == b""
    watchers.begin_reload()
    watchers.tell(done=False, text="no")
    assert json.loads(await late.hear()) == {"done": False, "text": "no"}
    for asker in (one, late):
        await asker.leave()


async def test_those_who_have_gone_keep_nobody_out(watchers: Watchers) -> None:
    for _ in range(3 * MOST_WATCHERS):
        one = await Asker.open()
        while (answer := await one.hear()) == FULL:  # the one before has not been seen to go yet
            await one.leave()
            one = await Asker.open()
        assert answer == READY
        await one.leave()


async def test_one_too_many_is_told_so(watchers: Watchers) -> None:
    askers = [await Asker.open() for _ in range(MOST_WATCHERS)]
    assert [await one.hear() for one in askers] == [READY] * MOST_WATCHERS
    late = await Asker.open()
    assert (await late.hear(), await late.hear()) == (FULL, b"")
    for asker in (*askers, late):
        await asker.leave()


async def test_who_comes_when_no_descriptor_is_left_waits_and_keeps_nobody_busy(
    watchers: Watchers, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("awxfast.process.watchers.PAUSE_SECONDS", 0.2, raising=False)
    refusals: list[float] = []

    def refuse() -> tuple[socket.socket, object]:
        refusals.append(asyncio.get_running_loop().time())
        raise OSError(errno.EMFILE, "Too many open files")

    server = watchers._server
    assert server is not None
    monkeypatch.setattr(watchers, "_server", Refusing(server, refuse))
    watchers.begin()
    one = await Asker.open()
    while len(refusals) < 3:  # noqa: ASYNC110  a stand-in sets no event
        await asyncio.sleep(0.01)
    assert refusals[1] - refusals[0] > 0.1 < refusals[2] - refusals[1]
    monkeypatch.setattr(watchers, "_server", server)
    assert await one.hear() == READY
    await one.leave()


async def test_mains_next_program_tells_those_who_asked_its_former_one(watchers: Watchers) -> None:
    present, following = await Asker.open(), None
    assert await present.hear() == READY
    watchers.begin_reload()
    following = await Asker.open()
    assert await following.hear() == READY
    kept: list[int] = []
    frozen = json.loads(json.dumps(watchers.freeze(kept)))
    assert len(kept) == 3
    waiting = await Asker.open()  # the kernel lets it in
    heirs = Watchers.adopt(frozen)
    heirs.begin()
    assert await waiting.hear() == READY
    heirs.tell(done=True, text="changed")
    assert json.loads(await present.hear())["text"] == "changed"
    heirs.begin_reload()
    heirs.tell(done=True, text="again")
    assert json.loads(await following.hear())["text"] == json.loads(await waiting.hear())["text"] == "again"
    heirs.close()
    for asker in (present, following, waiting):
        await asker.leave()


async def test_name_that_somebody_else_had_is_taken_by_the_next_program_if_it_is_free(
    caplog: pytest.LogCaptureFixture,
) -> None:
    with socket.socket(socket.AF_UNIX) as stranger:
        stranger.bind(name_watch_socket(os.getpid()))
        former = Watchers.open()
        assert "Address already in use" in caplog.text
        former.begin()
        frozen = former.freeze([])
    heirs = Watchers.adopt(frozen)
    heirs.begin()
    one = await Asker.open()
    assert await one.hear() == READY
    heirs.close()
    await one.leave()


def test_peer_is_known_by_its_number_on_both_sides() -> None:
    ours, theirs = socket.socketpair(socket.AF_UNIX)
    with ours, theirs:
        assert read_peer(ours) == read_peer(theirs) == (os.getpid(), os.geteuid())
