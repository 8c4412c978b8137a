"""Who is in an engine besides this publisher, and what takers want there, by their notices; asked for if missed."""

import collections
import dataclasses
import time
from collections.abc import Callable, Collection, Iterable, Mapping
from typing import Any

from awxfast.engine.known_taker import KnownTaker
from awxfast.engine.shared_names import SharedNames
from awxfast.engine.wanted_groups import WantedGroups
from awxfast.wire.engine_notices import MOST_ASKED, Ask, Beat, Bye, Change, Heir, Listing, Notice

SILENCE = 15.0
"""Seconds without a word after which somebody counts as gone."""
LINGER = 120.0
"""After which what a taker wants is not published any more, either. If the engine was cut between, all that passed has
numbers, by which it knows what it missed: a group's are kept as long (`engine.departures`)."""
STALL = 5.0
"""Seconds between two looks that say that this process stood still: what others said meanwhile waits to be read."""
ASK_SECONDS = 2.0
"""After which somebody who has not answered is asked again."""
MOST_OTHERS = 2_000
"""Takers and publishers that are known at a time."""
MOST_PAIRS = 2_000_000
"""Groups of all takers together, at 30 to 215 bytes each: a million browsers on 200 nodes want half of them."""
MOST_GROUPS = 200_000
"""Different ones, each of which a dialler joins, at 0.9 KB: those million browsers want half of them, too."""
MOST_TURNED = 5_000
"""Groups a look that begin or cease to count as their takers' Redis changes; 10 ms. The rest waits for the next one."""


@dataclasses.dataclass(slots=True)
class OtherPublisher:
    """Somebody who brings the events of a Redis."""

    redis: str
    heard_at: float


