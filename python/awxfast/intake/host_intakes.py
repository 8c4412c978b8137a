"""The intakes of a process whose layer has several Redis, as one: whatever comes from each goes to one taker.

Each has its own queue, drain, registrations and outages. One that is away stops its own groups alone.
"""

import asyncio
import contextlib
import functools
import itertools
import secrets
from collections.abc import AsyncIterator, Callable, Collection, Coroutine, Iterable, Mapping, Sequence
from typing import Any

from awxfast._rust import EntryFormat
from awxfast.errors import ConfigurationError, RedisUnavailable
from awxfast.intake.event_intake import EventIntake
from awxfast.intake.event_taker import EventTaker
from awxfast.intake.host_groups import HostGroups
from awxfast.intake.host_names import make_names
from awxfast.intake.intake import Intake
from awxfast.intake.intake_shared import START_TIMEOUT, STOP_TIMEOUT, IntakeShared
from awxfast.intake.notice_writer import NoticeWriter
from awxfast.intake.pace import Pace
from awxfast.intake.pubsub_intake import PubSubIntake
from awxfast.intake.subscriptions import Subscriptions
from awxfast.redis.address import RedisAddress
from awxfast.redis.commands import Command
from awxfast.settings import MAX_EVENT_SIZE, LayerSettings
from awxfast.wire.backplane import Notice
from awxfast.wire.entry_bodies import make_entry_format
from awxfast.wire.host_choice import MOST_HOSTS, choose_host, sort_by_host


def open_intake(
    layer: LayerSettings,
    addresses: Sequence[RedisAddress],
    taker: EventTaker,
    announce_in: str | None = None,
    new_pace: Callable[[], Pace] = Pace,
    max_event_size: int = MAX_EVENT_SIZE,
    token: str | None = None,
    entry_format: EntryFormat | None = None,
    *,
    has_channels: bool = False,
) -> EventIntake:
    """From the one Redis of a layer, or from all. Raises `ConfigurationError` for more than anybody has.

    `has_channels`: this process has channels of its own, to which others may send.
    """
    if layer.layer == "pubsub":
        if len(addresses) > 1:
            raise ConfigurationError("several Redis of a pub/sub layer are not built yet; name one")
        pace, form = new_pace(), entry_format or make_entry_format(layer)
        return PubSubIntake(
            layer, addresses[0], taker, announce_in, pace, max_event_size, token, form, has_channels=has_channels
        )
    if len(addresses) > MOST_HOSTS:
        raise ConfigurationError(f"a channel layer with more than {MOST_HOSTS} Redis is not built")
    if len(addresses) == 1:
        return Intake(layer, addresses[0], taker, announce_in, new_pace(), max_event_size, token, entry_format)
    return HostIntakes(layer, addresses, taker, announce_in, new_pace, max_event_size, token, entry_format)


