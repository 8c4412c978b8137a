"""What the rooms above ask of the intake, be it from one Redis or from several."""

import asyncio
from collections.abc import AsyncIterator, Collection, Iterable, Mapping, Sequence
from typing import Any, Protocol

from awxfast._rust import EntryFormat
from awxfast.errors import HandOverFailed
from awxfast.figures import IntakeFigures, RedisFigures
from awxfast.intake.caught_up import CaughtUp
from awxfast.intake.groups import Groups
from awxfast.intake.names import ProcessNames
from awxfast.intake.subscriptions import Subscriptions
from awxfast.redis.address import RedisAddress
from awxfast.redis.reconnect import Outages
from awxfast.wire.backplane import Notice


class IntakePart(Protocol):
    """What is read from one Redis."""

    address: RedisAddress
    outages: Outages
    names: ProcessNames
    groups: Groups

    @property
    def ready(self) -> bool:
        """Whether events are taken and registrations stand."""

    @property
    def trouble(self) -> str:
        """What is wrong with this Redis; empty while it does its work."""

    @property
    def depth(self) -> int:
        """Events that waited when last looked at."""


class EventIntake(Protocol):
    """Brings events of the groups that somebody holds, for as long as the process serves (`intake.Intake`)."""

    failed: asyncio.Event
    caught_up: CaughtUp
    subscriptions: Subscriptions
    recovers: bool
    form: str
    """Who can go on with what it leaves: an intake of the same form."""
    entry_format: EntryFormat

    @property
    def parts(self) -> Sequence[IntakePart]:
        """One for each Redis, in the layer's order."""

    @property
    def token(self) -> str:
        """What tells the process from others, for the one after it."""

    @property
    def redis_name(self) -> str | None:
        """Says which Redis this is, to somebody who knows the same of his."""

    @property
    def redis_names(self) -> Collection[str]:
        """What `redis_name` says, and would have said before restarts."""

    @property
    def ready(self) -> bool:
        """Whether all events are taken and all registrations stand."""

    @property
    def depth(self) -> int:
        """Events that waited when last looked at."""

    @property
    def repaired(self) -> int:
        """Registrations that were found missing and added again."""

    @property
    def rested_at(self) -> float:
        """When the last rest began (monotonic)."""

    async def start(self) -> None:
        """Connects and registers; also while Redis is away. Raises `ConfigurationError`."""

    async def hold(self, groups: Iterable[str]) -> None:
        """Holds groups, however long Redis takes."""

    def hold_inherited(self, groups: Iterable[str]) -> None:
        """Holds what was held before."""

    def release(self, groups: Iterable[str]) -> None:
        """Lets go of groups."""

    async def wait_registered(self) -> None:
        """Returns when Redis has answered for what is registered."""

    def list_interest(self) -> AsyncIterator[Notice]:
        """Which groups this process and others want, for a node that links."""

    def hold_events(self) -> None:
        """Leaves in Redis what comes, until `let_events_come`."""

    def let_events_come(self) -> None:
        """Takes what waits, and what comes."""

    async def rest(self, successor: int, seconds: float) -> None:
        """Returns when all that was popped is handed on and no command is under way."""

    async def end_rest(self) -> None:
        """Pops again: nobody else goes on under these names."""

    def freeze(self) -> dict[str, Any]:
        """What the process needs that goes on under these names."""

    @property
    def descriptors(self) -> Sequence[int]:
        """Connections that go with it."""

    def inherit(self, frozen: Mapping[str, Any], descriptors: Sequence[int] = ()) -> None:
        """What `freeze` and `descriptors` gave in the process before this one, before `start`."""

    def end_inheritance(self) -> None:
        """Groups that nobody holds any more are left."""

    def remember_redis(self, names: Iterable[str]) -> None:
        """What `redis_names` said in the process before this one."""

    def abandon(self) -> Sequence[asyncio.Task[None]]:
        """Another process goes on under these names. What is about to end."""

    async def stop(self) -> None:
        """Leaves all groups and every key of the process behind it."""


def describe_intake(intake: EventIntake) -> IntakeFigures:
    """What operators see of it, and of each Redis where there are several."""
    parts = intake.parts if len(intake.parts) > 1 else ()
    hosts = {str(part.address): RedisFigures(part.ready, part.depth) for part in parts}
    return IntakeFigures(intake.ready, intake.depth, intake.repaired, hosts)


def check_form(intake: EventIntake, frozen: Mapping[str, Any]) -> None:
    """Whether it can go on with what another process has left. Raises `HandOverFailed`."""
    if frozen.get("form", intake.form) != intake.form:
        raise HandOverFailed("the channel layer has another form now; restart instead")
