"""One serving process as main sees it: what it is told, what it reports, and its end."""

import asyncio
import contextlib
import logging
import os
import signal
import socket
import time
from collections.abc import Callable, Mapping, Sequence
from typing import Any

from awxfast.errors import ApplicationNeedsRedis, AwxfastError, ConfigurationError, StartError
from awxfast.intake.gaps import most_events_in
from awxfast.process.pipe import Pipe, open_ended
from awxfast.system.child_process import ChildProcess
from awxfast.system.passing import send_message

log = logging.getLogger(__name__)

MAINS_SIGNALS = (signal.SIGTERM, signal.SIGINT, signal.SIGHUP, signal.SIGUSR1, signal.SIGUSR2)
"""What supervisord's `stopasgroup` and Ctrl-C send to the child too; only main's word counts there."""

FAILURES: Mapping[int, type[AwxfastError]] = {
    kind.exit_code: kind for kind in (ConfigurationError, StartError, ApplicationNeedsRedis)
}
"""What a child reports, by its exit code."""

LOOK_SECONDS = 0.5
"""How often it is looked whether it has ended without the end of its pipe."""
UNHEARD_LIMIT = 10.0
"""Seconds that one has to end which has closed its pipe, or says what nobody understands."""


class ChildHandle:
    """A child that was started. `run` must be called once; plain attributes tell what it has reported."""

    def __init__(self, process: ChildProcess, pipe: Pipe, passing: socket.socket) -> None:
        self._process = process
        self._pipe = pipe
        self._passing = passing
        self._changed = asyncio.Event()
        self.serves = False
        self.is_ready: list[int] | None = None
        """The hand-over format of one that waits for what another leaves."""
        self.stays: str | None = None
        """Why one goes on that was asked to hand over."""
        self.has_left = False
        """Whether one that was asked has handed over, and waits for a word whether it is to drain."""
        self.can_go_on = True
        """Whether it could all the same, should the other one have ended: its websockets are its own still."""
        self.succeeded: dict[str, Any] | None = None
        """What one reports that has taken another's place."""
        self.failure: AwxfastError | None = None
        self.answered = False
        self.is_late = False
        """Whether somebody has waited for an answer in vain, and it has given none since."""
        self.was_killed = False
        self.stands: tuple[int, float] | None = None
        """How many frames waited there for clients when it last said so, and when that was (monotonic)."""
        self.exit_code: int | None = None
        self._has_hung_up = False
        """Whether it says nothing any more; it may take a moment until it is gone."""
        self._heir: int | None = None
        """The process that it was last asked to leave all to."""
        self._questions: dict[str, asyncio.Future[dict[str, Any] | None]] = {}
        """Those that have no answer yet, by the kind of that."""

    @classmethod
    async def start(cls, command: Sequence[str], first: Mapping[str, Any], descriptors: Sequence[int]) -> "ChildHandle":
        """Starts one, with the descriptors as it inherits them; `first` is what it is told first. Raises `OSError`."""
        ours, theirs = socket.socketpair()
        passing, passed = socket.socketpair()
        with theirs, passed:
            inherited = (theirs.fileno(), passed.fileno(), *descriptors)
            async with contextlib.AsyncExitStack() as given_up:
                given_up.callback(ours.close)
                given_up.callback(passing.close)
                process = start_deaf([*command, str(os.getpid()), str(theirs.fileno())], pass_fds=inherited)
                given_up.push_async_callback(process.end)
                pipe = await Pipe.open(ours)
                given_up.pop_all()
            pipe.send("start", **first, passing=passed.fileno())
        return cls(process, pipe, passing)

    @property
    def pid(self) -> int:
        """Its number, also when it is gone."""
        return self._process.pid

    async def run(self, on_serving: Callable[[], None], on_report: Callable[[Mapping[str, Any]], None]) -> int:
        """Hears its reports until it is gone; its exit code. `on_report`: gets what is not of this process alone."""
        looking = asyncio.ensure_future(self._look_for_end())
        try:
            await self._hear(on_serving, on_report)
            self._passing.close()
            self.exit_code = await self._wait_for_end()
        finally:
            looking.cancel()
        self._changed.set()
        return self.exit_code

    async def _look_for_end(self) -> None:
        """Its end of the pipe may be open still: processes that it has forked have it, too."""
        await self._process.wait_for_end(LOOK_SECONDS)
        await asyncio.sleep(LOOK_SECONDS)  # what it has said at last is there then
        self._pipe.end()

    async def _wait_for_end(self) -> int:
        """Its exit code. One that can't be heard any more can't be told anything either."""
        try:
            async with asyncio.timeout(UNHEARD_LIMIT):
                await self._pipe.close()
                return await self._process.wait_for_end()
        except TimeoutError:
            self._pipe.end()
            log.warning(
                "A serving process that can't be heard any more has not ended in %g s, and is ended", UNHEARD_LIMIT
            )
            self.kill()
        return await self._process.wait_for_end()

    async def _hear(self, on_serving: Callable[[], None], on_report: Callable[[Mapping[str, Any]], None]) -> None:
        while (message := await self._pipe.receive()) is not None:
            match message["kind"]:
                case "serving":
                    self.serves = True
                    on_serving()
                case "ready":
                    self.is_ready = message["format"]
                case "kept_on" | "left" if message.get("heir", self._heir) != self._heir:
                    pass  # of a hand-over that was given up here before
                case "kept_on":
                    self.stays = message["text"]
                case "left":
                    self.has_left = True
                    self.can_go_on = message.get("can_go_on", True)  # an earlier version has only what drains
                case "succeeded":
                    self.succeeded = message
                    self.serves = True
                case "stands":
                    self.stands = message["frames"], time.monotonic()
                case "pong":
                    self.answered = True
                    self._take_answer(message)
                case "figures":
                    on_report(message)
                    if message["is_answer"]:
                        self._take_answer(message)
                case "imported" | "prepared" | "used_header" | "claim_header":
                    on_report(message)
                case "clients":
                    self._take_answer(message)
                case "failed":
                    self.failure = FAILURES.get(message["exit_code"], StartError)(message["text"])
            self._changed.set()
        self.serves, self._has_hung_up = False, True
        for answer in self._questions.values():
            answer.set_result(None)
        self._questions.clear()

    async def ask(self, question: str, answer: str) -> dict[str, Any] | None:
        """Its answer, of that kind; None from one that is gone. It is not asked again before it has answered."""
        if self._has_hung_up:
            return None
        if answer not in self._questions:
            self._questions[answer] = asyncio.get_running_loop().create_future()
            self.send(question)
        try:
            return await asyncio.shield(self._questions[answer])
        except asyncio.CancelledError:
            self.is_late = True
            raise

    def _take_answer(self, message: dict[str, Any]) -> None:
        self.is_late = False
        if (answer := self._questions.pop(message["kind"], None)) is not None:
            answer.set_result(message)

    async def wait_for(self, condition: Callable[[], bool], seconds: float | None = None) -> None:
        """Returns when it is so, or never will be, since the child is gone. Raises `TimeoutError`."""
        async with asyncio.timeout(seconds):
            while not condition() and self.exit_code is None:
                self._changed.clear()
                await self._changed.wait()

    def look_again(self) -> None:
        """What `wait_for` asks about may have changed."""
        self._changed.set()

    def count_lost(self) -> int:
        """How many events were lost with it at most: frames that waited, and what came since it told of them."""
        if self.stands is None:
            return 0
        frames, told_at = self.stands
        return frames + most_events_in(time.monotonic() - told_at)

    def send(self, kind: str, **fields: Any) -> None:
        """Tells it something; nothing to one that is gone."""
        self._pipe.send(kind, **fields)

    def hand_over(self, heir: "ChildHandle", sock: socket.socket) -> None:
        """Asks it to leave all to another one, at the other end of `sock`."""
        self.stays, self.has_left, self._heir = None, False, heir.pid
        send_message(self._passing, b"heir", [sock.fileno()])
        self.send("hand_over", heir=heir.pid, format=heir.is_ready)

    def kill(self) -> None:
        """Ends it at once."""
        self.was_killed = True
        self._process.kill()

    # From one program of main to the next

    async def flush(self) -> None:
        """Returns when it has been told all; for one that is gone at once."""
        with contextlib.suppress(OSError):
            await self._pipe.flush()

    async def freeze(self, kept: list[int]) -> dict[str, Any]:
        """What `adopt` needs, as JSON has it; `kept` gets the descriptors. Its `run` was cancelled."""
        pipe, unreceived = await self._pipe.leave()
        passing = os.dup(self._passing.fileno()) if self._passing.fileno() >= 0 else open_ended()
        self._passing.close()
        kept += [pipe, passing]
        return {
            "pid": self.pid,
            "pipe": pipe,
            "unreceived": unreceived,
            "passing": passing,
            "serves": self.serves,
            "stands": self.stands,
        }

    @classmethod
    async def adopt(cls, frozen: Mapping[str, Any]) -> "ChildHandle":
        """One that main's former program has started."""
        pipe = await Pipe.open(socket.socket(fileno=frozen["pipe"]), frozen["unreceived"])
        child = cls(ChildProcess(frozen["pid"]), pipe, socket.socket(fileno=frozen["passing"]))
        child.serves, child.stands = frozen["serves"], frozen["stands"]
        return child


def start_deaf(command: Sequence[str], **popen: Any) -> ChildProcess:
    """Not by the loop: it would give the child signals back before there is anybody to ignore them."""
    former = signal.pthread_sigmask(signal.SIG_BLOCK, MAINS_SIGNALS)
    try:
        return ChildProcess.start(command, **popen)
    finally:
        signal.pthread_sigmask(signal.SIG_SETMASK, former)