class HostIntakes:
    """What `Intake` does, for several Redis. See there for the arguments."""

    form = Intake.form

    def __init__(
        self,
        layer: LayerSettings,
        addresses: Sequence[RedisAddress],
        taker: EventTaker,
        announce_in: str | None = None,
        new_pace: Callable[[], Pace] = Pace,
        max_event_size: int = MAX_EVENT_SIZE,
        token: str | None = None,
        entry_format: EntryFormat | None = None,
    ) -> None:
        self.entry_format = entry_format or make_entry_format(layer)
        self.token = token or secrets.token_hex(16)
        names = make_names(layer.prefix, self.token, len(addresses))
        senders = [functools.partial(self._send, host) for host in range(len(addresses))]
        notices = NoticeWriter(layer, self.entry_format, senders)
        shared = IntakeShared(apart=notices)
        self.caught_up, self.failed = shared.caught_up, shared.failed
        intake = functools.partial(Intake, layer, taker=taker, announce_in=announce_in, shared=shared)
        self.parts = [
            intake(
                address=address,
                names=one,
                pace=new_pace(),
                max_event_size=max_event_size,
                entry_format=self.entry_format,
            )
            for address, one in zip(addresses, names, strict=True)
        ]
        self._groups = HostGroups([part.groups for part in self.parts])
        self.subscriptions = Subscriptions(self._groups)
        self._home = self.parts[choose_host(announce_in, len(addresses))] if announce_in is not None else None
        self._telling = Telling(self.parts, self._home, notices)

    def _send(self, host: int, commands: list[Command]) -> asyncio.Future[list[Any]]:
        return self.parts[host].groups.send(commands)

    @property
    def recovers(self) -> bool:
        """Whether a process under these names has died."""
        return self.parts[0].recovers

    @recovers.setter
    def recovers(self, recovers: bool) -> None:
        for part in self.parts:
            part.recovers = recovers

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

    async def rest(self, successor: int, seconds: float) -> None:
        """See `Intake.rest`. What one has left to say of its groups goes over another one's connection."""
        await do_all(part.rest(successor, seconds) for part in self.parts)
        async with asyncio.timeout(seconds):
            await self._settle()

    async def _settle(self) -> None:
        """Twice, since the answer of one Redis may lead to something that is said to another."""
        for part in [*self.parts, *self.parts]:
            with contextlib.suppress(RedisUnavailable):
                await part.registration.settle()

    async def end_rest(self) -> None:
        """Pops again from all: nobody else goes on under these names."""
        await do_all(part.end_rest() for part in self.parts)

    def freeze(self) -> dict[str, Any]:
        """As one Redis would have it: the next process may know of others, and knows where each group belongs."""
        frozen = [part.freeze() for part in self.parts]
        return {
            "form": self.form,
            "members": [member for one in frozen for member in one["members"]],
            "next": max(one["next"] for one in frozen),
            "repaired": self.repaired,
            "redis_names": [*self.redis_names],
        }

    descriptors: Sequence[int] = ()
    """No connection goes with what is left (`Intake.descriptors`)."""

    def inherit(self, frozen: Mapping[str, Any], descriptors: Sequence[int] = ()) -> None:
        """What `freeze` gave in the process before this one, before `start`."""
        members = sort_by_host(frozen["members"], lambda member: member[0], len(self.parts))
        for host, part in enumerate(self.parts):
            repaired = 0 if host else frozen["repaired"]
            part.inherit({**frozen, "members": members.get(host, []), "repaired": repaired, "redis_names": []})
        self.remember_redis(frozen["redis_names"])

    def end_inheritance(self) -> None:
        """Groups that nobody holds any more are left."""
        for part in self.parts:
            part.end_inheritance()

    def abandon(self) -> Sequence[asyncio.Task[None]]:
        """Another process goes on under these names. What is about to end."""
        self._telling.stop()
        return [task for part in self.parts for task in part.abandon()]

    async def stop(self) -> None:
        """See `Intake.stop`. Other nodes are told first, while all connections are there."""
        self._telling.stop()
        if self._home is not None:
            for part in self.parts:
                part.groups.take_leave()
            with contextlib.suppress(TimeoutError):
                async with asyncio.timeout(STOP_TIMEOUT):
                    await self._settle()
        await do_all(part.stop() for part in self.parts)


class Telling:
    """What is said again in the backplane's group when its Redis is back: by the others, who know of no outage."""

    def __init__(self, parts: Sequence[Intake], home: Intake | None, notices: NoticeWriter) -> None:
        self._parts = parts
        self._home = home
        self._notices = notices
        self._task: asyncio.Task[None] | None = None
        for host, part in enumerate(parts):
            part.groups.on_attached = functools.partial(self._begin, host, part)

    def _begin(self, host: int, part: Intake) -> None:
        self._notices.write_again(host)
        if part is self._home:
            self.stop()
            self._task = asyncio.create_task(self._tell(), name="announcements")

    async def _tell(self) -> None:
        for part in self._parts:
            if part is not self._home:
                await part.groups.interest.announce_again()

    def stop(self) -> None:
        """Nothing is said again any more."""
        if self._task is not None:
            self._task.cancel()
            self._task = None


async def do_all(works: Iterable[Coroutine[Any, Any, None]]) -> None:
    """All at once. The first that fails ends the others; its exception is raised."""
    tasks = [asyncio.ensure_future(work) for work in works]
    try:
        await asyncio.gather(*tasks)
    finally:
        for task in tasks:
            task.cancel()
        await asyncio.gather(*tasks, return_exceptions=True)
