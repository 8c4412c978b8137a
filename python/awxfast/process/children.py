"""The processes of one place that run: each is heard to its end, and all are told what concerns all."""

import asyncio
import functools
from collections.abc import Callable, Iterator, Mapping
from typing import Any

from awxfast.errors import HandOverFailed
from awxfast.process.child_handle import ChildHandle
from awxfast.process.places import Places
from awxfast.process.tally import Tally

FLUSH_LIMIT = 5.0
"""Seconds in which a child has to take what main has said to it."""


class Children:
    """Processes of one place that are not gone yet. `places` hears what becomes of them, as of those of `number`."""

    def __init__(self, places: Places, number: int, tally: Tally) -> None:
        self._places = places
        self._number = number
        self._tally = tally
        self._running: dict[ChildHandle, asyncio.Task[int]] = {}

    def __iter__(self) -> Iterator[ChildHandle]:
        return iter(self._running)

    def __len__(self) -> int:
        return len(self._running)

    def __contains__(self, child: object) -> bool:
        return child in self._running

    def find_end(self, child: ChildHandle) -> asyncio.Task[int] | None:
        """What ends when it is gone, with its exit code; None: it is gone."""
        return self._running.get(child)

    def hear(self, child: ChildHandle, on_serving: Callable[[], None]) -> asyncio.Task[int]:
        """From now on; what ends with it. `tally` knows of it."""
        running = asyncio.ensure_future(child.run(on_serving, functools.partial(self._take_report, child)))
        self._running[child] = running
        running.add_done_callback(lambda running: self._forget(child, running))
        return running

    def _forget(self, child: ChildHandle, running: asyncio.Future[int]) -> None:
        self._running.pop(child)
        if not running.cancelled():  # else main's next program hears it
            self._tally.end(child)
            self._places.note_end(self._number, child)

    def _take_report(self, child: ChildHandle, message: Mapping[str, Any]) -> None:
        match message["kind"]:
            case "figures":
                self._tally.note(child, message)
            case "imported":
                self._places.note_imported(self._number, child)
            case "prepared":
                self._places.note_prepared(self._number, child)
            case "used_header":
                self._places.note_used_header(child, message["header"])
            case "claim_header":
                self._places.claim_header(child, message["header"])

    def tell(self, kind: str, *, but: ChildHandle | None = None, **fields: Any) -> None:
        """Tells all but that one something."""
        for child in self._running:
            if child is not but:
                child.send(kind, **fields)

    def kill(self) -> None:
        """Ends all at once."""
        for child in self._running:
            child.kill()

    async def wait_for_ends(self) -> None:
        """Returns when all are gone."""
        await asyncio.gather(*self._running.values(), return_exceptions=True)

    async def wait_for_end(self, child: ChildHandle, or_until: Callable[[], bool]) -> None:
        """Or until something is so. Raises what hearing it ended with."""
        if (running := self._running.get(child)) is None:
            return
        other = asyncio.ensure_future(child.wait_for(or_until))
        try:
            await asyncio.wait([running, other], return_when=asyncio.FIRST_COMPLETED)
        finally:
            other.cancel()
        if running.done():
            running.result()

    async def flush(self) -> None:
        """Each has heard all that was said. Raises `HandOverFailed`."""
        try:
            async with asyncio.timeout(FLUSH_LIMIT):
                await asyncio.gather(*(child.flush() for child in self._running))
        except TimeoutError:
            raise HandOverFailed("a serving process hears nothing") from None

    async def stop_hearing(self) -> list[ChildHandle]:
        """Who can be heard on by somebody else: one may have ended in this very turn."""
        hearing = dict(self._running)
        for task in hearing.values():
            task.cancel()
        if hearing:
            await asyncio.wait(hearing.values())
        return [child for child, task in hearing.items() if task.cancelled()]
