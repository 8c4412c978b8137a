"""This node's Redis as an engine hears it: its events, for whoever wants them there, and word that it is there."""

import asyncio
import collections
import logging
import random
import secrets
import time
from collections.abc import Callable, Collection, Iterable, Mapping, Sequence
from typing import Any

from awxfast.engine.carrier import Carrier, ChannelNames, list_carried, list_present
from awxfast.engine.departures import Departures
from awxfast.engine.known_wants import KnownWants
from awxfast.engine.wanted_groups import Joined, WantedGroups
from awxfast.figures import EngineFigures
from awxfast.quiet_log import QuietLog
from awxfast.wire.backplane import Fault
from awxfast.wire.engine_notices import Ask, Beat, Bye, Notice, encode_notice, read_notice

log = logging.getLogger(__name__)

LOOK_SECONDS = 0.25
"""How often marks, silence and what is missed are looked for."""
BEAT_SECONDS = 5.0
GREETING_SECONDS = 1.0
"""Between two beats at least: one is said at once to somebody new."""
WAIT_STEP = 0.01
UNKNOWN_REDIS = "0" * 32
"""No Redis' fingerprint."""


class Publisher:
    """Publishes through `carrier` (it is its `Listener`), as `who`: 16 hex digits, or what another process had.

    `own_redis` gives the names of this node's Redis, the newest last; `node` is this node's name.
    `always`: groups that are wanted wherever another Redis is.
    """

    def __init__(
        self,
        carrier: Carrier,
        names: ChannelNames,
        node: str,
        joined: Joined,
        own_redis: Callable[[], Collection[str]],
        always: Collection[str],
        who: str | None = None,
    ) -> None:
        self.carrier = carrier
        self._names = names
        self._node = node
        self._own_redis = own_redis
        self.who = who or secrets.token_hex(8)
        self.wanted = WantedGroups(joined)
        self.known = KnownWants(self.who, self.wanted, own_redis, always)
        self.departures = Departures(carrier, names, self.who, self._redis)
        self.not_wanted = 0
        """Events of groups that nobody elsewhere wants."""
        self.skipped: collections.Counter[str] = collections.Counter()
        """Notices that are none, by what is wrong."""
        self.is_beside = False
        """Whether another process is this publisher still."""
        self._is_heard = self._was_up = False
        self._next_beat = self._last_beat = float("-inf")
        self._quiet = QuietLog(log)

    @property
    def up(self) -> bool:
        """Whether events can be sent and notices come."""
        return self._is_heard and self.carrier.up

    def hears(self, taker: str) -> bool:
        """Whether it is one that is in the engine now."""
        return taker in self.known.takers

    def replaces_link_from(self, redis: str) -> bool:
        """Whether that Redis' events come to this node through the engine: nobody needs to send them otherwise."""
        return self.known.hears_publisher_of(redis) and self.known.hears_taker_of(self._own_redis())

    def publish(self, texts: Iterable[tuple[str, int, bytes]]) -> None:
        """Groups, each with how many texts it has and those as they stand in a packet."""
        for group, count, body in texts:
            if group in self.wanted:
                self.departures.publish(group, count, body)
            else:
                self.not_wanted += count

    async def run(self) -> None:
        """Until it is cancelled."""
        await self.carrier.start(self)
        await self.carrier.subscribe([self._names.wants])
        self._is_heard = True
        self._say(Ask(of=None))
        while True:
            self._look()
            await asyncio.sleep(LOOK_SECONDS)

    async def wait_up(self, seconds: float) -> bool:
        """Returns when it is up, or after so many seconds; whether it is."""
        return await wait_for(lambda: self.up, seconds)

    async def wait_heard(self, taker: str, seconds: float) -> bool:
        """Asks who this is; whether it has answered within so many seconds."""
        if not self.hears(taker):
            self._say(Ask(of=(taker,)))
        return await wait_for(lambda: self.hears(taker), seconds)

    async def wait_sent(self, seconds: float) -> bool:
        """Returns when nothing waits any more to be sent, or after so many seconds; whether nothing does."""
        return await wait_for(lambda: not self.carrier.figures().queued, seconds)

    async def stop(self) -> None:
        """Says goodbye, unless it goes on in another process."""
        self.wanted.end()
        if self.carrier.up and not self.is_beside:
            self._say(Bye(who=self.who))
        await self.carrier.stop()

    # From one process to the next

    def freeze(self) -> dict[str, Any]:
        """As JSON has it."""
        counts = {"not_wanted": self.not_wanted, "skipped": dict(self.skipped)}
        return {"who": self.who, "departures": self.departures.freeze(), "known": self.known.freeze(), **counts}

    def inherit(self, frozen: Mapping[str, Any]) -> None:
        """What `freeze` gave in the process before this one, whose place it takes."""
        self.departures.inherit(frozen["departures"])
        self.known.inherit(frozen["known"])
        self.not_wanted += frozen["not_wanted"]
        self.skipped.update(frozen["skipped"])
        self.is_beside = False

    # What the carrier tells

    def receive(self, messages: Sequence[tuple[str, bytes]]) -> None:
        """What others say of themselves and of what they want."""
        for channel, message in messages:
            if channel == self._names.wants:
                self._hear(message)

    def note_lost(self, events: int, reason: str) -> None:
        """Events did not leave."""
        self.departures.note_lost(events, reason)
        if events:
            self._quiet.warn(reason, f"engine: {events} events are lost ({reason})")

    def note_cut(self, channels: Collection[str] | None) -> None:
        """Notices may have been missed, and marks."""
        self.departures.note_cut()
        if channels is None or self._names.wants in channels:
            self.known.doubt_all()
            self._say(Ask(of=None))
            self._next_beat = float("-inf")

    def figures(self) -> EngineFigures:
        """As the operator's pages show them."""
        departures, known, carrier = self.departures, self.known, self.carrier.figures()
        return EngineFigures(
            up=self.up,
            trouble=self.carrier.trouble,
            events={"sent": departures.events, "not_wanted": self.not_wanted},
            lost=dict(departures.dropped),
            faults=dict(self.skipped),
            no_room=dict(known.no_room),
            own=list_carried(carrier),
            present={
                **list_present(carrier),
                "takers": len(known.takers),
                "publishers": len(known.publishers),
                "wanted": len(self.wanted),
                "counted": departures.groups,
            },
        )

    def _redis(self) -> str:
        names = [*self._own_redis()]
        return names[-1] if names else UNKNOWN_REDIS

    def _hear(self, message: bytes) -> None:
        notice = read_notice(message)
        if isinstance(notice, Fault):
            self.skipped[notice] += 1
            self._quiet.warn(notice, f"engine: a notice is none ({notice})")
        elif self.known.hear(notice):
            self._next_beat = min(self._next_beat, self._last_beat + GREETING_SECONDS)

    def _look(self) -> None:
        self._tell_state()
        for ask in self.known.look(self.up):
            self._say(ask)
        if self.is_beside:
            return
        self.departures.send_marks()
        now, redis = time.monotonic(), self._redis()
        if self.up and now >= self._next_beat and redis != UNKNOWN_REDIS:
            self._last_beat, self._next_beat = now, now + BEAT_SECONDS * random.uniform(0.8, 1.2)
            self._say(Beat(who=self.who, node=self._node, redis=redis, role="publisher"))

    def _say(self, notice: Notice) -> None:
        self.carrier.publish(self._names.wants, encode_notice(notice), 0)

    def _tell_state(self) -> None:
        if self.up != self._was_up:
            self._was_up = self.up
            if self.up:
                log.info("engine: connected")
            else:
                log.warning("engine: disconnected (%s)", self.carrier.trouble or "no reason is known")


async def wait_for(is_so: Callable[[], bool], seconds: float) -> bool:
    """Looks again and again, for so many seconds at most; whether it has become so."""
    end = time.monotonic() + seconds
    while not is_so() and time.monotonic() < end:  # noqa: ASYNC110  seldom, and of what nobody tells
        await asyncio.sleep(WAIT_STEP)
    return is_so()
