"""What the intakes of a process whose layer has several Redis do as one, whatever the layer's form."""

import asyncio
import contextlib
import itertools
from collections.abc import AsyncIterator, Collection, Coroutine, Iterable, Sequence
from typing import Any, Generic, TypeVar

from awxfast.intake.host_groups import HostGroups
from awxfast.intake.intake import Intake
from awxfast.intake.intake_shared import START_TIMEOUT
from awxfast.intake.pubsub_intake import PubSubIntake
from awxfast.intake.subscriptions import Subscriptions
from awxfast.settings import LayerSettings
from awxfast.wire.backplane import Notice
from awxfast.wire.host_choice import choose_by_group

Part = TypeVar("Part", Intake, PubSubIntake)


class HostParts(Generic[Part]):
    """Each part is read from its own Redis, and one that is away stops its own groups alone."""

    def __init__(self, layer: LayerSettings, parts: Sequence[Part]) -> None:
        """`parts`: in the layer's order."""
        self.parts: Sequence[Part] = parts
        self.choose = choose_by_group(layer, len(parts))
        self._groups = HostGroups([part.groups for part in parts], self.choose)
        self.subscriptions = Subscriptions(self._groups)

    @property
    def redis_name(self) -> str | None:
        """That of the first which was there: whoever has one Redis of a layer has all."""
        return next((part.redis_name for part in self.parts if part.redis_name is not None), None)

    @property
    def redis_names(self) -> Collection[str]:
        """What `redis_name` says of each Redis, and would have said before restarts."""
        return [name for part in self.parts for name in part.redis_names]

    def remember_redis(self, names: Iterable[str]) -> None:
        """Each keeps some of them, since that is bounded."""
        for part, name in zip(itertools.cycle(self.parts), names, strict=False):
            part.remember_redis([name])

    @property
    def ready(self) -> bool:
        """Whether every Redis answers."""
        return all(part.ready for part in self.parts)

    @property
    def depth(self) -> int:
        """Events that waited in all queues when last looked at."""
        return sum(part.depth for part in self.parts)

    @property
    def repaired(self) -> int:
        """Registrations that were found missing and added again, on all."""
        return sum(part.repaired for part in self.parts)

    async def start(self) -> None:
        """See `Intake.start`: all at once, so that one which is away keeps nobody waiting for the others."""
        await do_all(part.start() for part in self.parts)

    async def hold(self, groups: Iterable[str]) -> None:
        """Holds groups, however long each Redis takes."""
        await self._groups.hold(groups)

    def release(self, groups: Iterable[str]) -> None:
        """Lets go of groups."""
        self._groups.release(groups)

    def hold_inherited(self, groups: Iterable[str]) -> None:
        """Holds what was held before."""
        self._groups.hold_inherited(groups)

    async def wait_registered(self) -> None:
        """Returns when each Redis has answered for what is registered, but for those that are away for longer."""
        with contextlib.suppress(TimeoutError):
            async with asyncio.timeout(START_TIMEOUT):
                for part in self.parts:
                    await part.wait_registered()

    async def list_interest(self) -> AsyncIterator[Notice]:
        """Which groups this process and others want, Redis by Redis (`Intake.list_interest`)."""
        for part in self.parts:
            async for notice in part.list_interest():
                yield notice

    # From one process to the next

    @property
    def rested_at(self) -> float:
        """When the first of the last rests began (monotonic)."""
        return min(part.rested_at for part in self.parts)

    def hold_events(self) -> None:
        """Leaves what comes in each Redis."""
        for part in self.parts:
            part.hold_events()

    def let_events_come(self) -> None:
        """Takes what waits, and what comes."""
        for part in self.parts:
            part.let_events_come()

    async def end_rest(self) -> None:
        """Pops again from all: nobody else goes on under these names."""
        await do_all(part.end_rest() for part in self.parts)

    def end_inheritance(self) -> None:
        """Groups that nobody holds any more are left."""
        for part in self.parts:
            part.end_inheritance()


async def do_all(works: Iterable[Coroutine[Any, Any, None]]) -> None:
    """All at once. The first that fails ends the others; its exception is raised."""
    tasks = [asyncio.ensure_future(work) for work in works]
    try:
        await asyncio.gather(*tasks)
    finally:
        for task in tasks:
            task.cancel()
        await asyncio.gather(*tasks, return_exceptions=True)