class KnownWants:
    """What others want. `own_redis` gives the names of this node's Redis. Plain attributes are for figures.

    `always`: groups that every taker with another Redis is taken to want.
    """

    def __init__(
        self,
        who: str,
        wanted: WantedGroups,
        own_redis: Callable[[], Collection[str]],
        always: Collection[str],
        now: Callable[[], float] = time.monotonic,
    ) -> None:
        self._who = who
        self._wanted = wanted
        self._own_redis = own_redis
        self._own_names: Collection[str] = ()
        self._always = frozenset(always)
        self._now = now
        self._is_down = False
        self._looked_at = now()
        self.takers: dict[str, KnownTaker] = {}
        self._turning: dict[str, None] = {}
        """Takers whose Redis is known as another one than before, while not all their groups have followed that."""
        self.publishers: dict[str, OtherPublisher] = {}
        self.pairs = 0
        self._names = SharedNames()
        self.no_room: collections.Counter[str] = collections.Counter()
        """What was not kept: `nodes`, or their `groups`."""

    def hears_taker_of(self, names: Collection[str]) -> bool:
        """Whether somebody takes events for one of these Redis."""
        return any(taker.redis in names and self._is_heard(taker) for taker in self.takers.values())

    def hears_taker(self, who: str) -> bool:
        """Whether that is one who takes events, and has said something lately."""
        return who in self.takers and self._is_heard(self.takers[who])

    def count_takers(self) -> int:
        """Those that have said something lately."""
        return sum(map(self._is_heard, self.takers.values()))

    def list_served(self) -> Iterable[str]:
        """Takers whose groups are to be published."""
        return (who for who, taker in self.takers.items() if taker.counts)

    def hears_publisher_of(self, redis: str) -> bool:
        """Whether somebody else brings the events of that Redis."""
        return any(one.redis == redis for one in self.publishers.values())

    def hear(self, notice: Notice) -> bool:
        """A notice that came; whether it is of somebody new."""
        match notice:
            case Bye():
                self._forget(notice.who)
            case Beat(role="publisher"):
                return self._hear_publisher(notice)
            case Ask() | Heir():
                pass
            case _ if notice.who != self._who:
                return self._hear_taker(notice)
        return False

    def look(self, is_up: bool) -> list[Ask]:
        """Once a moment: forgets who is silent, unless nothing can be heard at present; what is to be asked."""
        now = self._now()
        if self._is_down or not is_up or now - self._looked_at >= STALL:
            self._excuse_all(now)
        self._looked_at = now
        self._is_down = not is_up
        if not is_up:
            return []
        for who in self._list_silent(now):
            self._forget(who)
        self._check_own_names()
        self._turn_some()
        return self._ask_unsure(now)

    def doubt_all(self) -> None:
        """Notices may have been missed."""
        for taker in self.takers.values():
            taker.version = None

    def freeze(self) -> dict[str, Any]:
        """As JSON has it, for the process that goes on with it."""
        takers = [[one.who, one.node, one.redis, one.version, sorted(one.groups)] for one in self.takers.values()]
        publishers = [[who, one.redis] for who, one in self.publishers.items()]
        return {"takers": takers, "publishers": publishers, "no_room": dict(self.no_room)}

    def inherit(self, frozen: Mapping[str, Any]) -> None:
        """What `freeze` gave in the process before this one; what was heard here since is newer."""
        now = self._now()
        for who, node, redis, version, groups in frozen["takers"]:
            known = self.takers.get(who)
            taker = known or self._find_taker(who, node, redis)
            if taker is not None and taker.version is None:
                self._add(taker, groups)
                taker.version = version if known is None else None
        for who, redis in frozen["publishers"]:
            if who not in self.publishers and self._has_room(who):
                self.publishers[who] = OtherPublisher(redis, now)
        self.no_room.update(frozen["no_room"])

    def _hear_publisher(self, beat: Beat) -> bool:
        is_new = beat.who not in self.publishers
        if beat.who == self._who or (is_new and not self._has_room(beat.who)):
            return False
        self.publishers[beat.who] = OtherPublisher(beat.redis, self._now())
        return is_new

    def _hear_taker(self, notice: Change | Listing | Beat) -> bool:
        is_new = not self.hears_taker(notice.who)
        taker = self._find_taker(notice.who, notice.node, notice.redis)
        if taker is None:
            return False
        match notice:
            case Change():
                self._change(taker, notice)
            case Listing():
                self._list(taker, notice)
            case Beat() if taker.version != notice.version:
                taker.version = None
        return is_new

    def _find_taker(self, who: str, node: str, redis: str) -> KnownTaker | None:
        """The one that says so; None: there is no room for it."""
        taker = self.takers.get(who)
        if taker is None:
            if not self._has_room(who):
                return None
            counts = redis not in self._own_redis()
            taker = self.takers[who] = KnownTaker(who, node, redis, self._now(), counts)
            self._add(taker, self._always, past_bounds=True)
        taker.node, taker.redis, taker.heard_at = node, redis, self._now()
        self._check_counts(taker)
        return taker

    def _has_room(self, who: str) -> bool:
        if len(self.takers) + len(self.publishers) < MOST_OTHERS or who in self.takers or who in self.publishers:
            return True
        self.no_room["nodes"] += 1
        return False

    def _change(self, taker: KnownTaker, change: Change) -> None:
        """In order each is right, also when one before it was missed."""
        if taker.version is not None and change.version <= taker.version:
            return
        is_next = taker.version is not None and change.version == taker.version + 1
        taker.version = change.version if is_next else None
        self._remove(taker, change.drop)
        self._add(taker, change.add)
        if taker.missing:
            taker.named.difference_update(change.drop)
            self._note_named(taker, change.add)

    def _list(self, taker: KnownTaker, listing: Listing) -> None:
        """What is not named in any part is wanted no more."""
        if taker.listing != (listing.version, listing.parts) or not taker.missing:
            taker.listing = listing.version, listing.parts
            taker.missing = (1 << listing.parts) - 1
            taker.named = set()
            taker.refused = 0
        taker.missing &= ~(1 << listing.part)
        self._add(taker, listing.groups)
        self._note_named(taker, listing.groups)
        if not taker.missing:
            self._remove(taker, taker.groups - taker.named)
            taker.named = set()
            taker.version = listing.version

    def _note_named(self, taker: KnownTaker, groups: Iterable[str]) -> None:
        taker.named.update(self._names.find(group for group in groups if group in taker))

    def _add(self, taker: KnownTaker, groups: Iterable[str], *, past_bounds: bool = False) -> None:
        fresh = list(dict.fromkeys(group for group in groups if group not in taker))
        room = len(fresh) if past_bounds else max(0, MOST_PAIRS - self.pairs)
        most = len(self._names) + room if past_bounds else MOST_GROUPS
        kept = self._names.keep(fresh[:room], most)
        if refused := len(fresh) - len(kept):
            self.no_room["groups"] += refused
            taker.refused += refused
        self.pairs += len(kept)
        taker.add(kept)
        if taker.counts:
            self._wanted.add(kept)

    def _remove(self, taker: KnownTaker, groups: Iterable[str]) -> None:
        gone = [group for group in set(groups) - self._always if group in taker]
        self.pairs -= len(gone)
        self._names.leave(gone)
        self._wanted.remove(taker.remove(gone))

    def _check_counts(self, taker: KnownTaker) -> None:
        """Events of one's own Redis come from there. Groups follow later, as each beat may say another Redis."""
        taker.counts = taker.redis not in self._own_redis()
        if not taker.is_settled:
            self._turning[taker.who] = None

    def _turn_some(self) -> None:
        room = MOST_TURNED
        for who in list(self._turning):
            taker = self.takers[who]
            moved = taker.turn(room)
            (self._wanted.add if taker.counts else self._wanted.remove)(moved)
            room -= len(moved)
            del self._turning[who]
            if not taker.is_settled:
                self._turning[who] = None  # behind the others
                return

    def _check_own_names(self) -> None:
        names = tuple(self._own_redis())
        if names != self._own_names:
            self._own_names = names
            for taker in self.takers.values():
                self._check_counts(taker)

    def _forget(self, who: str) -> None:
        self.publishers.pop(who, None)
        self._turning.pop(who, None)
        taker = self.takers.pop(who, None)
        if taker is not None:
            self.pairs -= len(taker)
            self._names.leave(taker.groups)
            self._wanted.remove(taker.counted)

    def _excuse_all(self, now: float) -> None:
        for taker in self.takers.values():
            taker.heard_at = now
        for publisher in self.publishers.values():
            publisher.heard_at = now

    def _is_heard(self, one: KnownTaker | OtherPublisher) -> bool:
        return one.heard_at >= self._now() - SILENCE

    def _list_silent(self, now: float) -> list[str]:
        publishers = [who for who, one in self.publishers.items() if not self._is_heard(one)]
        return [*publishers, *(who for who, taker in self.takers.items() if taker.heard_at < now - LINGER)]

    def _ask_unsure(self, now: float) -> list[Ask]:
        """Those whose wants are not known, and those who may find room now."""
        has_room = self.pairs < MOST_PAIRS and len(self._names) < MOST_GROUPS
        unsure = [
            taker
            for taker in self.takers.values()
            if taker.asked_at + ASK_SECONDS <= now and (taker.version is None or (taker.refused and has_room))
        ]
        for taker in unsure:
            taker.asked_at = now
        asked = [taker.who for taker in unsure]
        return [Ask(of=tuple(asked[begin : begin + MOST_ASKED])) for begin in range(0, len(asked), MOST_ASKED)]
