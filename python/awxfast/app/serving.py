"""Serves until it is told to stop: the life of a relay in its process."""

import asyncio
import socket
from collections.abc import Callable, Coroutine, Sequence
from typing import Any, Protocol

from asgiref.typing import ASGI3Application

from awxfast.app.builders import build_relay
from awxfast.app.relay import Relay
from awxfast.errors import StartError
from awxfast.http.access_log import AccessLog
from awxfast.http.listening import Listening
from awxfast.settings import Settings

GIVE_UP_SECONDS = 0.2
"""What a start that is cancelled may still take."""


class Control(Protocol):
    """Who runs the process."""

    @property
    def used_headers(self) -> Sequence[str]:
        """Nodes' secret headers that were used in the process before this one (`--nonce-replay refuse`)."""

    def report_used_header(self, header: str) -> None:
        """One more, for the process after this one."""

    def report_serving(self, reload_files: Callable[[], None]) -> None:
        """Everything runs; `reload_files` may be called from now on."""

    async def wait_for_stop(self) -> None:
        """Returns when the process is to end in order."""


async def serve(
    settings: Settings,
    listenings: Sequence[Listening],
    admin: socket.socket | None,
    control: Control,
    application: ASGI3Application | None = None,
    access_log: AccessLog | None = None,
) -> None:
    """Serves until `control` asks for the end, then flushes and leaves nothing behind.

    `access_log` is another than the settings ask for.
    Raises `ConfigurationError` before it serves, and `StartError` when the intake ended by a fault of its own.
    """
    relay = build_relay(settings, application, access_log)
    relay.share_used_headers(control.used_headers, control.report_used_header)
    try:
        if not await start_unless_stopped(relay.start(listenings, admin), control):
            return
        control.report_serving(relay.reload_files)
        await wait_for_end(relay, control)
    finally:
        await relay.stop()
    if relay.failed.is_set():
        raise StartError("the intake ended by a fault of its own, see the line above; please report it")


async def start_unless_stopped(start: Coroutine[Any, Any, None], control: Control) -> bool:
    """Whether all of it has started. A start that hangs, in the application or at Redis, can be stopped."""
    starting = asyncio.ensure_future(start)
    stopping = asyncio.ensure_future(control.wait_for_stop())
    try:
        await asyncio.wait([starting, stopping], return_when=asyncio.FIRST_COMPLETED)
    finally:
        stopping.cancel()
        starting.cancel()
        await asyncio.wait([starting], timeout=GIVE_UP_SECONDS)
    if not starting.done() or starting.cancelled():
        return False
    starting.result()
    return True


async def wait_for_end(relay: Relay, control: Control) -> None:
    """Until `control` asks for it, or the relay has failed."""
    ends = [asyncio.ensure_future(control.wait_for_stop()), asyncio.ensure_future(relay.failed.wait())]
    await asyncio.wait(ends, return_when=asyncio.FIRST_COMPLETED)
    for end in ends:
        end.cancel()
