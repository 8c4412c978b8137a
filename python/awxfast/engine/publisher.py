"""This node's Redis as an engine hears it: its events, for whoever wants them there, and word that it is there."""

import asyncio
import logging
import time
from collections.abc import Callable, Collection, Iterable, Mapping, Sequence
from typing import Any

from awxfast.engine.carrier import list_carried, list_present
from awxfast.engine.departures import Departures
from awxfast.engine.known_wants import KnownWants
from awxfast.engine.notice_reader import NoticeReader
from awxfast.engine.roll_call import RollCall
from awxfast.engine.voice import Voice, name_process, next_beat
from awxfast.engine.wanted_groups import Joined, WantedGroups
from awxfast.figures import EngineFigures
from awxfast.quiet_log import QuietLog
from awxfast.wire.engine_notices import Ask, Beat, Bye, Heir

log = logging.getLogger(__name__)

LOOK_SECONDS = 0.25
"""How often marks, silence and what is missed are looked for."""
GREETING_SECONDS = 1.0
"""Between two beats at least: one is said at once to somebody new."""
WAIT_STEP = 0.01
UNKNOWN_REDIS = "0" * 32
"""Of one that was not there yet."""


def name_publisher(token: str) -> str:
    """What a process is called in the engine, by its name in Redis, which the one after it has, too."""
    return name_process("publisher", token)


