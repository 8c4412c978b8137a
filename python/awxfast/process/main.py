"""The process that was started: owns the listening sockets, the private Redis and the signals, and serves nobody.

It stays the main PID for supervisord and systemd while serving processes come and go (docs/running.md).
"""

import asyncio
import contextlib
import dataclasses
import logging
import os
import signal
from collections.abc import Sequence

import uvloop

from awxfast import __version__
from awxfast.errors import ConfigurationError, StopAsked
from awxfast.options import name_ignored_variables
from awxfast.process.activation import ActivatedSockets
from awxfast.process.addresses import list_endpoints
from awxfast.process.listeners import Listener, open_admin, open_listener
from awxfast.process.log import configure_log
from awxfast.process.notify import Notifier
from awxfast.process.redis_watch import keep_running
from awxfast.process.reloads import Reloads
from awxfast.process.supervisor import Supervisor
from awxfast.process.used_headers import UsedHeaders
from awxfast.process.wrong_values import refuse_wrong_values
from awxfast.redis.private import PrivateRedis
from awxfast.settings import Settings

log = logging.getLogger(__name__)

SIGNALS = (signal.SIGTERM, signal.SIGINT, signal.SIGHUP, signal.SIGUSR2)

STOP_MARGIN = 5.0
"""Seconds that a child gets beyond grace and spread: to take its names out of Redis, and to leave."""


def run(settings: Settings) -> int:
    """Serves until TERM or INT; returns the exit code. Raises `AwxfastError` for what keeps it from starting."""
    configure_log(settings)
    log.info("awxfast %s", __version__)
    warn_of_ignored_variables()
    refuse_wrong_values(settings)
    endpoints = list_endpoints(settings)
    signal.pthread_sigmask(signal.SIG_BLOCK, SIGNALS)  # they wait until the loop can take them
    signal.signal(signal.SIGUSR1, signal.SIG_IGN)  # some rotate logs by it, and it would end the process
    with contextlib.ExitStack() as resources:
        activated = ActivatedSockets(os.environ)
        listeners = [enter_listener(resources, open_listener(endpoint, activated)) for endpoint in endpoints]
        refuse_open_to_strangers(settings, listeners)
        admin = open_admin(settings.admin)
        if admin is not None:
            enter_listener(resources, admin)
        log.info("Starting server at %s", ", ".join(endpoint.description for endpoint in endpoints))
        try:
            settings, private = start_private_redis(resources, settings)
        except StopAsked:
            return 0
        if private is not None:
            log.info("Private Redis at %s", private.url)
        with asyncio.Runner(loop_factory=uvloop.new_event_loop) as runner:
            runner.run(Main(settings, listeners, admin, private).run())
    return 0


def warn_of_ignored_variables() -> None:
    """A typing error in a variable must not pass for a setting."""
    if ignored := name_ignored_variables(os.environ):
        log.warning("Environment variables that mean nothing: %s", ignored)


def enter_listener(resources: contextlib.ExitStack, listener: Listener) -> Listener:
    """Closes the listener with the rest."""
    resources.callback(listener.close)
    return listener


def refuse_open_to_strangers(settings: Settings, listeners: Sequence[Listener]) -> None:
    """`--auth open` lets everybody in, so only programs of this machine may get as far."""
    if settings.auth == "open" and not all(listener.is_local for listener in listeners):
        raise ConfigurationError("--auth open is for loopback addresses and unix sockets; bind to 127.0.0.1")


def start_private_redis(resources: contextlib.ExitStack, settings: Settings) -> tuple[Settings, PrivateRedis | None]:
    """Starts a Redis when none was given; the settings name it from then on."""
    if settings.redis != ("private",):
        return settings, None
    private = PrivateRedis()
    resources.callback(private.stop)
    return dataclasses.replace(settings, redis=(private.url,)), private


class Main:
    """The main process's loop: signals in, the child's reports out."""

    def __init__(
        self,
        settings: Settings,
        listeners: Sequence[Listener],
        admin: Listener | None,
        private: PrivateRedis | None = None,
    ) -> None:
        self._listeners = listeners
        self._admin = admin
        self._private = private
        self._notifier = Notifier(os.environ)
        described = [(listener.sock.fileno(), listener.backlog, listener.tls_files) for listener in listeners]
        admin_socket = admin.sock.fileno() if admin is not None else None
        start = {"settings": settings.to_json(), "listeners": described, "admin": admin_socket}
        descriptors = [number for number, *_ in described] + ([] if admin_socket is None else [admin_socket])
        stop_limit = settings.grace + settings.close_spread + STOP_MARGIN
        used_headers = UsedHeaders(settings.nonce_tolerance)
        drain_limit = settings.reload_drain + stop_limit
        self._supervisor = Supervisor(start, descriptors, self._announce_serving, stop_limit, used_headers, drain_limit)
        self._reloads = Reloads(self._supervisor)

    async def run(self) -> None:
        """Until the child has left after a TERM or INT."""
        self._take_signals()
        duties = [asyncio.ensure_future(self._feed_watchdog()), asyncio.ensure_future(self._reloads.run())]
        if self._private is not None:
            duties.append(asyncio.ensure_future(keep_running(self._private)))
        try:
            await self._supervisor.run()
        finally:
            for duty in duties:
                duty.cancel()

    def _take_signals(self) -> None:
        loop = asyncio.get_running_loop()
        handlers = (self._stop, self._stop, self._reload_files, self._reloads.ask)
        for number, handler in zip(SIGNALS, handlers, strict=True):
            loop.add_signal_handler(number, handler)
        signal.pthread_sigmask(signal.SIG_UNBLOCK, SIGNALS)

    def _announce_serving(self) -> None:
        for listener in self._listeners:
            log.info("%s", listener.serving_line)
        if self._admin is not None:
            log.info("%s", self._admin.serving_line.replace("Listening", "Admin listener", 1))
        self._notifier.send_ready()

    def _stop(self) -> None:
        self._notifier.send_stopping()
        for listener in self._listeners:
            listener.close()
        self._supervisor.stop()

    def _reload_files(self) -> None:
        log.info("Reading files again and reopening logs")
        self._supervisor.reload_files()

    async def _feed_watchdog(self) -> None:
        interval = self._notifier.watchdog_interval
        while interval is not None:
            self._supervisor.send_ping()
            await asyncio.sleep(interval)
            if self._supervisor.take_answer():
                self._notifier.send_watchdog()
