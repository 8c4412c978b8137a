"""A process's end of the pipe, with the test in main's place: a hand-over that fails somewhere, words out of turn."""

import asyncio
import contextlib
import errno
import socket
from collections.abc import AsyncIterator, Callable
from typing import Any

import pytest
from awxfast.errors import HandOverFailed
from awxfast.process import control as control_module
from awxfast.process.control import Control
from awxfast.process.pipe import Pipe
from awxfast.system.passing import send_message
from peer_server import until
from servers import HANG
from still_figures import StillFigures


class Rooms:
    """What leaves all to another process, with a fault somewhere on the way."""

    drains, can_go_on = True, False

    def __init__(self, fault: str) -> None:
        self.fault = fault
        self.calls: list[str] = []

    def ledger(self) -> dict[str, Any]:
        return {"frames": {"pending": 0}}

    def call(self, name: str) -> None:
        self.calls.append(name)
        if self.fault == name:
            raise RuntimeError("a fault of ours")

    def reload_files(self) -> None:
        self.call("reload_files")

    async def let_go(self) -> None:
        self.call("let_go")
        await asyncio.sleep(0.05)

    async def go_on(self) -> None:
        self.call("go_on")

    async def drain(self) -> None:
        self.call("drain")


class Faulty(Control[Rooms]):
    at_once = most_at_once = 0

    async def _leave_to(self, heir: int, understood: list[int], sock: socket.socket) -> None:
        assert self._relay is not None
        self.at_once += 1
        self.most_at_once = max(self.most_at_once, self.at_once)
        await asyncio.sleep(0.05)
        self.at_once -= 1
        if self._relay.fault == "go_on":
            raise HandOverFailed("Redis is away")
        self._relay.call("leave")


class Ended(BaseException):
    """In place of the process's end."""


class Leaving:
    """A process that is asked to hand over, from main's side. It has ended with `exit_code` unless that is None."""

    def __init__(self, pipe: Pipe, control: Faulty, rooms: Rooms) -> None:
        self.pipe, self.control, self.rooms = pipe, control, rooms
        self.exit_code: int | None = None

    async def receive(self) -> dict[str, Any]:
        while (message := await self.pipe.receive()) is not None and message["kind"] in ("serving", "stands"):
            pass
        assert message is not None
        return message

    async def until_left(self) -> None:
        await until(lambda: self.control._leaving)
        await asyncio.wait([self.control._leaving], timeout=HANG)
        assert isinstance(self.control._leaving.exception(), Ended | None)


@pytest.fixture
async def hand_over(monkeypatch: pytest.MonkeyPatch) -> AsyncIterator[Callable[..., Any]]:
    with contextlib.ExitStack() as opened:
        pipes: list[Pipe] = []

        async def begin(fault: str, *, stops: bool = False, times: int = 1, drain_at_once: bool = False) -> Leaving:
            (ours, theirs), (passing, passed) = socket.socketpair(), socket.socketpair()
            opened.enter_context(passing)
            control = Faulty(await Pipe.open(theirs), {"passing": passed.detach()})
            opened.enter_context(control._passing)
            leaving = Leaving(await Pipe.open(ours), control, Rooms(fault))
            pipes.extend([leaving.pipe, control._pipe])

            def end(exit_code: int) -> None:
                leaving.exit_code = exit_code
                raise Ended

            monkeypatch.setattr(control_module, "leave", end)
            control.report_serving(leaving.rooms)
            if stops:
                control._stop_asked.set()
            for _ in range(times):
                send_message(passing, b"heir", [passing.fileno()])
                leaving.pipe.send("hand_over", heir=1, format=[1])
            if drain_at_once:
                await until(lambda: "let_go" in leaving.rooms.calls)
                leaving.pipe.send("drain")
                return leaving
            await leaving.until_left()
            return leaving

        yield begin
        for task in asyncio.all_tasks() - {asyncio.current_task()}:
            task.cancel()
        for pipe in pipes:
            await pipe.close()


