"""Real processes in the serving process's place, and a supervisor of them."""

import asyncio
import sys
import textwrap
from collections.abc import Callable

import pytest
from awxfast.process import supervisor
from awxfast.process.places import Surroundings
from awxfast.process.supervisor import Supervisor
from awxfast.process.used_headers import UsedHeaders
from awxfast.process.workers import Workers

PREAMBLE = """
import json, os, signal, socket, sys, time
sock = socket.socket(fileno=int(sys.argv[2]))
lines = sock.makefile("rwb", buffering=0)
def send(**message): lines.write(json.dumps(message).encode() + b"\\n")
def receive(): return json.loads(lines.readline())
start = receive()
"""
SERVES = """
send(kind="serving")
while True:
    message = receive()
    if message["kind"] == "ping": send(kind="pong")
    if message["kind"] == "stop": sys.exit(0)
"""
HEIR = """
if "inherits" in start:
    assert start["settings"] == "{}"
    send(kind="ready", format=[7])
    socket.socket(fileno=start["inherits"]).recv(1)
    send(kind="succeeded", kept=3, drained=0, silence=0.25)
send(kind="serving")
while True:
    message = receive()
    if message["kind"] == "hand_over":
        socket.recv_fds(socket.socket(fileno=start["passing"]), 100, 1)[1] and sys.exit(0)
    if message["kind"] == "ping": send(kind="pong")
    if message["kind"] == "stop": sys.exit(0)
"""
LOOKED_AT = """
counted = 0
def show(inherited=False, is_answer=False):
    frames = {"queued": counted, "written": counted, "lost_at_close": 0}
    about = {"version": "1", "uptime": 1.0, "addresses": [], "redis": None}
    process = dict(virtual_memory=1, resident_memory=1, started=1.0, cpu_seconds=1.0, descriptors=1, limits={},
        busy_threads=0)
    present = dict(pending=0, clients=0, groups=0, queued_bytes=0, reply_bytes=0, age_bounds=[], intake=None,
        unserved=None, max_clients=None, plain=None, peers=[], unready=[], about=about, process=process)
    send(kind="figures", counted={"events": {"in": counted, "routed": counted}, "frames": frames}, own={},
        present=present, inherited=inherited, has_left=False, is_answer=is_answer)
def answer(message):
    global counted
    if message["kind"] == "ping": send(kind="pong")
    if message["kind"] == "look_at_clients": send(kind="clients", rows=[{"client": 1, "frames": 5}])
    if message["kind"] == "stop": sys.exit(0)
    if message["kind"] == "look":
        counted += 1
        show(is_answer=True)
"""
"""What a program begins with that shows figures: one event more each time that somebody looks."""


async def wait_until(condition: Callable[[], bool]) -> None:
    """Fails after half a minute."""
    for _ in range(3000):
        if condition():
            return
        await asyncio.sleep(0.01)
    pytest.fail("it did not happen")


async def read_settings() -> str:
    """What a trial start would say."""
    return "{}"


class Watched:
    """Stand-ins in so many places, and what their owner was called back with."""

    def __init__(
        self,
        monkeypatch: pytest.MonkeyPatch,
        program: str,
        stop_limit: float = 30.0,
        drain_limit: float = 30.0,
        count: int = 1,
    ) -> None:
        monkeypatch.setattr(supervisor, "CHILD_COMMAND", (sys.executable, "-c", PREAMBLE + textwrap.dedent(program)))
        self.serving = asyncio.Queue[int]()
        self.used = UsedHeaders(300)
        surroundings = Surroundings(stop_limit, drain_limit)
        self.workers = Workers({}, [], lambda: self.serving.put_nowait(1), self.used, surroundings, count)
        self.task = asyncio.ensure_future(self.workers.run())

    @property
    def supervisor(self) -> Supervisor:
        """Of the only place."""
        (one,) = self.workers.supervisors
        return one

    async def wait_until_serving(self) -> None:
        await asyncio.wait_for(self.serving.get(), 30)

    async def stop(self) -> None:
        self.workers.stop()
        await asyncio.wait_for(self.task, 30)
