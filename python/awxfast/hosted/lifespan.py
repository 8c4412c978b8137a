"""The lifespan protocol: an application may set itself up and clean up. One that can't is served all the same."""

import asyncio
import logging
from typing import Any

from asgiref.typing import ASGI3Application

from awxfast.errors import StartError
from awxfast.hosted.scope import VERSIONS

log = logging.getLogger(__name__)

SLOW_SECONDS = 5.0
"""An application that has not answered by then is named in the log."""


class Lifespan:
    """The life of one application. `state` is what it wants to find in every scope."""

    def __init__(self, application: ASGI3Application) -> None:
        self._application = application
        self._messages: asyncio.Queue[dict[str, Any]] = asyncio.Queue()
        self._started: asyncio.Future[str | None] | None = None
        self._task: asyncio.Task[None] | None = None
        self.state: dict[str, Any] = {}

    async def start(self) -> None:
        """Returns when the application is ready, or has shown that it does not speak this protocol.

        Raises `StartError` when it says that it can't start, or ends the process instead.
        """
        loop = asyncio.get_running_loop()
        self._started = loop.create_future()
        self._messages.put_nowait({"type": "lifespan.startup"})
        self._task = loop.create_task(self._run())
        slow = loop.call_later(SLOW_SECONDS, self._say_slow)
        try:
            failure = await self._started
        finally:
            slow.cancel()
        if failure is not None:
            raise StartError(f"the application can't start: {failure or 'it does not say why'}")

    async def stop(self, seconds: float) -> None:
        """Tells the application, and waits so long for its answer; one that never started has none to give."""
        if self._task is None:
            return
        if self._has_answered and not self._task.done():
            self._messages.put_nowait({"type": "lifespan.shutdown"})
            await asyncio.wait([self._task], timeout=seconds)
        self._task.cancel()

    async def _run(self) -> None:
        scope: Any = {"type": "lifespan", "asgi": dict(VERSIONS), "state": self.state}
        try:
            await self._application(scope, self._messages.get, self._send)  # type: ignore[arg-type]
        except asyncio.CancelledError:
            raise
        except BaseException as error:
            self._explain_end(error)
        finally:
            self._settle(None)

    def _explain_end(self, error: BaseException) -> None:
        """An exception is the answer of an application without lifespan; SystemExit is no answer but an end."""
        reason = " ".join(f"{type(error).__name__}: {error}".split())
        if self._has_answered:
            log.error("The application's lifespan ended with %s", reason, exc_info=error)
        elif isinstance(error, Exception):
            log.debug("the application does not speak lifespan, or failed in it: %r", error)
        else:
            self._settle(f"its lifespan ended with {reason}")

    async def _send(self, message: dict[str, Any]) -> None:
        reason = " ".join(str(message.get("message", "")).split())
        match message["type"]:
            case "lifespan.startup.complete":
                self._settle(None)
            case "lifespan.startup.failed":
                self._settle(reason)
            case "lifespan.shutdown.complete":
                pass  # its task ends now
            case "lifespan.shutdown.failed":
                log.error("The application says that its shutdown failed: %s", reason or "it does not say why")
            case other:
                raise ValueError(f"lifespan has no messages of type {other!r}")

    @property
    def _has_answered(self) -> bool:
        return self._started is not None and self._started.done() and not self._started.cancelled()

    def _settle(self, failure: str | None) -> None:
        if self._started is not None and not self._started.done():
            self._started.set_result(failure)

    def _say_slow(self) -> None:
        log.warning("The application has not answered lifespan.startup for %.0f s; nobody is served", SLOW_SECONDS)
