"""The intakes of a process whose layer has several Redis, as one: whatever comes from each goes to one taker.

Each has its own queue, drain, registrations and outages. One that is away stops its own groups alone.
"""

import asyncio
import contextlib
import functools
import secrets
from collections.abc import Callable, Mapping, Sequence
from typing import Any

from awxfast._rust import EntryFormat
from awxfast.errors import ConfigurationError, RedisUnavailable
from awxfast.intake.event_intake import EventIntake
from awxfast.intake.event_taker import EventTaker
from awxfast.intake.host_names import make_names
from awxfast.intake.host_parts import HostParts, do_all
from awxfast.intake.intake import Intake
from awxfast.intake.intake_shared import STOP_TIMEOUT, IntakeShared
from awxfast.intake.notice_writer import NoticeWriter
from awxfast.intake.pace import Pace
from awxfast.intake.pubsub_hosts import open_pubsub_intake
from awxfast.redis.address import RedisAddress
from awxfast.redis.commands import Command
from awxfast.settings import MAX_EVENT_SIZE, LayerSettings
from awxfast.wire.entry_bodies import make_entry_format
from awxfast.wire.host_choice import MOST_HOSTS, choose_host


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
    if len(addresses) > MOST_HOSTS:
        raise ConfigurationError(f"a channel layer with more than {MOST_HOSTS} Redis is not built")
    if layer.layer == "pubsub":
        arguments = (taker, announce_in, new_pace, max_event_size, token, entry_format)
        return open_pubsub_intake(layer, addresses, *arguments, has_channels=has_channels)
    if len(addresses) == 1:
        return Intake(layer, addresses[0], taker, announce_in, new_pace(), max_event_size, token, entry_format)
    return HostIntakes(layer, addresses, taker, announce_in, new_pace, max_event_size, token, entry_format)


class HostIntakes(HostParts[Intake]):
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
        parts = [
            intake(
                address=address,
                names=one,
                pace=new_pace(),
                max_event_size=max_event_size,
                entry_format=self.entry_format,
            )
            for address, one in zip(addresses, names, strict=True)
        ]
        super().__init__(layer, parts)
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

    # From one process to the next

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

    def freeze(self) -> dict[str, Any]:
        """As one Redis would have it: the next process may know of others, and knows where each group belongs."""
        names = [*self.redis_names]
        return {**self._groups.freeze(), "form": self.form, "repaired": self.repaired, "redis_names": names}

    descriptors: Sequence[int] = ()
    """No connection goes with what is left (`Intake.descriptors`)."""

    def inherit(self, frozen: Mapping[str, Any], descriptors: Sequence[int] = ()) -> None:
        """What `freeze` gave in the process before this one, before `start`."""
        self._groups.inherit(frozen)
        self.parts[0].registration.repaired = frozen["repaired"]
        self.remember_redis(frozen["redis_names"])

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
