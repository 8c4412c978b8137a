"""The process that was started: owns the listening sockets, the private Redis and the signals, and serves nobody.

It stays the main PID for supervisord and systemd while serving processes come and go (docs/running.md), and when it
becomes another version itself (docs/reload.md).
"""

import asyncio
import contextlib
import dataclasses
import logging
import os
import signal
from collections.abc import Sequence
from typing import Any, Protocol

import uvloop

from awxfast import __version__
from awxfast.errors import HandOverFailed, StopAsked
from awxfast.http.listening import Listening
from awxfast.operate.admin import AdminListener
from awxfast.options import name_ignored_variables
from awxfast.process.addresses import list_endpoints
from awxfast.process.listeners import Listener
from awxfast.process.log import configure_log
from awxfast.process.main_resources import Limits, MainResources
from awxfast.process.notify import Notifier
from awxfast.process.overview import Overview
from awxfast.process.places import Surroundings
from awxfast.process.redis_watch import keep_running
from awxfast.process.reloads import Reloads
from awxfast.process.renewal import Left, answer_trial, become_new, take_left, try_start
from awxfast.process.used_headers import UsedHeaders
from awxfast.process.watchers import Watchers
from awxfast.process.workers import Workers
from awxfast.process.wrong_values import refuse_wrong_values
from awxfast.redis.private import PrivateRedis
from awxfast.settings import Settings

log = logging.getLogger(__name__)

SIGNALS = (signal.SIGTERM, signal.SIGINT, signal.SIGHUP, signal.SIGUSR2)

CAUGHT_SECONDS = 0.01
"""A turn of the loop, with a look at what signals have brought."""


def run(settings: Settings) -> int:
    """Serves until TERM or INT; returns the exit code. Raises `AwxfastError` for what keeps it from starting."""
    if answer_trial(os.environ, lambda redis: describe_settings(settings, redis)):
        return 0
    left = take_left(os.environ)
    configure_log(settings)
    log.info("awxfast %s", __version__)
    warn_of_ignored_variables()
    refuse_wrong_values(settings)
    hold_signals()
    try:
        resources = (
            MainResources.open(settings) if left is None else MainResources.adopt(settings, left.facts["resources"])
        )
    except StopAsked:
        return 0
    try:
        live(resources, Notifier(os.environ), left)
    finally:
        resources.close()
    return 0


def describe_settings(settings: Settings, redis: str | None) -> str:
    """For a serving process; `redis`: the private one that there is. Raises `ConfigurationError` for wrong ones."""
    refuse_wrong_values(settings)
    list_endpoints(settings)
    if settings.redis == ("private",) and redis:
        settings = dataclasses.replace(settings, redis=(redis,))
    return settings.to_json()


def hold_signals() -> None:
    """They wait until the loop can take them."""
    signal.pthread_sigmask(signal.SIG_BLOCK, SIGNALS)
    signal.signal(signal.SIGUSR1, signal.SIG_IGN)  # some rotate logs by it, and it would end the process


class Owned(Protocol):
    """What a main process has as long as it lives, and how long its serving processes may take to leave."""

    @property
    def listeners(self) -> Sequence[Listener]:
        """Those that serving processes accept on."""

    @property
    def admin(self) -> Listener | None:
        """The admin listener; None: nobody can look."""

    @property
    def private(self) -> PrivateRedis | None:
        """A Redis of its own."""

    @property
    def descriptors(self) -> Sequence[int]:
        """What serving processes inherit."""

    @property
    def limits(self) -> Limits:
        """Seconds for this and that."""

    def describe(self) -> dict[str, Any]:
        """What a serving process is told at its start."""

    def freeze(self, kept: list[int]) -> dict[str, Any]:
        """For main's next program; `kept` gets the descriptors."""


def live(resources: Owned, notifier: Notifier, left: Left | None, command: Sequence[str] | None = None) -> None:
    """Until the end, or until another program is in this one's place, which then does not return."""
    trouble = ""
    while True:
        with asyncio.Runner(loop_factory=uvloop.new_event_loop) as runner:
            left = runner.run(Main(resources, notifier, command).run(left, trouble))
        if left is None:
            return
        if notifier.watchdog_interval is not None:
            notifier.send_watchdog()
        try:
            become_new(left, {**os.environ, **notifier.variables})
        except OSError as error:
            trouble = error.strerror or str(error)


def warn_of_ignored_variables() -> None:
    """A typing error in a variable must not pass for a setting."""
    if ignored := name_ignored_variables(os.environ):
        log.warning("Environment variables that mean nothing: %s", ignored)


