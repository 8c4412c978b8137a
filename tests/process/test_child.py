"""The serving process by itself, with the test in main's place."""

import asyncio
import contextlib
import json
import os
import resource
import signal
import socket
import subprocess
from collections.abc import AsyncIterator, Callable
from typing import Any

import pytest
from awxfast.errors import HandOverFailed
from awxfast.process import child as child_module
from awxfast.process.child import Control
from awxfast.process.listeners import read_backlog
from awxfast.process.pipe import LINE_LIMIT, Pipe
from awxfast.process.supervisor import CHILD_COMMAND
from awxfast.settings import Settings
from awxfast.system.passing import send_message
from peer_server import until
from redis_servers import RedisServer
from servers import HANG


class Child:
    """A child and main's end of the pipe."""

    def __init__(self, process: subprocess.Popen[bytes], pipe: Pipe) -> None:
        self.process = process
        self.pipe = pipe

    def send_start(self, settings: Settings, listener: socket.socket | None = None) -> None:
        listeners = [] if listener is None else [(listener.fileno(), 128, None)]
        self.pipe.send("start", settings=settings.to_json(), listeners=listeners)

    async def receive(self) -> dict[str, Any]:
        """The next message that is not one of those that come by themselves."""
        while (message := await self.pipe.receive()) is not None and message["kind"] in ("stands", "figures"):
            pass
        assert message is not None
        return message


def open_process(control: int, inherited: list[int]) -> subprocess.Popen[bytes]:
    command = [*CHILD_COMMAND, str(os.getpid()), str(control)]
    return subprocess.Popen(
        command, pass_fds=[control, *inherited], stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL
    )


@pytest.fixture
async def spawn() -> AsyncIterator[Callable[..., Any]]:
    children: list[Child] = []

    async def spawn_one(*inherited: socket.socket) -> Child:
        ours, theirs = socket.socketpair()
        with theirs:
            process = open_process(theirs.fileno(), [sock.fileno() for sock in inherited])
        children.append(Child(process, await Pipe.open(ours)))
        return children[-1]

    yield spawn_one
    for child in children:
        child.process.kill()
        child.process.wait()
        await child.pipe.close()


class TestServing:
    async def test_it_says_so_answers_pings_and_leaves(self, spawn: Any, redis_server: RedisServer) -> None:
        with socket.create_server(("127.0.0.1", 0)) as listener:
            child = await spawn(listener)
            child.send_start(Settings(redis=(redis_server.url,), auth="open"), listener)
            assert await child.receive() == {"kind": "serving"}
            child.pipe.send("ping")
            assert await child.receive() == {"kind": "pong"}
            child.pipe.send("stop")
            while await child.pipe.receive() is not None:
                pass
            assert child.process.wait(HANG) == 0

    async def test_backlog_stays_as_the_endpoint_has_it(self, spawn: Any, redis_server: RedisServer) -> None:
        with socket.create_server(("127.0.0.1", 0), backlog=128) as listener:
            child = await spawn(listener)
            child.send_start(Settings(redis=(redis_server.url,), auth="open"), listener)
            assert await child.receive() == {"kind": "serving"}
            assert read_backlog(listener) == 128

    async def test_mains_signals_are_not_its_own(self, spawn: Any, redis_server: RedisServer) -> None:
        child = await spawn()
        child.send_start(Settings(redis=(redis_server.url,)))
        await child.receive()
        for number in (signal.SIGTERM, signal.SIGINT, signal.SIGHUP, signal.SIGUSR2):
            child.process.send_signal(number)
        child.pipe.send("ping")
        assert await child.receive() == {"kind": "pong"}

    async def test_as_many_descriptors_as_there_may_be(self, spawn: Any, redis_server: RedisServer) -> None:
        child = await spawn()
        child.send_start(Settings(redis=(redis_server.url,)))
        await child.receive()
        soft, hard = resource.prlimit(child.process.pid, resource.RLIMIT_NOFILE)
        assert soft == hard


class TestEndOfMain:
    async def test_while_it_serves(self, spawn: Any, redis_server: RedisServer) -> None:
        child = await spawn()
        child.send_start(Settings(redis=(redis_server.url,)))
        await child.receive()
        await child.pipe.close()
        assert child.process.wait(HANG) == 1

    async def test_before_it_was_told_anything(self, spawn: Any) -> None:
        child = await spawn()
        await child.pipe.close()
        assert child.process.wait(HANG) == 1


class TestFailure:
    async def test_wrong_setting_is_reported_with_its_exit_code(self, spawn: Any) -> None:
        child = await spawn()
        child.send_start(Settings(redis=("redis://localhost:0",)))
        message = await child.receive()
        assert (message["kind"], message["exit_code"]) == ("failed", 2)
        assert message["text"].startswith("Redis URL: port 0")
        assert child.process.wait(HANG) == 2

    async def test_anything_else_is_one_line(self, spawn: Any) -> None:
        child = await spawn()
        child.pipe.send("start", settings='{"no_such_setting": 1}', listeners=[])
        message = await child.receive()
        assert (message["kind"], message["exit_code"]) == ("failed", 1)
        assert message["text"].startswith("unexpected TypeError:")

    async def test_of_a_long_one_the_beginning_is_told(self, spawn: Any) -> None:
        child = await spawn()
        settings = json.dumps({"x" * LINE_LIMIT: 1})
        child.pipe.send("start", settings=settings, listeners=[], admin=None)
        message = await child.receive()
        assert message["text"].startswith("unexpected TypeError:")
        assert len(message["text"]) < 5_000


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

            monkeypatch.setattr(child_module, "leave", end)
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


async def test_process_that_is_to_end_goes_on_until_then_when_nobody_takes_its_place(hand_over: Any) -> None:
    """Its clients would hear nothing any more, for as long as `--close-spread` takes."""
    leaving = await hand_over("leave", stops=True)
    assert leaving.rooms.calls == ["leave", "go_on"]


async def test_main_hears_of_all_figures_unasked_now_and_then(spawn: Any, redis_server: RedisServer) -> None:
    """What one that dies had counted is known then, though nobody ever looked."""
    child = await spawn()
    child.send_start(Settings(redis=(redis_server.url,)))
    told = 0
    async with asyncio.timeout(HANG):
        while told < 2:
            message = await child.pipe.receive()
            assert message is not None
            told += message["kind"] == "figures"
            assert not message.get("is_answer")
