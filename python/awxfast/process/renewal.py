"""The main process becomes the new version: another program in its place (execve(2)), under the same number.

What it remembers it leaves to itself in a memory file; listening sockets, pipes and children stay its own. A trial
start says beforehand whether what is installed now can go on with that: whoever can't is never begun.
"""

import asyncio
import contextlib
import dataclasses
import json
import os
import socket
import subprocess
import sys
from collections.abc import Callable, Mapping, MutableMapping, Sequence
from typing import Any, NoReturn

from awxfast.errors import HandOverFailed, StartError
from awxfast.process.child_handle import MAINS_SIGNALS, start_deaf
from awxfast.process.pipe import Pipe, receive_blocking
from awxfast.system.child_process import ChildProcess
from awxfast.system.offspring import IGNORED, dying_with_us
from awxfast.system.queued_stream import drain_streams

FORMAT = 3
"""The version of what main leaves to itself, and of what it says to serving processes. Others are not understood."""

LEFT = "AWXFAST_LEFT_BY_MAIN"
"""The variable with the memory file's number."""
TRIAL = "AWXFAST_TRIAL_START"
"""The variable with the number of the pipe to whoever tries this start."""

TRIAL_LIMIT = 60.0
"""Seconds that a trial start may take."""
LAST_WORDS = 4096
"""Bytes of what it has written last that are kept."""
LAST_WORDS_SECONDS = 10.0
"""How long the end of what it wrote is waited for: others may hold the same stream."""


def own_program() -> list[str]:
    """The command line of this process, with the interpreter by its whole path."""
    return [sys.executable, *sys.orig_argv[1:]]


@dataclasses.dataclass(slots=True)
class Left:
    """What main leaves to its next program: facts as JSON has them, and the descriptors named there."""

    facts: dict[str, Any]
    kept: Sequence[int] = ()


def take_left(environ: MutableMapping[str, str]) -> Left | None:
    """What this process's former program has left; None where there was none. Raises `StartError`."""
    number = environ.pop(LEFT, None)
    if number is None:
        return None
    try:
        with os.fdopen(int(number), "rb") as memory:
            memory.seek(0)
            record = json.load(memory)
        understood = (record["format"], record["pid"]) == (FORMAT, os.getpid())
        left = Left(record["facts"], record["kept"])
    except (OSError, ValueError, KeyError, TypeError):
        understood = False
    if not understood:
        raise StartError(f"{LEFT} is set, and not by this process's former program; unset it")
    for descriptor in left.kept:
        os.set_inheritable(descriptor, False)
    return left


def become_new(left: Left, environ: Mapping[str, str]) -> NoReturn:
    """Runs what is installed now in this process's place. Raises `OSError`: nothing has changed then."""
    memory = os.memfd_create("awxfast-main")
    try:
        record = {"format": FORMAT, "pid": os.getpid(), "facts": left.facts, "kept": left.kept}
        with os.fdopen(memory, "wb", closefd=False) as file:
            file.write(json.dumps(record).encode())
        for descriptor in (memory, *left.kept):
            os.set_inheritable(descriptor, True)
        drain_streams()
        os.execve(sys.executable, own_program(), {**environ, LEFT: str(memory)})
    finally:
        for descriptor in left.kept:
            os.set_inheritable(descriptor, False)
        os.close(memory)


# The trial start


async def try_start(redis: str | None, stopping: asyncio.Event) -> str:
    """The settings as what is installed now reads them from the same command line. Raises `HandOverFailed`.

    `redis`: the URL of the private one, if there is one.
    """
    trial = await Trial.start()
    try:
        trial.ask(redis)
        answer = await trial.wait_for_answer(stopping)
        if answer is None:
            raise HandOverFailed(f"the new main process can't start: {await trial.read_last_words()}")
        return str(answer["settings"])
    finally:
        await trial.end()


