"""A server in somebody else's process, without main and child: Django's `runserver`, test suites."""

import asyncio
import signal
import threading
from collections.abc import Callable

import uvloop
from asgiref.typing import ASGI3Application

from awxfast.app import serve
from awxfast.process.endpoints import list_endpoints
from awxfast.process.listeners import open_listener
from awxfast.sessions.access_log import AccessLog
from awxfast.sessions.listening import Listening
from awxfast.settings import Settings

STOP_MARGIN = 5.0
"""Seconds that `stop` waits beyond the grace."""


class EmbeddedServer:
    """Listens from the beginning, and serves in the thread that calls `run`.

    Raises `AwxfastError` for what keeps it from listening.
    """

    def __init__(self, settings: Settings) -> None:
        self._settings = settings
        self._listeners = [open_listener(endpoint) for endpoint in list_endpoints(settings)]
        self._loop: asyncio.AbstractEventLoop | None = None
        self._stop_asked = asyncio.Event()
        self._ended = threading.Event()

    @property
    def port(self) -> int:
        """Of the first listener, which must be one of TCP."""
        return int(self._listeners[0].sock.getsockname()[1])

    def run(
        self,
        application: ASGI3Application,
        access_log: AccessLog | None = None,
        on_serving: Callable[[], None] = lambda: None,
    ) -> None:
        """Serves until `stop`; in a main thread until TERM or an interrupt, too. Raises `AwxfastError`."""
        self._on_serving = on_serving
        try:
            with asyncio.Runner(loop_factory=uvloop.new_event_loop) as runner:
                runner.run(self._serve(application, access_log))
        finally:
            self._close_listeners()
            self._ended.set()

    async def _serve(self, application: ASGI3Application, access_log: AccessLog | None) -> None:
        self._loop = asyncio.get_running_loop()
        if threading.current_thread() is threading.main_thread():
            self._loop.add_signal_handler(signal.SIGTERM, self._stop_asked.set)
        listenings = [Listening(listener.sock, listener.backlog) for listener in self._listeners]
        await serve(self._settings, listenings, None, self, application, access_log)

    def stop(self) -> None:
        """Ends `run` in order, from another thread, and returns when that is over, or late."""
        if self._loop is None:
            self._close_listeners()
        elif not self._ended.is_set():
            self._loop.call_soon_threadsafe(self._stop_asked.set)
            self._ended.wait(self._settings.grace + STOP_MARGIN)

    def _close_listeners(self) -> None:
        for listener in self._listeners:
            listener.close()

    # What serves asks of its process (app.Control)

    def report_serving(self, reload_files: Callable[[], None]) -> None:
        """There is nobody who would ask for files to be read again."""
        self._on_serving()

    async def wait_for_stop(self) -> None:
        """Returns when the end is asked for."""
        await self._stop_asked.wait()
