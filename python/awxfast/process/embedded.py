"""A server in somebody else's process, without main and child: Django's `runserver`, test suites."""

import asyncio
import contextlib
import os
import signal
import threading
from collections.abc import Callable

import uvloop
from asgiref.typing import ASGI3Application

from awxfast.app.relay import Relay
from awxfast.app.serving import serve
from awxfast.figures import Figures, Place
from awxfast.http.access_log import AccessLog
from awxfast.http.listening import make_listening
from awxfast.operate.admin import AdminListener
from awxfast.operate.view import OwnSource
from awxfast.process.addresses import list_endpoints
from awxfast.process.limits import bound_worker_threads
from awxfast.process.listeners import open_admin, open_listener
from awxfast.process.main_resources import enter_listener
from awxfast.settings import Settings

STOP_MARGIN = 5.0
"""Seconds that `stop` waits beyond those that requests and the application may take."""


class EmbeddedServer:
    """Listens from the beginning, and serves in the thread that calls `run`.

    Raises `AwxfastError` for what keeps it from listening.
    """

    def __init__(self, settings: Settings) -> None:
        self._settings = settings
        with contextlib.ExitStack() as resources:
            endpoints = list_endpoints(settings)
            self._listeners = [enter_listener(resources, open_listener(endpoint)) for endpoint in endpoints]
            self._admin = open_admin(settings.admin)
            if self._admin is not None:
                enter_listener(resources, self._admin)
            self._resources = resources.pop_all()
        self._on_serving: Callable[[], None] = lambda: None
        self.remember_used: Callable[[str], None] = lambda header: None
        self._loop: asyncio.AbstractEventLoop | None = None
        self._showing: asyncio.Future[AdminListener] | None = None
        self._stop_asked = asyncio.Event()
        self._ended = threading.Event()

    @property
    def port(self) -> int:
        """The port of the first listener, which must be one of TCP."""
        return int(self._listeners[0].sock.getsockname()[1])

    def run(
        self,
        application: ASGI3Application,
        access_log: AccessLog | None = None,
        on_serving: Callable[[], None] | None = None,
    ) -> None:
        """Serves until `stop`; in a main thread until TERM or an interrupt, too. Raises `AwxfastError`."""
        self._on_serving = on_serving or self._on_serving
        try:
            with asyncio.Runner(loop_factory=uvloop.new_event_loop) as runner:
                runner.run(self._serve(application, access_log))
        finally:
            self._resources.close()
            self._ended.set()

    async def _serve(self, application: ASGI3Application, access_log: AccessLog | None) -> None:
        self._loop = asyncio.get_running_loop()
        bound_worker_threads(self._loop, os.environ)
        if threading.current_thread() is threading.main_thread():
            self._loop.add_signal_handler(signal.SIGTERM, self._stop_asked.set)
        listenings = [make_listening(one.sock, one.backlog, one.tls_files) for one in self._listeners]
        try:
            await serve(self._settings, listenings, self, application, access_log)
        finally:
            if self._showing is not None:
                await (await self._showing).stop()

    def stop(self) -> None:
        """Ends `run` in order, from another thread, and returns when that is over, or late."""
        if self._loop is None:
            self._resources.close()
        elif not self._ended.is_set():
            self._loop.call_soon_threadsafe(self._stop_asked.set)
            settings = self._settings
            self._ended.wait(settings.grace + settings.application_close_timeout + STOP_MARGIN)

    # What serves asks of its process (app.serving.Control)

    died: int | None = None
    token: str | None = None
    fellows = None
    used_headers: tuple[str, ...] = ()

    def report_used_header(self, header: str) -> None:
        """No process comes after this one."""

    def show(self, figures: Figures, *, inherited: bool = False) -> None:
        """Operators first, so that they can watch."""
        if self._admin is not None:
            source = OwnSource(figures, Place(os.getpid()))
            self._showing = asyncio.ensure_future(AdminListener.start(source, self._admin.sock))

    def report_serving(self, relay: Relay) -> None:
        """There is nobody who would ask for files to be read again."""
        self._on_serving()

    async def wait_for_stop(self) -> None:
        """Returns when the end is asked for."""
        await self._stop_asked.wait()
