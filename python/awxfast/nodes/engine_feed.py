"""What this process takes from an engine: events of other nodes for its own browsers and consumers, and metrics.

Nothing of it goes on into Redis but metrics: each process of awxfast there takes for itself.
"""

import itertools
import socket
import time
from collections.abc import Mapping, Sequence
from typing import Any

from awxfast._rust import Fanout
from awxfast.engine.arrivals import Arrivals, ConsumerTaker
from awxfast.engine.carrier import Carrier, list_carried, list_present
from awxfast.engine.open_carrier import open_carrier
from awxfast.engine.packet_checks import OriginCounts, PacketChecks
from awxfast.engine.probe import probe
from awxfast.engine.taker import Taker, name_taker
from awxfast.engine.voice import Voice
from awxfast.figures import EngineFigures, EngineOrigin
from awxfast.intake.event_intake import EventIntake
from awxfast.nodes.onward import Onward
from awxfast.printable import LINE, escape
from awxfast.settings import Settings
from awxfast.wire.engine_handshake import EngineOffer
from awxfast.wire.engine_notices import MAX_NODE
from awxfast.wire.groups import is_valid_group

SETTLE_SECONDS = 5.0
"""After a start links of publishers that are not heard yet are put off: the engine may bring their events by then."""
NAMELESS = (
    "Redis does not say which one it is, so what this node publishes in the engine comes twice: allow its user INFO"
)
SHOWN_ORIGINS = 100
"""Publishers that are shown one by one, those with the most events."""


def build_engine(
    settings: Settings, backplane: str, fanout: Fanout, intake: EventIntake, consumers: ConsumerTaker | None
) -> "EngineFeed | NoEngine":
    """What `--engine` asks for. `backplane`: the group that copies of all events go to. Raises `ConfigurationError`."""
    if settings.engine is None:
        return NoEngine()
    return EngineFeed(open_carrier(settings.engine), settings, backplane, fanout, intake, consumers)


class NoEngine:
    """Nodes bring events over links, or not at all."""

    async def start(self) -> None:
        """There is nothing to start."""

    async def probe(self) -> str:
        """Empty: there is nothing to ask."""
        return ""

    async def stop(self) -> None:
        """There is nothing to stop."""

    async def look_ahead(self) -> None:
        """There is nothing to hear."""

    def go_on(self) -> None:
        """There is nothing that waits."""

    async def rest(self) -> None:
        """There is nothing that could be on its way."""

    def abandon(self) -> None:
        """There is nothing to let go of."""

    def freeze(self) -> dict[str, Any] | None:
        """None: there is nothing to leave."""
        return None

    def inherit(self, frozen: Mapping[str, Any] | None) -> None:
        """There is nothing to go on with."""

    def is_early_for(self, offer: EngineOffer) -> bool:
        """No time changes anything where there is no engine."""
        return False

    def name_for(self, offer: EngineOffer) -> str | None:
        """None: a link has to bring what its node has."""
        return None

    def note_link(self, publisher: str, by: int) -> None:
        """What it brings comes in no other way."""

    def describe(self) -> str | None:
        """None: there is none."""
        return None

    def figures(self) -> EngineFigures | None:
        """None: there is none."""
        return None

    def troubles(self) -> Sequence[str]:
        """Nothing can be wrong."""
        return []


