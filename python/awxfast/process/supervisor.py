"""The serving process's life, seen from main: start, what it reports, restart after a death, stop."""

import asyncio
import contextlib
import logging
import os
import signal
import socket
import subprocess
import time
from collections.abc import Callable, Mapping, Sequence
from typing import Any

from awxfast.errors import ApplicationNeedsRedis, AwxfastError, ConfigurationError, StartError
from awxfast.pauses import Pauses
from awxfast.process.pipe import Channel
from awxfast.process.used_headers import UsedHeaders
from awxfast.system.offspring import own_command

logger = logging.getLogger(__name__)

CHILD_COMMAND = tuple(own_command("awxfast.process"))
MAINS_SIGNALS = (signal.SIGTERM, signal.SIGINT, signal.SIGHUP, signal.SIGUSR1, signal.SIGUSR2)
"""What supervisord's `stopasgroup` and Ctrl-C send to the child too; only main's word counts there."""
FIRST_PAUSE = 0.1
LONGEST_PAUSE = 5.0
LONGEST_WAIT_FOR_REDIS = 1.0
HEALTHY_AFTER = 10.0
"""A child that lived so many seconds is no part of a series of failures."""
START_STOP_LIMIT = 0.8
"""Seconds that a child gets to leave which serves nobody yet: its import may hang, and nothing is lost with it."""

FAILURES: Mapping[int, type[AwxfastError]] = {
    kind.exit_code: kind for kind in (ConfigurationError, StartError, ApplicationNeedsRedis)
}
"""What a child reports, by its exit code."""


class Supervisor:
    """Keeps one serving process alive until it is told to stop.

    `start` is what a child gets first; `descriptors` are the numbers that it inherits; `on_serving` is called each
    time one serves.
    """

    def __init__(
        self,
        start: Mapping[str, Any],
        descriptors: Sequence[int],
        on_serving: Callable[[], None],
        stop_limit: float,
        used_headers: UsedHeaders,
    ) -> None:
        self._start = start
        self._descriptors = tuple(descriptors)
        self._on_serving = on_serving
        self._stop_limit = stop_limit
        self._used_headers = used_headers
        self._stopping = asyncio.Event()
        self._process: subprocess.Popen[bytes] | None = None
        self._channel: Channel | None = None
        self._served_once = False
        self._serves = False
        self._answered = False
        self._failure: AwxfastError | None = None
        self._said = ""

    async def run(self) -> None:
        """Returns after `stop`. Raises what the first child reports if it can't start at all."""
        pauses = Pauses(FIRST_PAUSE, LONGEST_PAUSE)
        while not self._stopping.is_set():
            began = time.monotonic()
            exit_code = await self._run_child()
            if self._stopping.is_set():
                break
            waits_for_redis = isinstance(self._failure, ApplicationNeedsRedis)
            if self._failure is not None and not self._served_once and not waits_for_redis:
                raise self._failure
            if time.monotonic() - began >= HEALTHY_AFTER:
                pauses.begin_again()
            pause = pauses.take()
            if waits_for_redis:
                pause = min(pause, LONGEST_WAIT_FOR_REDIS)
            self._say_what_happened(exit_code, pause)
            with contextlib.suppress(TimeoutError):
                await asyncio.wait_for(self._stopping.wait(), pause)

    def _say_what_happened(self, exit_code: int, pause: float) -> None:
        """While Redis is away the same is not said again and again."""
        if not isinstance(self._failure, ApplicationNeedsRedis):
            reason = self._failure or f"exit code {exit_code}"
            logger.error("The serving process ended unasked (%s); another one starts in %.1f s", reason, pause)
        elif str(self._failure) != self._said:
            logger.warning("%s; trying again until it does", self._failure)
        self._said = str(self._failure)

    def stop(self) -> None:
        """Asks the child to flush and leave; a second call, or one that outlasts the limit, ends it at once."""
        if self._stopping.is_set():
            self._kill()
            return
        self._stopping.set()
        self._send("stop")
        self._limit_stop(self._stop_limit if self._serves else START_STOP_LIMIT)

    def _limit_stop(self, seconds: float) -> None:
        asyncio.get_running_loop().call_later(seconds, self._end_late_child, seconds, self._serves)

    def reload_files(self) -> None:
        """Asks the child to read its files again and to reopen its logs."""
        self._send("reload_files")

    def send_ping(self) -> None:
        """Asks the child whether its loop runs."""
        self._send("ping")

    def take_answer(self) -> bool:
        """Whether the child answered since the last call."""
        answered, self._answered = self._answered, False
        return answered

    def _send(self, kind: str) -> None:
        if self._channel is not None:
            self._channel.send(kind)

    def _end_late_child(self, seconds: float, served: bool) -> None:
        if self._serves and not served:  # it began to serve when it was asked to stop
            self._limit_stop(self._stop_limit)
            return
        logger.warning("The serving process did not leave within %.1f s and is ended", seconds)
        self._kill()

    def _kill(self) -> None:
        if self._process is not None:
            self._process.kill()

    async def _run_child(self) -> int:
        self._failure = None
        self._serves = False
        ours, theirs = socket.socketpair()
        with theirs:
            self._process = process = start_child(theirs.fileno(), self._descriptors)
        self._channel = await Channel.open(ours)
        self._channel.send("start", **self._start, used_headers=self._used_headers.list_fresh())
        if self._stopping.is_set():
            self._channel.send("stop")
        await self._receive_reports(self._channel)
        await self._channel.close()
        self._channel = None
        return await asyncio.to_thread(process.wait)

    async def _receive_reports(self, channel: Channel) -> None:
        while (message := await channel.receive()) is not None:
            match message["kind"]:
                case "serving":
                    self._served_once = self._serves = True
                    if not self._stopping.is_set():
                        self._on_serving()
                case "pong":
                    self._answered = True
                case "used_header":
                    self._used_headers.add(message["header"])
                case "failed":
                    self._failure = FAILURES.get(message["exit_code"], StartError)(message["text"])


def start_child(control: int, descriptors: Sequence[int]) -> subprocess.Popen[bytes]:
    """Not by the loop: it would give the child signals back before there is anybody to ignore them."""
    former = signal.pthread_sigmask(signal.SIG_BLOCK, MAINS_SIGNALS)
    try:
        return subprocess.Popen([*CHILD_COMMAND, str(os.getpid()), str(control)], pass_fds=(control, *descriptors))
    finally:
        signal.pthread_sigmask(signal.SIG_SETMASK, former)