class Trial:
    """This program started once more, as it is installed now: it answers what it would do, and ends."""

    def __init__(
        self, process: ChildProcess, pipe: Pipe, reader: asyncio.StreamReader, writer: asyncio.StreamWriter
    ) -> None:
        self._process = process
        self._pipe = pipe
        self._writer = writer
        self._reading = asyncio.ensure_future(read_tail(reader))

    @classmethod
    async def start(cls) -> "Trial":
        """Starts it, and reads what it writes. Raises `HandOverFailed`."""
        ours, theirs = socket.socketpair()
        heard, said = socket.socketpair()
        with theirs, said:
            async with contextlib.AsyncExitStack() as given_up:
                given_up.callback(ours.close)
                given_up.callback(heard.close)
                try:
                    process = start_program(theirs, said)
                    given_up.push_async_callback(process.end)
                    pipe = await Pipe.open(ours)
                    reader, writer = await asyncio.open_connection(sock=heard)
                except OSError as error:
                    raise HandOverFailed(f"no new process can be started: {error.strerror}") from error
                given_up.pop_all()
        return cls(process, pipe, reader, writer)

    def ask(self, redis: str | None) -> None:
        """Tells it what it would go on with."""
        self._pipe.send("trial", format=FORMAT, redis=redis)

    async def wait_for_answer(self, stopping: asyncio.Event) -> dict[str, Any] | None:
        """None: it has ended without one. Raises `HandOverFailed`."""
        waits = [asyncio.ensure_future(self._pipe.receive()), asyncio.ensure_future(stopping.wait())]
        await asyncio.wait(waits, timeout=TRIAL_LIMIT, return_when=asyncio.FIRST_COMPLETED)
        answer, stops = waits
        for wait in waits:
            wait.cancel()
        if stops.done() and not stops.cancelled():
            raise HandOverFailed("it stops")
        if answer.cancelled() or not answer.done():
            raise HandOverFailed(f"the new main process has not started within {TRIAL_LIMIT:g} s")
        found: Any = answer.result()
        return found  # type: ignore[no-any-return]

    async def read_last_words(self) -> str:
        """The last line that it has written: why it has ended."""
        await asyncio.wait([self._reading], timeout=LAST_WORDS_SECONDS)
        said = self._reading.result() if self._reading.done() else b""
        lines = [line.strip() for line in said.decode("utf-8", "replace").splitlines() if line.strip()]
        return (
            lines[-1].removeprefix("awxfast: ").removeprefix("awxfast-broadcast: ")
            if lines
            else "it ended without a word"
        )

    async def end(self) -> None:
        """Leaves nothing of it behind."""
        self._process.kill()
        self._reading.cancel()
        self._writer.close()
        await self._pipe.close()
        await self._process.wait_for_end()


def start_program(pipe: socket.socket, output: socket.socket) -> ChildProcess:
    """This one's, as it is installed now, with a pipe to who tries it. Raises `OSError`.

    What is sent to all of us, to reopen logs say, is not meant for it, and would end it.
    """
    ignored = " ".join(str(int(number)) for number in MAINS_SIGNALS)
    return start_deaf(
        dying_with_us(own_program()),
        pass_fds=[pipe.fileno()],
        env={**os.environ, TRIAL: str(pipe.fileno()), IGNORED: ignored},
        stdin=subprocess.DEVNULL,
        stdout=output,
        stderr=output,
    )


async def read_tail(reader: asyncio.StreamReader) -> bytes:
    """The last that comes, at the end of a stream."""
    tail = b""
    with contextlib.suppress(OSError):
        while piece := await reader.read(LAST_WORDS):
            tail = (tail + piece)[-LAST_WORDS:]
    return tail


def answer_trial(environ: MutableMapping[str, str], read_settings: Callable[[str | None], str]) -> bool:
    """Whether this is a trial start, which is over then. Raises `AwxfastError` for what would keep it from going on.

    `read_settings`: gives them as JSON, with the private Redis that there is, and raises for what is wrong in them.
    """
    number = environ.pop(TRIAL, None)
    if number is None:
        return False
    try:
        pipe = socket.socket(fileno=int(number))
    except (OSError, OverflowError, ValueError):
        raise StartError(f"{TRIAL} is set, and not by a main process that reloads; unset it") from None
    with pipe as sock:
        asked = receive_blocking(sock) or {}
        if asked.get("format") != FORMAT:
            raise StartError(f"it goes on with format {FORMAT}, not {asked.get('format')}; restart instead")
        settings = read_settings(asked["redis"])
        sock.sendall(json.dumps({"kind": "understood", "settings": settings}).encode() + b"\n")
    return True
