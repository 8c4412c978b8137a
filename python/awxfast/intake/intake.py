"""The intake as a whole: one queue, one drain, one set of registrations, for one process on one Redis."""

import asyncio
import contextlib
import functools
from collections.abc import AsyncIterator, Iterable, Mapping, Sequence
from typing import Any

from awxfast._rust import EntryFormat
from awxfast.errors import RedisError, RedisUnavailable
from awxfast.intake.announcements import Announcements
from awxfast.intake.drain import Drain
from awxfast.intake.event_taker import EventTaker
from awxfast.intake.groups import Groups
from awxfast.intake.host_names import make_names
from awxfast.intake.intake_shared import START_TIMEOUT, STOP_TIMEOUT, IntakeShared
from awxfast.intake.names import ProcessNames
from awxfast.intake.needs import list_needs
from awxfast.intake.one_redis import OneRedis
from awxfast.intake.other_form import warn_of_other_form
from awxfast.intake.pace import Pace
from awxfast.intake.queue_pops import pops_of, size_command
from awxfast.intake.recovery import Recovery, take_left_groups
from awxfast.intake.registration import Registration
from awxfast.intake.subscriptions import Subscriptions
from awxfast.redis.address import RedisAddress
from awxfast.redis.group_writer import GroupWriter
from awxfast.redis.login import open_connection
from awxfast.redis.reconnect import Outages
from awxfast.redis.rights import Rights
from awxfast.redis.whole_group_writer import make_group_writer
from awxfast.settings import MAX_EVENT_SIZE, LayerSettings
from awxfast.wire.backplane import Notice
from awxfast.wire.entry_bodies import make_entry_format


