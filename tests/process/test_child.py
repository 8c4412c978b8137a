"""The serving process by itself, with the test in main's place."""

import asyncio
import json
import os
import resource
import signal
import socket
import subprocess
from collections.abc import AsyncIterator, Callable
from typing import Any

import pytest
from awxfast.process.listeners import read_backlog
from awxfast.process.pipe import LINE_LIMIT, Pipe
from awxfast.process.supervisor import CHILD_COMMAND
from awxfast.settings import Settings
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
