"""The intake of a layer that stores nothing (`channels_redis.pubsub`): one connection that is subscribed."""

import asyncio
import contextlib
import functools
import secrets
import time
from collections.abc import AsyncIterator, Iterable, Mapping, Sequence
from typing import Any

from awxfast._rust import EntryFormat
from awxfast.errors import RedisError, RedisUnavailable
from awxfast.intake.announcements import Announcements, NoticeSender
from awxfast.intake.event_taker import EventTaker
from awxfast.intake.groups import Groups
from awxfast.intake.intake_shared import START_TIMEOUT, STOP_TIMEOUT, IntakeShared
from awxfast.intake.names import ProcessNames
from awxfast.intake.needs import list_pubsub_needs
from awxfast.intake.notice_publisher import NoticePublisher
from awxfast.intake.one_redis import OneRedis
from awxfast.intake.pace import Pace
from awxfast.intake.pubsub_estate import freeze_parts, inherit_parts
from awxfast.intake.push_backlog import PushBacklog
from awxfast.intake.push_layout import PushLayout
from awxfast.intake.subscriber import Subscriber
from awxfast.intake.subscriptions import Subscriptions
from awxfast.redis.address import RedisAddress
from awxfast.redis.group_publisher import GroupPublisher
from awxfast.redis.login import open_connection
from awxfast.redis.reconnect import Outages
from awxfast.redis.rights import Rights
from awxfast.settings import MAX_EVENT_SIZE, LayerSettings
from awxfast.wire.backplane import Notice
from awxfast.wire.entry_bodies import make_entry_format