class Intake(OneRedis):
    """Brings events of the groups that somebody holds to `taker`, for as long as the process serves."""

    form = "queues"
    descriptors: Sequence[int] = ()
    """No connection goes with what `freeze` gives: what comes meanwhile waits in Redis."""

    def __init__(
        self,
        layer: LayerSettings,
        address: RedisAddress,
        taker: EventTaker,
        announce_in: str | None = None,
        pace: Pace | None = None,
        max_event_size: int = MAX_EVENT_SIZE,
        token: str | None = None,
        entry_format: EntryFormat | None = None,
        *,
        names: ProcessNames | None = None,
        shared: IntakeShared | None = None,
    ) -> None:
        """`announce_in`: the group in which other nodes hear what this process wants; None: they are not told.

        `token`: that of the process which this one takes the place of; or `names`, with what is shared by the intakes
        from other Redis. `entry_format`: how entries are written; None: as the layer says, without encryption.
        """
        self._shared = shared = shared or IntakeShared()
        self.address = address
        self._layer = layer
        self.names = names or make_names(layer.prefix, token, 1)[0]
        self.rights = Rights(address, functools.partial(list_needs, self.names, layer=layer.layer))
        self.outages = Outages(address, self.rights)
        self.entry_format = entry_format or make_entry_format(layer)
        writer = make_group_writer(layer, self.entry_format)
        announcements = (
            Announcements(self.names, announce_in, writer, shared.apart) if announce_in is not None else None
        )
        self._announcements = announcements
        self.groups = Groups(self.names, taker, layer.group_expiry, announcements, shared.turns)
        self.caught_up = shared.caught_up
        """To be told when `taker` need be waited for no longer."""
        self.drain = Drain(
            address,
            self.names.queue,
            taker,
            self.outages,
            layer.expiry,
            pace,
            max_event_size,
            self.caught_up,
            pops_of(layer.layer, self.names.queue, max_event_size),
        )
        self.registration = self._make_registration(layer, taker, writer, shared)
        self.subscriptions = Subscriptions(self.groups)
        self._tasks: list[asyncio.Task[None]] = []
        self.recovers = False
        """Whether a process under these names has died: its groups are kept, and what waits for them, for a moment."""
        self._recovery = Recovery(self.groups, self.drain, lambda: self.depth, layer.capacity // 2)
        self.failed = shared.failed
        """Set when the intake ended by a fault of its own (logged): nothing but a new process helps then."""

    def _make_registration(
        self, layer: LayerSettings, taker: EventTaker, writer: GroupWriter, shared: IntakeShared
    ) -> Registration:
        return Registration(
            self.address,
            self.names,
            self.groups,
            taker,
            self.outages,
            announcements=self._announcements,
            writer=writer,
            apart=shared.apart,
            capacity=layer.capacity,
            group_expiry=layer.group_expiry,
            size=size_command(layer.layer, self.names.queue),
        )

    @property
    def redis_names(self) -> Sequence[str]:
        """What `redis_name` says, and would have said before restarts of Redis that others may not have noticed."""
        return self.registration.redis_names

    @property
    def ready(self) -> bool:
        """Whether Redis answers: events are taken and registrations stand."""
        return self.drain.up and self.registration.up

    @property
    def repaired(self) -> int:
        """Registrations that were found missing and added again."""
        return self.registration.repaired

    @property
    def depth(self) -> int:
        """Events that waited in the queue when last looked at, at most a second ago while Redis is there."""
        return self.registration.depth

    async def start(self) -> None:
        """Connects and registers. When Redis is away it returns all the same, and goes on trying.

        Raises `ConfigurationError` for a Redis that can never work: a wrong password, or no Redis at all.
        """
        try:
            with contextlib.closing(await open_connection(self.address, START_TIMEOUT)) as connection:
                await warn_of_other_form(connection, self._layer.layer, self._layer.prefix)
                if self.recovers:
                    self._recovery.begin(await take_left_groups(connection, self.names, self._announcements))
            await self.rights.tell()
            is_there = True
        except RedisError:  # the tasks try again, and say so in the log
            is_there = False
        self._tasks = [
            asyncio.create_task(self.registration.run(), name="registrations"),
            asyncio.create_task(self.drain.run(), name="drain"),
        ]
        self._shared.watch(self._tasks)
        if is_there:
            await self._wait_ready()

    async def wait_registered(self) -> None:
        """Returns when Redis has answered for what is registered."""
        await self.registration.wait_up()

    async def list_interest(self) -> AsyncIterator[Notice]:
        """See `Interest.list_all`; nothing while Redis is away, since all is announced when it is back."""
        with contextlib.suppress(RedisError):
            async for notice in self.groups.interest.list_all():
                yield notice

    async def rest(self, successor: int, seconds: float) -> None:
        """Stops popping, and returns when all that was popped is handed on and no command is under way.

        `successor`: the process that is about to go on under these names. Raises `RedisError`, `TimeoutError`.
        """
        if not self.ready:
            raise RedisUnavailable(f"Redis at {self.address} {self.trouble}")
        self._recovery.end()
        await self.registration.name_successor(successor)
        async with asyncio.timeout(seconds):
            self.groups.begin_rest()
            await self.registration.settle()  # of many groups it takes a while, in which events go on
            self.drain.begin_rest()
            await self.registration.end_waiting(self.drain.connection_id)
            await self.drain.wait_at_rest()
            await self.registration.settle()

    @property
    def rested_at(self) -> float:
        """When the last rest began (monotonic)."""
        return self.drain.rested_at

    def hold_events(self) -> None:
        """Leaves in Redis what comes, until `let_events_come`."""
        self.drain.begin_rest()

    def let_events_come(self) -> None:
        """Takes what waits, and what comes."""
        self.drain.end_rest()

    def remember_redis(self, names: Iterable[str]) -> None:
        """What `redis_names` said in the process before this one."""
        self.registration.redis_names.extend(names)

    async def end_rest(self) -> None:
        """Pops again: nobody else goes on under these names."""
        self.drain.end_rest()
        self.groups.end_rest()
        with contextlib.suppress(RedisError):  # the next connection says it
            await self.registration.name_successor(None)

    def freeze(self) -> dict[str, Any]:
        """What the process needs that goes on under these names."""
        registration = self.registration
        names = [*registration.redis_names]
        return {**self.groups.freeze(), "form": self.form, "repaired": registration.repaired, "redis_names": names}

    def inherit(self, frozen: Mapping[str, Any], descriptors: Sequence[int] = ()) -> None:
        """What `freeze` gave in the process before this one, before `start`."""
        self.groups.inherit(frozen)
        self.registration.repaired = frozen["repaired"]
        self.remember_redis(frozen["redis_names"])

    def abandon(self) -> Sequence[asyncio.Task[None]]:
        """Nobody who has not come back is waited for any more; else as `OneRedis.abandon`."""
        self._recovery.end()
        return super().abandon()

    async def stop(self) -> None:
        """Leaves all groups, takes what still waits, and deletes every key of the process, if Redis is there."""
        if not self._tasks:
            return
        self._recovery.end()
        self.drain.end_rest()  # else nobody takes what waits
        self.groups.end_rest()
        registrations, drain = self._tasks
        if self.groups.is_attached:
            self.registration.request_stop()
            await asyncio.wait([registrations], timeout=STOP_TIMEOUT)
        for task in (registrations, drain):
            task.cancel()
        await asyncio.gather(registrations, drain, return_exceptions=True)
        self._tasks = []

    async def _wait_ready(self) -> None:
        with contextlib.suppress(TimeoutError):
            async with asyncio.timeout(START_TIMEOUT):
                await self.registration.wait_up()
                await self.drain.wait_up()