class Main:
    """The main process's loop: signals in, the child's reports out."""

    def __init__(self, resources: Owned, notifier: Notifier, command: Sequence[str] | None = None) -> None:
        """`command`: another program than the server's for the serving processes."""
        self._resources = resources
        self._notifier = notifier
        self._admin: AdminListener | None = None
        self._addresses = [Listening(one.sock).address for one in resources.listeners]  # an end closes them
        limits = resources.limits
        self._workers = Workers(
            resources.describe(),
            resources.descriptors,
            self._announce_serving,
            UsedHeaders(limits.nonces),
            Surroundings(limits.stop, limits.stop + limits.drain, command),
            limits.workers,
        )

    async def run(self, left: Left | None, trouble: str) -> Left | None:
        """Until the child has left after a TERM or INT: None. Else what it leaves to its next program.

        `left`: what its former program has left; `trouble`: why that is this one, which could not become another.
        """
        watchers = Watchers.open() if left is None else Watchers.adopt(left.facts["reloads"]["watchers"])
        self._reloads = Reloads(self._workers, self._try_start, watchers)
        if left is not None:
            await self._workers.adopt(left.facts["supervisor"])
            self._reloads.adopt(left.facts["reloads"], trouble)
        await self._open_admin()
        self._take_signals()
        duties = [asyncio.ensure_future(self._feed_watchdog()), asyncio.ensure_future(self._reloads.run())]
        if self._resources.private is not None:
            duties.append(asyncio.ensure_future(keep_running(self._resources.private)))
        try:
            return await self._supervise()
        finally:
            for duty in duties:
                duty.cancel()
            self._reloads.close()
            await self._close_admin()

    async def _supervise(self) -> Left | None:
        supervising = asyncio.ensure_future(self._workers.run())
        while True:
            renewal = asyncio.ensure_future(self._reloads.renewal_due.wait())
            await asyncio.wait([supervising, renewal], return_when=asyncio.FIRST_COMPLETED)
            renewal.cancel()
            if supervising.done():
                return supervising.result()
            try:
                left = await self._leave()
            except HandOverFailed as error:
                self._reloads.stay(error)
                continue
            supervising.cancel()
            return left

    async def _open_admin(self) -> None:
        """Who looks is answered from now on, whoever serves; clients are served all the same if that is impossible."""
        listener = self._resources.admin
        if listener is None or self._workers.stopping.is_set():
            return
        try:
            with contextlib.ExitStack() as given_up:
                sock = given_up.enter_context(listener.sock.dup())
                self._admin = await AdminListener.start(Overview(self._workers, self._addresses), sock)
                given_up.pop_all()
        except OSError as error:
            log.error("The admin listener answers nobody: %s", error.strerror or error)  # noqa: TRY400  clients go on

    async def _close_admin(self) -> None:
        """Who connects waits in the kernel, for another program in this process if there is to be one."""
        admin, self._admin = self._admin, None
        if admin is not None:
            await admin.finish()

    async def _leave(self) -> Left:
        """All that the next program needs; signals wait for it. Raises `HandOverFailed`: then all goes on here."""
        await self._close_admin()
        signal.pthread_sigmask(signal.SIG_BLOCK, SIGNALS)
        try:
            await asyncio.sleep(CAUGHT_SECONDS)  # what was caught before is obeyed before
            kept: list[int] = []
            supervisor = await self._workers.freeze(kept)
        except HandOverFailed:
            try:
                await self._open_admin()
            finally:
                signal.pthread_sigmask(signal.SIG_UNBLOCK, SIGNALS)
            raise
        facts = {"supervisor": supervisor, "reloads": self._reloads.freeze(kept)}
        return Left({**facts, "resources": self._resources.freeze(kept)}, kept)

    async def _try_start(self) -> str:
        private = self._resources.private
        return await try_start(private.url if private is not None else None, self._workers.stopping)

    def _take_signals(self) -> None:
        loop = asyncio.get_running_loop()
        handlers = (self._stop, self._stop, self._reload_files, self._reloads.ask)
        for number, handler in zip(SIGNALS, handlers, strict=True):
            loop.add_signal_handler(number, handler)
        signal.pthread_sigmask(signal.SIG_UNBLOCK, SIGNALS)

    def _announce_serving(self) -> None:
        for listener in self._resources.listeners:
            log.info("%s", listener.serving_line)
        if self._admin is not None and self._resources.admin is not None:
            log.info("%s", self._resources.admin.serving_line.replace("Listening", "Admin listener", 1))
        self._notifier.send_ready()

    def _stop(self) -> None:
        self._notifier.send_stopping()
        for listener in self._resources.listeners:
            listener.close()
        self._workers.stop()

    def _reload_files(self) -> None:
        log.info("Reading files again and reopening logs")
        self._workers.reload_files()

    async def _feed_watchdog(self) -> None:
        interval = self._notifier.watchdog_interval
        while interval is not None:
            self._workers.send_ping()
            await asyncio.sleep(interval)
            if self._workers.take_answer():
                self._notifier.send_watchdog()