class PubSubIntake(OneRedis):
    """See `Intake`, whose interface this is. What is published while a connection is missing is lost, and counted."""

    form = "subscriptions"
    recovers = False
    """A process that died has left nothing: its subscriptions went with its connection."""

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
        has_channels: bool = False,
        host: int = 0,
        shared: IntakeShared | None = None,
        apart: NoticeSender | None = None,
    ) -> None:
        """See `Intake`. `has_channels`: this process has channels of its own, to which others may send.

        `host`: which Redis it is, where a layer has several; `shared`: what it has in common with those of the others;
        `apart`: who publishes its notices, where another one has the backplane's group.
        """
        self._shared = shared = shared or IntakeShared()
        self.address = address
        self.names = ProcessNames(layer.prefix, token or secrets.token_hex(16), host)
        self.rights = Rights(address, functools.partial(list_pubsub_needs, self.names, has_channels=has_channels))
        self.outages = Outages(address, self.rights)
        self.caught_up, self.failed = shared.caught_up, shared.failed
        self.entry_format = entry_format or make_entry_format(layer)
        self.notices = NoticePublisher(layer, self.entry_format, address, self.outages, self._announce_again)
        writer = GroupPublisher(layer, self.entry_format)
        notices = apart or self.notices
        announcements = Announcements(self.names, announce_in, writer, notices) if announce_in is not None else None
        self._announces = announcements is not None and apart is None
        self.groups = Groups(
            self.names, taker, layer.group_expiry, announcements, shared.turns, layout=PushLayout(self.names)
        )
        self.backlog = PushBacklog(taker, self.caught_up)
        self.subscriber = Subscriber(
            address,
            self.names,
            self.groups,
            self.backlog,
            taker,
            self.outages,
            pace or Pace(),
            max_event_size,
            has_channels=has_channels,
        )
        self.subscriptions = Subscriptions(self.groups)
        self.announcing = [self.groups]
        """Whose groups are told anew when the connection of notices is back."""
        self.rested_at = 0.0
        self._tasks: list[asyncio.Task[None]] = []

    @property
    def redis_names(self) -> Sequence[str]:
        """What `redis_name` says, and would have said before restarts of Redis."""
        return self.subscriber.redis_names

    @property
    def ready(self) -> bool:
        """Whether Redis has confirmed all subscriptions."""
        return self.subscriber.up

    @property
    def depth(self) -> int:
        """Events that wait here; what waits in Redis nobody knows."""
        return len(self.backlog)

    @property
    def repaired(self) -> int:
        """Subscriptions that were lost with a connection and made again."""
        return self.subscriber.repaired

    async def start(self) -> None:
        """Connects and subscribes, also while Redis is away (`Intake.start`)."""
        is_there = True
        if not self.subscriber.is_heir:
            try:
                (await open_connection(self.address, START_TIMEOUT)).close()
                await self.rights.tell()
            except RedisError:  # the tasks try again, and say so in the log
                is_there = False
        works = [("subscriptions", self.subscriber.run()), ("backlog", self.backlog.run())]
        if self._announces:
            works.append(("notices", self.notices.run()))
        self._tasks = [asyncio.create_task(work, name=name) for name, work in works]
        self._shared.watch(self._tasks)
        if is_there:
            with contextlib.suppress(TimeoutError):
                async with asyncio.timeout(START_TIMEOUT):
                    await self.subscriber.wait_up()

    async def wait_registered(self) -> None:
        """Returns when Redis has confirmed all subscriptions."""
        await self.subscriber.wait_up()

    async def list_interest(self) -> AsyncIterator[Notice]:
        """What this process wants. Others on its Redis are not known: they are asked, and tell all links themselves."""
        async for notice in self.groups.interest.list_own():
            yield notice

    # From one process to the next

    async def rest(self, successor: int, seconds: float) -> None:
        """Stops reading, and returns when all that was read is handed on. Raises `RedisError`, `TimeoutError`."""
        if not self.ready:
            raise RedisUnavailable(f"Redis at {self.address} {self.trouble}")
        async with asyncio.timeout(seconds):
            self.groups.begin_rest()
            await self.notices.settle()
            await self.subscriber.settle()
        self.subscriber.begin_rest()
        self.backlog.hand_all_on()
        self.rested_at = time.monotonic()

    async def end_rest(self) -> None:
        """Reads again: nobody else goes on with the connection."""
        self.subscriber.end_rest()
        self.groups.end_rest()

    def hold_events(self) -> None:
        """Keeps here what comes, until `let_events_come`."""
        self.backlog.keep()

    def let_events_come(self) -> None:
        """Hands on what waits, and what comes."""
        self.backlog.go_on()

    def remember_redis(self, names: Iterable[str]) -> None:
        """What `redis_names` said in the process before this one."""
        self.subscriber.redis_names.extend(names)

    def freeze(self) -> dict[str, Any]:
        """What the process needs that goes on, besides `descriptors`."""
        return {"form": self.form, **freeze_parts([self])}

    @property
    def descriptors(self) -> Sequence[int]:
        """The subscribed connection; none where it can't be passed on, so that what comes meanwhile is lost."""
        return self.subscriber.descriptors

    def inherit(self, frozen: Mapping[str, Any], descriptors: Sequence[int] = ()) -> None:
        """What `freeze` and `descriptors` gave in the process before this one, before `start`."""
        inherit_parts([self], frozen, descriptors, lambda _: 0)

    async def stop(self) -> None:
        """Ends all subscriptions, and hands on what still waits."""
        if not self._tasks:
            return
        await self.end_rest()
        self.backlog.go_on()
        subscriptions = self._tasks[0]
        if self.groups.is_attached:
            self.subscriber.request_stop()
            await asyncio.wait([subscriptions], timeout=STOP_TIMEOUT)
        self.backlog.hand_all_on()
        with contextlib.suppress(RedisError, TimeoutError):
            async with asyncio.timeout(STOP_TIMEOUT):
                await self.notices.settle()
        ending, self._tasks = self._tasks, []
        for task in ending:
            task.cancel()
        await asyncio.gather(*ending, return_exceptions=True)

    async def _announce_again(self) -> None:
        for groups in self.announcing:
            await groups.interest.announce_again()
