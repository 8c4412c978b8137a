"""What the intakes of all forms do alike, for one process on one Redis."""

import abc
import asyncio
from collections.abc import Iterable, Sequence
from typing import Self

from awxfast.intake.groups import Groups
from awxfast.intake.names import ProcessNames
from awxfast.redis.address import RedisAddress
from awxfast.redis.reconnect import Outages


class OneRedis(abc.ABC):
    """Its groups, and what is wrong with it. Whoever derives from it makes what is declared here."""

    address: RedisAddress
    names: ProcessNames
    outages: Outages
    groups: Groups
    _tasks: list[asyncio.Task[None]]

    @property
    @abc.abstractmethod
    def ready(self) -> bool:
        """Whether events come, of all groups that are held."""

    @property
    @abc.abstractmethod
    def redis_names(self) -> Sequence[str]:
        """What `redis_name` says, and would have said before restarts of Redis that others may not have noticed."""

    @property
    def token(self) -> str:
        """What tells the process from others, for the one after it."""
        return self.names.token

    @property
    def parts(self) -> Sequence[Self]:
        """One for each Redis."""
        return (self,)

    @property
    def redis_name(self) -> str | None:
        """Says which Redis, database and prefix this is, to somebody who knows the same of his.

        None: it was not there yet. Empty: it does not say.
        """
        return self.redis_names[-1] if self.redis_names else None

    @property
    def trouble(self) -> str:
        """What is wrong with Redis, to follow its name; empty while it does its work."""
        return "" if self.ready else self.outages.refusal or "does not answer"

    async def hold(self, groups: Iterable[str]) -> None:
        """Holds groups, however long Redis takes (`Groups.hold`)."""
        await self.groups.hold(groups)

    def release(self, groups: Iterable[str]) -> None:
        """Lets go of groups (`Groups.release`)."""
        self.groups.release(groups)

    def hold_inherited(self, groups: Iterable[str]) -> None:
        """Holds what was held before (`Groups.hold_inherited`)."""
        self.groups.hold_inherited(groups)

    def end_inheritance(self) -> None:
        """Leaves groups that nobody holds any more (`Groups.end_inheritance`)."""
        self.groups.end_inheritance()

    def abandon(self) -> Sequence[asyncio.Task[None]]:
        """Another process goes on under these names: nothing is said to Redis any more. What is about to end."""
        self.groups.detach()  # else what is released here meanwhile would be left under names that are another's now
        ending, self._tasks = self._tasks, []
        for task in ending:
            task.cancel()
        return ending
