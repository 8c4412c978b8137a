"""The intake of a pub/sub layer with one Redis or several: a subscribed connection for each, all for one taker.

Redis' channels are spread by their names. A channel of the process may be on any: all are subscribed to
its pattern.
"""

import asyncio
import functools
import secrets
from collections.abc import Callable, Mapping, Sequence
from typing import Any

from awxfast._rust import EntryFormat
from awxfast.intake.event_taker import EventTaker
from awxfast.intake.host_parts import HostParts, do_all
from awxfast.intake.intake_shared import IntakeShared
from awxfast.intake.pace import Pace
from awxfast.intake.pubsub_estate import freeze_parts, inherit_parts
from awxfast.intake.pubsub_intake import PubSubIntake
from awxfast.redis.address import RedisAddress
from awxfast.settings import LayerSettings
from awxfast.wire.entry_bodies import make_entry_format
from awxfast.wire.host_choice import choose_by_group


def open_pubsub_intake(
    layer: LayerSettings,
    addresses: Sequence[RedisAddress],
    taker: EventTaker,
    announce_in: str | None,
    new_pace: Callable[[], Pace],
    max_event_size: int,
    token: str | None,
    entry_format: EntryFormat | None,
    *,
    has_channels: bool,
) -> "PubSubIntake | PubSubHosts":
    """From the one Redis of a layer, or from all. See `Intake` and `PubSubIntake` for the arguments."""
    opened = functools.partial(
        PubSubIntake,
        layer,
        taker=taker,
        announce_in=announce_in,
        max_event_size=max_event_size,
        token=token or secrets.token_hex(16),
        entry_format=entry_format or make_entry_format(layer),
        has_channels=has_channels,
    )
    if len(addresses) == 1:
        return opened(address=addresses[0], pace=new_pace())
    return PubSubHosts(layer, addresses, announce_in, new_pace, opened)


class PubSubHosts(HostParts[PubSubIntake]):
    """What `PubSubIntake` does, for several Redis. Notices of all go through the one that has the backplane's group."""

    form = PubSubIntake.form
    recovers = PubSubIntake.recovers

    def __init__(
        self,
        layer: LayerSettings,
        addresses: Sequence[RedisAddress],
        announce_in: str | None,
        new_pace: Callable[[], Pace],
        opened: Callable[..., PubSubIntake],
    ) -> None:
        """`opened`: makes a part, when it is told of its Redis."""
        shared = IntakeShared()
        home = choose_by_group(layer, len(addresses))(announce_in) if announce_in is not None else 0
        part = functools.partial(opened, shared=shared)
        self._home = part(address=addresses[home], pace=new_pace(), host=home)
        others = [
            part(address=address, pace=new_pace(), host=host, apart=self._home.notices)
            for host, address in enumerate(addresses)
            if host != home
        ]
        super().__init__(layer, [*others[:home], self._home, *others[home:]])
        self._others = others
        self._home.announcing[1:] = [other.groups for other in others]
        self.caught_up, self.failed = shared.caught_up, shared.failed
        self.entry_format, self.token = self._home.entry_format, self._home.token

    async def rest(self, successor: int, seconds: float) -> None:
        """See `PubSubIntake.rest`; the one that publishes notices last."""
        await do_all(part.rest(successor, seconds) for part in self._others)
        await self._home.rest(successor, seconds)

    def freeze(self) -> dict[str, Any]:
        """As one Redis would have it, and each connection by itself."""
        return {"form": self.form, **freeze_parts(self.parts)}

    @property
    def descriptors(self) -> Sequence[int]:
        """The subscribed connections, those that can be passed on."""
        return [descriptor for part in self.parts for descriptor in part.descriptors]

    def inherit(self, frozen: Mapping[str, Any], descriptors: Sequence[int] = ()) -> None:
        """What `freeze` and `descriptors` gave in the process before this one, before `start`."""
        inherit_parts(self.parts, frozen, descriptors, self.choose)

    def abandon(self) -> Sequence[asyncio.Task[None]]:
        """Another process goes on: nothing is said to Redis any more. What is about to end."""
        return [task for part in self.parts for task in part.abandon()]

    async def stop(self) -> None:
        """Ends all subscriptions, and hands on what still waits; the one that publishes notices last."""
        await do_all(part.stop() for part in self._others)
        await self._home.stop()
