"""The lifespan protocol: an application may set itself up and clean up. One that can't is served all the same."""

import asyncio
import logging
from typing import Any

from asgiref.typing import ASGI3Application

from awxfast.asgi.scope import VERSIONS
from awxfast.errors import StartError

log = logging.getLogger(__name__)


class Lifespan:
    """One application's. `state` is what it wants to find in every scope."""

    def __init__(self, application: ASGI3Application) -> None:
        self._application = application
        self._messages: asyncio.Queue[dict[str, Any]] = asyncio.Queue()
        self._started: asyncio.Future[str | None] | None = None
        self._task: asyncio.Task[None] | None = None
        self.state: dict[str, Any] = {}

    async def start(self) -> None:
        """Returns when the application is ready, or has shown that it does not speak this protocol.

        Raises `StartError` when it says that it can't start.
        """
        loop = asyncio.get_running_loop()
        self._started = loop.create_future()
        self._messages.put_nowait({"type": "lifespan.startup"})
        self._task = loop.create_task(self._run())
        failure = await self._started
        if failure is not None:
            raise StartError(f"the application can't start: {failure or 'it does not say why'}")

    async def stop(self, seconds: float) -> None:
        """Tells the application, and waits so long for its answer."""
        if self._task is None:
            return
        if not self._task.done():
            self._messages.put_nowait({"type": "lifespan.shutdown"})
            await asyncio.wait([self._task], timeout=seconds)
        self._task.cancel()

    async def _run(self) -> None:
        scope: Any = {"type": "lifespan", "asgi": dict(VERSIONS), "state": self.state}
        try:
            await self._application(scope, self._messages.get, self._send)  # type: ignore[arg-type]
        except Exception as error:
            log.debug("the application does not speak lifespan, or failed in it: %r", error)
        finally:
            self._settle(None)

    async def _send(self, message: dict[str, Any]) -> None:
        match message["type"]:
            case "lifespan.startup.complete":
                self._settle(None)
            case "lifespan.startup.failed":
                self._settle(" ".join(message.get("message", "").split()))
            case "lifespan.shutdown.complete" | "lifespan.shutdown.failed":
                pass  # its task ends now
            case other:
                raise ValueError(f"lifespan has no messages of type {other!r}")

    def _settle(self, failure: str | None) -> None:
        if self._started is not None and not self._started.done():
            self._started.set_result(failure)