class EngineFeed(NoEngine):
    """A `Taker` among the rooms of this process."""

    def __init__(
        self,
        carrier: Carrier,
        settings: Settings,
        backplane: str,
        fanout: Fanout,
        intake: EventIntake,
        consumers: ConsumerTaker | None,
    ) -> None:
        self._backplane = backplane
        self._intake = intake
        self._began = time.monotonic()
        hosts = [(part.address, part.outages, part.names.non_local) for part in intake.parts]
        self._metrics = Onward(settings, intake.entry_format, hosts, fanout)

        def make_arrivals(checks: PacketChecks) -> Arrivals:
            return Arrivals(checks, fanout, consumers, self._metrics.store, intake.caught_up.wait)

        node = socket.gethostname()[:MAX_NODE] or "?"
        voice = Voice(carrier, name_taker(intake.token), node, intake)
        self.taker = Taker(voice, fanout.count_gap, make_arrivals)
        for part in intake.parts:
            part.groups.watch(self)

    # Whoever holds groups

    def note_held(self, groups: Sequence[str]) -> None:
        """Others may have events of these, but for the group that links hear, and the process's own."""
        self.taker.note_held(self._list_wanted(groups))

    def note_left(self, groups: Sequence[str]) -> None:
        """Nobody here wants these any more."""
        self.taker.note_left(self._list_wanted(groups))

    def _list_wanted(self, groups: Sequence[str]) -> list[str]:
        return [group for group in groups if group != self._backplane and is_valid_group(group)]

    # Its life

    async def start(self) -> None:
        """Begins to take, whether the engine is there or not."""
        self._metrics.start()
        await self.taker.start()

    async def probe(self) -> str:
        """In place of `start`: see `engine.probe`."""
        return await probe(self.taker.carrier)

    async def stop(self) -> None:
        """Nobody takes here any more. What was abandoned is ended."""
        await self.taker.stop()
        await self._metrics.stop()

    async def look_ahead(self) -> None:
        """Hears what the process hears whose place this one is to take."""
        await self.taker.look_ahead()

    def go_on(self) -> None:
        """Takes what came meanwhile, and what comes."""
        self.taker.go_on()

    async def rest(self) -> None:
        """Returns when the process that is to take this one's place hears what this one does."""
        await self.taker.rest()

    def abandon(self) -> None:
        """That process has taken it: nothing is taken here from now on."""
        self.taker.abandon()

    def freeze(self) -> dict[str, Any]:
        """What it needs, as JSON has it."""
        return self.taker.freeze()

    def inherit(self, frozen: Mapping[str, Any] | None) -> None:
        """What `freeze` gave in the process before this one."""
        self.taker.inherit(frozen)

    # Links of nodes that are in the engine, too

    def is_early_for(self, offer: EngineOffer) -> bool:
        """Whether who dials may be heard in a moment, so that the link need not bring anything as long as it is up."""
        is_new = time.monotonic() - self._began < SETTLE_SECONDS
        return is_new and not offer.is_apart and not self.taker.publishers.is_heard(offer.publisher)

    def name_for(self, offer: EngineOffer) -> str | None:
        """What a link of this publisher is answered: who takes here what it publishes, so that the link need not.

        None: it is not heard here, or does not hear us (`EngineOffer.is_apart`): the link has to bring it.
        """
        is_heard = self.taker.publishers.is_heard(offer.publisher)
        return self.taker.who if is_heard and not offer.is_apart else None

    def note_link(self, publisher: str, by: int) -> None:
        """So many more links bring what this publisher also sends through the engine."""
        self.taker.note_link(publisher, by)

    # Figures

    def describe(self) -> str:
        """Where it is, and the prefix."""
        return self.taker.carrier.address.describe()

    def figures(self) -> EngineFigures:
        """What operators see of it."""
        taker, carrier = self.taker, self.taker.carrier.figures()
        checks = taker.checks
        return EngineFigures(
            up=taker.carrier.up and not taker.carrier.trouble,
            trouble=taker.carrier.trouble,
            events=dict(checks.events),
            lost=dict(checks.lost),
            faults={**checks.faults, **taker.notices.faults},
            no_room=taker.no_room,
            own=list_carried(carrier),
            present={
                **list_present(carrier),
                "waiting": taker.arrivals.waiting,
                "publishers": sum(1 for _ in taker.publishers),
            },
            origins=self._list_origins(),
        )

    def _list_origins(self) -> Sequence[EngineOrigin]:
        heard = {beat.who: beat.node for beat in self.taker.publishers}
        counts = self.taker.checks.origins
        most = sorted(counts, key=lambda who: counts[who].events, reverse=True)
        shown = dict.fromkeys([*most[:SHOWN_ORIGINS], *heard])
        listed = [
            (who, heard.get(who), counts.get(who, OriginCounts(""))) for who in itertools.islice(shown, SHOWN_ORIGINS)
        ]
        return [
            EngineOrigin(who, escape(node or one.node, LINE), node is not None, one.events, one.missed, one.doubles)
            for who, node, one in listed
        ]

    def troubles(self) -> Sequence[str]:
        """Whoever has not reached the engine yet is not ready; later the own Redis' events go on while it is away."""
        away = [] if self.taker.was_there else [self._say_away()]
        return [*away, NAMELESS] if self._intake.redis_name == "" else away

    def _say_away(self) -> str:
        carrier = self.taker.carrier
        return f"the engine {carrier.address}: {carrier.trouble or 'it does not answer'}"
