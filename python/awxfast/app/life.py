"""The life of what serves in a process: it begins unless it is stopped first, runs until it is to end, and stops."""

import asyncio
from collections.abc import Callable, Coroutine
from typing import Any, Protocol, TypeVar

from awxfast.errors import StartError

GIVE_UP_SECONDS = 0.2
"""What a start that is cancelled may still take."""


class Living(Protocol):
    """All that runs in a process."""

    @property
    def failed(self) -> asyncio.Event:
        """Set when a part of it has ended by a fault of its own, which is logged."""

    async def stop(self) -> None:
        """Ends all of it, also what has not begun."""


One = TypeVar("One", bound=Living)
Told = TypeVar("Told", bound=Living, contravariant=True)


class Stopping(Protocol):
    """Who ends the process."""

    async def wait_for_stop(self) -> None:
        """Returns when the process is to end in order."""


class Watching(Stopping, Protocol[Told]):
    """Who runs the process, and is told when all is there."""

    def report_serving(self, relay: Told, /) -> None:
        """Everything runs; its files may be read again from now on."""


async def live(one: One, control: Watching[One], begin: Coroutine[Any, Any, bool], part: str) -> None:
    """To its end, when `begin` says that it has begun.

    Raises `StartError` for an end that nobody asked for; `part`: what has ended then, for the operator.
    """
    try:
        if not await begin:
            return
        control.report_serving(one)
        await wait_for_end(one, control)
    finally:
        await one.stop()
    if one.failed.is_set():
        raise StartError(f"{part} ended by a fault of its own, see the line above; please report it")


async def wait_for_end(one: Living, control: Stopping) -> None:
    """Until `control` asks for it, or a part has failed."""
    ends = [asyncio.ensure_future(control.wait_for_stop()), asyncio.ensure_future(one.failed.wait())]
    await asyncio.wait(ends, return_when=asyncio.FIRST_COMPLETED)
    for end in ends:
        end.cancel()


async def start_unless_stopped(start: Coroutine[Any, Any, None], control: Stopping) -> bool:
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


def when_stopped(control: Stopping, act: Callable[[], None]) -> asyncio.Future[None]:
    """Acts when `control` asks for the end, unless what is returned is cancelled before."""
    stopping = asyncio.ensure_future(control.wait_for_stop())
    stopping.add_done_callback(lambda ended: None if ended.cancelled() else act())
    return stopping