@pytest.mark.parametrize("fault", ["leave", "let_go", "go_on", "drain", ""])
class TestFaultInAHandOver:
    """The old process goes on, or ends with a line that says why; it never stays half left."""

    async def test_it_goes_on_as_long_as_it_has_all_and_ends_when_it_can_not(
        self, hand_over: Callable[..., Any], fault: str, caplog: pytest.LogCaptureFixture
    ) -> None:
        leaving = await hand_over(fault)
        if fault == "let_go":
            assert (leaving.exit_code, leaving.rooms.calls) == (1, ["leave", "let_go"])
            assert "the new process has all" in caplog.text
        elif fault == "go_on":
            assert await leaving.receive() == {"kind": "kept_on", "text": "Redis is away", "heir": 1}
            assert (leaving.exit_code, leaving.rooms.calls) == (1, ["go_on"])
            assert "should go on and can't" in caplog.text
        elif fault == "leave":
            text = "unexpected RuntimeError: a fault of ours"
            assert await leaving.receive() == {"kind": "kept_on", "text": text, "heir": 1}
            assert (leaving.exit_code, leaving.rooms.calls) == (None, ["leave", "go_on"])
        else:
            assert await leaving.receive() == {"kind": "left", "can_go_on": False, "heir": 1}
            leaving.pipe.send("drain")
            await asyncio.wait_for(leaving.control.wait_for_stop(), HANG)
            assert leaving.rooms.calls == ["leave", "let_go", "drain"]


async def test_word_to_drain_that_comes_before_all_is_let_go_is_not_lost(hand_over: Callable[..., Any]) -> None:
    leaving = await hand_over("", drain_at_once=True)
    await asyncio.wait_for(leaving.control.wait_for_stop(), HANG)
    assert leaving.rooms.calls == ["leave", "let_go", "drain"]


async def test_hand_overs_that_a_blocked_process_finds_together_are_done_one_after_the_other(hand_over: Any) -> None:
    leaving = await hand_over("leave", times=2)
    await until(lambda: leaving.rooms.calls == ["leave", "go_on"] * 2)
    assert leaving.control.most_at_once == 1


async def test_files_that_change_before_it_serves_are_read_again_as_soon_as_it_does() -> None:
    """In a reload there is a process that has read them already, and takes over a moment later."""
    ours, theirs = socket.socketpair()
    main, control = await Pipe.open(ours), Faulty(await Pipe.open(theirs), {})
    rooms = Rooms("")
    main.send("reload_files")
    main.send("ping")
    assert await main.receive() == {"kind": "pong"}
    assert rooms.calls == []
    control.report_serving(rooms)
    assert rooms.calls == ["reload_files"]
    main.send("reload_files")
    await until(lambda: rooms.calls == ["reload_files"] * 2)
    for task in asyncio.all_tasks() - {asyncio.current_task()}:
        task.cancel()
    for pipe in (main, control._pipe):
        await pipe.close()


async def test_figures_that_can_not_be_taken_cost_the_process_no_word_of_main(
    monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    """One that has no descriptor left would hear of no end and no reload any more."""
    ours, theirs = socket.socketpair()
    main, control = await Pipe.open(ours), Faulty(await Pipe.open(theirs), {})
    control.show(StillFigures())
    assert control._snapshots is not None
    first = await main.receive()
    assert first is not None
    assert first["is_answer"] is False

    def fail() -> Any:
        raise OSError(errno.EMFILE, "Too many open files")

    with monkeypatch.context() as faulty:
        faulty.setattr(control._snapshots, "take", fail)
        faulty.setattr(control._snapshots, "list_slow_clients", fail)
        for question in ("look", "look_at_clients", "ping"):
            main.send(question)
        assert await asyncio.wait_for(main.receive(), HANG) == {"kind": "clients", "rows": []}
        assert await asyncio.wait_for(main.receive(), HANG) == {"kind": "pong"}
    assert "Too many open files" in caplog.text
    control._tell_figures()
    answer = await main.receive()
    assert answer is not None
    assert answer["is_answer"] is True, "main asks again only when it has its answer"
    with monkeypatch.context() as faulty:
        faulty.setattr(control._snapshots, "take", fail)
        await control.report_end()
    assert await main.receive() is None
    await main.close()


async def test_main_that_is_stopped_is_not_told_more_and_more(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(control_module, "STANDING_SECONDS", 0)
    ours, theirs = socket.socketpair()
    with ours:
        control = Faulty(await Pipe.open(theirs), {})
        control.show(StillFigures())
        control.report_serving(Rooms(""))
        await until(lambda: control._pipe.is_behind)
        size = control._pipe._writer.transport.get_write_buffer_size()  # type: ignore[attr-defined]
        for _ in range(1000):
            await asyncio.sleep(0)
        assert control._pipe._writer.transport.get_write_buffer_size() == size  # type: ignore[attr-defined]
        for task in asyncio.all_tasks() - {asyncio.current_task()}:
            task.cancel()
        control._pipe.end()


async def test_process_that_is_to_end_goes_on_until_then_when_nobody_takes_its_place(hand_over: Any) -> None:
    """Its clients would hear nothing any more, for as long as `--close-spread` takes."""
    leaving = await hand_over("leave", stops=True)
    assert leaving.rooms.calls == ["leave", "go_on"]
