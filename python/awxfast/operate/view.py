"""What the pages are made of, and whom they ask for it."""

import asyncio
import dataclasses
from collections.abc import Awaitable, Callable, Mapping, Sequence
from typing import Any, Generic, Protocol, TypeVar

from awxfast.figures import Figures, Place
from awxfast.operate.counts import add_counts
from awxfast.operate.snapshot import Snapshots
from awxfast.operate.summed_figures import SummedFigures

Found = TypeVar("Found")


@dataclasses.dataclass(frozen=True, slots=True)
class View:
    """All that there was at one moment. `workers`: of each what it has counted, where there are several."""

    figures: SummedFigures
    place: Place
    workers: Sequence[Mapping[str, Any]] = ()


class Source(Protocol):
    """Whom the pages ask. None of it takes longer than somebody who looks would wait."""

    async def look(self) -> View:
        """What there is to be seen now."""

    async def list_slow_clients(self) -> Sequence[Any]:
        """Clients with something queued or shed, those with the most of it."""

    async def list_hanging(self) -> Sequence[str]:
        """Whose loop does not run, a line each."""


class OwnSource:
    """The figures of this very process, where nobody but itself can be asked."""

    def __init__(self, figures: Figures, place: Place) -> None:
        self._snapshots = Snapshots(figures)
        self._nobody = figures.about()
        self._place = place

    async def look(self) -> View:
        """What there is to be seen now."""
        return self.look_now()

    def look_now(self) -> View:
        """The same at once."""
        told = self._snapshots.take()
        counted = add_counts(told["counted"], told["own"])
        return View(SummedFigures(counted, {0: told["present"]}, [], [], self._nobody), self._place)

    async def list_slow_clients(self) -> Sequence[Any]:
        """Clients with something queued or shed."""
        return self._snapshots.list_slow_clients()

    async def list_hanging(self) -> Sequence[str]:
        """Empty: who asks runs in the same loop."""
        return ()


class Shared(Generic[Found]):
    """One piece of work for all who want it before it begins. One at a time: who comes meanwhile waits for the next."""

    def __init__(self, work: Callable[[], Awaitable[Found]]) -> None:
        self._work = work
        self._current: asyncio.Future[Found] | None = None
        self._next: asyncio.Future[Found] | None = None

    async def get(self) -> Found:
        """What it finds, which is no older than the question."""
        if self._next is None:
            self._next = asyncio.ensure_future(self._run_after(self._current))
        return await asyncio.shield(self._next)

    async def _run_after(self, former: "asyncio.Future[Found] | None") -> Found:
        if former is not None and not former.done():
            await asyncio.wait([former])
        self._current, self._next = self._next, None
        return await self._work()