class Publisher:
    """Publishes by the carrier of `voice` (it is its `Listener`); nothing is joined before `begin`.

    `always`: groups that are wanted wherever another one is.
    """

    def __init__(self, voice: Voice, joined: Joined, always: Collection[str]) -> None:
        self.carrier = voice.carrier
        self.who = voice.who
        self._voice = voice
        self._names = voice.carrier.names
        self.wanted = WantedGroups(joined)
        self.known = KnownWants(self.who, self.wanted, lambda: voice.redis_names, always)
        self.departures = Departures(self.carrier, self.who, self._name_redis)
        self._roll_call = RollCall(lambda: self.carrier.hold(self._names.wants), self.carrier.release)
        self.not_wanted = 0
        """Events of groups that nobody elsewhere wants."""
        self.notices = NoticeReader()
        self.is_beside = False
        """Whether another process is this publisher still."""
        self._is_heard = self._is_announced = self._has_ended = False
        self._next_beat = self._last_beat = float("-inf")
        self._quiet = QuietLog(log)

    @property
    def up(self) -> bool:
        """Whether events can be sent and notices come."""
        return self._is_heard and self.carrier.up

    @property
    def is_well(self) -> bool:
        """Whether it is up, and nothing is refused."""
        return self.up and not self.carrier.trouble

    @property
    def trouble(self) -> str:
        """Why it is not up, in words."""
        return self.carrier.trouble or "no answer"

    def hears(self, taker: str) -> bool:
        """Whether it is one that is in the engine now."""
        return self.known.hears_taker(taker)

    def has_taker_at(self, redis: str) -> bool:
        """Whether somebody there takes events of the engine, who ought to know this publisher; it is told again."""
        is_there = bool(redis) and self.known.hears_taker_of([redis])
        if is_there:
            self._greet()
        return is_there

    def replaces_link_from(self, redis: str) -> bool:
        """Whether that Redis' events come to this node through the engine: nobody needs to send them otherwise."""
        return self.known.hears_publisher_of(redis) and self.known.hears_taker_of(self._voice.redis_names)

    def publish(self, texts: Iterable[tuple[str, int, bytes]]) -> None:
        """Groups, each with how many texts it has and those as they stand in a packet."""
        for group, count, body in texts:
            if group in self.wanted:
                self.departures.publish(group, count, body)
            else:
                self.not_wanted += count

    def begin(self) -> None:
        """Joins what is wanted elsewhere, from now on."""
        self.is_beside = False
        self.wanted.begin()

    async def run(self) -> None:
        """Until it is cancelled."""
        await self.carrier.start(self)
        await self.carrier.subscribe([self._names.wants])
        self._is_heard = True
        self._voice.say(Ask(of=None))
        while True:
            self._look()
            await asyncio.sleep(LOOK_SECONDS)

    async def wait_up(self, seconds: float) -> bool:
        """Returns when it is up, or after so many seconds; whether it is."""
        return await wait_for(lambda: self.up, seconds)

    async def wait_announced(self, seconds: float) -> bool:
        """The same, and others have heard that it is there: its own word of it has come back."""
        return await wait_for(lambda: self.up and self._is_announced, seconds)

    async def announce(self, seconds: float) -> bool:
        """Says that it is there, and whether that has come back within so many seconds: what went before has, too."""
        self._is_announced = False
        self._beat()
        return await self.wait_announced(seconds)

    async def wait_heard(self, taker: str, seconds: float) -> bool:
        """Asks who this is; whether it has answered within so many seconds."""
        if not self.hears(taker):
            self._voice.say(Ask(of=(taker,)))
        return await wait_for(lambda: self.hears(taker), seconds)

    async def wait_sent(self, seconds: float) -> bool:
        """Returns when nothing waits any more to be sent, or after so many seconds; whether nothing does."""
        return await wait_for(lambda: not self.carrier.figures().queued, seconds)

    async def stop(self) -> None:
        """Says goodbye, unless it goes on in another process."""
        if self._has_ended:
            return
        self._has_ended = True
        self.wanted.end()
        self._roll_call.end()
        if self.carrier.up and not self.is_beside:
            self._voice.say(Bye(who=self.who))
        await self.carrier.stop()

    # From one process to the next

    def freeze(self) -> dict[str, Any]:
        """As JSON has it."""
        counts = {"not_wanted": self.not_wanted, "skipped": dict(self.notices.faults)}
        return {"departures": self.departures.freeze(), "known": self.known.freeze(), **counts}

    def inherit(self, frozen: Mapping[str, Any]) -> None:
        """What `freeze` gave in the process before this one, whose place it takes; `begin` must follow."""
        self.departures.inherit(frozen["departures"])
        self.known.inherit(frozen["known"])
        self.not_wanted += frozen["not_wanted"]
        self.notices.faults.update(frozen["skipped"])

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
            total = self.departures.dropped[reason]
            self._quiet.warn(reason, f"engine: events lost since the start: {total} ({reason})")

    def note_cut(self, channels: Collection[str] | None) -> None:
        """Notices may have been missed, and marks. Takers may have been cut off as well: what waits is for them."""
        self.departures.note_cut()
        if channels is None:
            self._roll_call.begin(self.known.list_served())
        if channels is None or self._names.wants in channels:
            self.known.doubt_all()
            self._voice.say(Ask(of=None))
            self._next_beat = float("-inf")

    def figures(self) -> EngineFigures:
        """As the operator's pages show them."""
        departures, known, carrier = self.departures, self.known, self.carrier.figures()
        return EngineFigures(
            up=self.is_well,
            trouble=self.carrier.trouble,
            events={"sent": departures.events, "not_wanted": self.not_wanted},
            lost=dict(departures.dropped),
            faults=dict(self.notices.faults),
            no_room=dict(known.no_room),
            own=list_carried(carrier),
            present={
                **list_present(carrier),
                "takers": known.count_takers(),
                "publishers": len(known.publishers),
                "wanted": len(self.wanted),
                "counted": departures.groups,
            },
        )

    def _name_redis(self) -> str:
        return self._voice.redis or UNKNOWN_REDIS

    def _hear(self, message: bytes) -> None:
        notice = self.notices.read(message, wants_groups=True)
        if notice is None:
            return
        self._is_announced |= isinstance(notice, Beat) and notice.who == self.who
        if not isinstance(notice, Ask | Heir):
            self._roll_call.note(notice.who)
        if self.known.hear(notice):
            self._greet()

    def _greet(self) -> None:
        self._next_beat = min(self._next_beat, self._last_beat + GREETING_SECONDS)

    def _look(self) -> None:
        for ask in self.known.look(self.up):
            self._voice.say(ask)
        if self.is_beside:
            return
        if not self._roll_call.is_under_way:
            self.departures.send_marks()
        if time.monotonic() >= self._next_beat:
            self._beat()

    def _beat(self) -> None:
        now, speaker = time.monotonic(), self._voice.speaker
        if self.up and speaker is not None:
            self._last_beat, self._next_beat = now, now + next_beat()
            self._voice.say(Beat(**speaker, role="publisher"))


async def wait_for(is_so: Callable[[], bool], seconds: float) -> bool:
    """Looks again and again, for so many seconds at most; whether it has become so."""
    end = time.monotonic() + seconds
    while not is_so() and time.monotonic() < end:  # noqa: ASYNC110  seldom, and of what nobody tells
        await asyncio.sleep(WAIT_STEP)
    return is_so()
