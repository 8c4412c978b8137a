"""Which groups the peers of the relay era want, and so which ones this process joins: each once, however many peers."""

import asyncio
import collections
from collections.abc import Iterable, Iterator, Mapping, Set
from typing import Protocol

from awxfast.intake.group_holder import Holder
from awxfast.wire.backplane import Notice

MAX_SUBSCRIPTIONS = 100_000
"""Pairs of group and channel that one peer may have; a web node's browsers make thousands at most."""
MAX_WAITING = 100_000
"""How many more are remembered until there is room for them."""
STEP = 128
"""Groups that are joined or left in one turn of the loop: each costs some 40 us, and others have theirs to do."""

Pair = tuple[str, str]


class HeirHolder(Holder, Protocol):
    """The same of one that may go on for another process."""

    def hold_inherited(self, groups: Iterable[str]) -> None:
        """Holds groups that were held in the process before this one, or will be as soon as Redis is asked."""


class Joined:
    """The groups that this process is in, counted by the peers that want them."""

    def __init__(self, holder: HeirHolder) -> None:
        self._holder = holder
        self._counts: collections.Counter[str] = collections.Counter()
        self._joining: dict[str, asyncio.Future[None]] = {}
        self._unwanted: collections.deque[str] = collections.deque()
        self._ended = False
        self.inherits = False
        """Set while what is wanted is what was wanted in the process before this one."""

    @property
    def groups(self) -> Mapping[str, int]:
        """Each group with the number of peers that want it."""
        return self._counts

    def want(self, group: str) -> None:
        """Counts one more peer that wants the group."""
        if self._ended:
            return
        self._counts[group] += 1
        if self._counts[group] == 1 and self.inherits:
            self._holder.hold_inherited([group])
            self._joining[group] = joined = asyncio.get_running_loop().create_future()
            joined.set_result(None)
        elif self._counts[group] == 1:
            joining = asyncio.ensure_future(self._holder.hold([group]))
            joining.add_done_callback(lambda done: done.cancelled() or done.exception())
            self._joining[group] = joining

    def unwant(self, group: str) -> None:
        """One peer less; the last one's leave follows at once."""
        if self._ended:
            return
        self._counts[group] -= 1
        if self._counts[group] > 0:
            return
        del self._counts[group]
        if not self._joining.pop(group).cancel():  # a hold that is cancelled undoes itself
            self._holder.release([group])

    def end(self) -> None:
        """The process ends and its intake leaves all groups at once: none is joined or left by itself any more."""
        self._ended = True
        self._unwanted.clear()

    def unwant_all(self, groups: Iterable[str]) -> None:
        """One peer less in each, however many: some a turn."""
        if self._ended:
            return
        running = bool(self._unwanted)
        self._unwanted.extend(groups)
        if not running:
            self._unwant_some()

    def _unwant_some(self) -> None:
        for _ in range(min(STEP, len(self._unwanted))):
            self.unwant(self._unwanted.popleft())
        if self._unwanted:
            asyncio.get_running_loop().call_soon(self._unwant_some)


class PeerInterest:
    """What one peer's browsers want: for each group the channels that asked for it, and since which link.

    What there is no room for waits until something is left. Plain attributes are for statistics.
    """

    def __init__(self, joined: Joined) -> None:
        self._joined = joined
        self._origins: dict[str, dict[str, int]] = {}
        self._waiting: dict[Pair, int] = {}
        self._pairs = 0
        self.link = 0
        """Grows with each link; what was wanted on earlier ones is stale."""
        self.refused = 0
        """Subscriptions that found no room, each time."""
        self.forgotten = False
        """Whether some could not even wait: only the peer knows them now."""

    @property
    def groups(self) -> Set[str]:
        """The groups that somebody there wants."""
        return self._origins.keys()

    @property
    def waiting(self) -> int:
        """Subscriptions that wait for room."""
        return len(self._waiting)

    @property
    def has_room(self) -> bool:
        """Whether one more would find room at once."""
        return self._pairs < MAX_SUBSCRIPTIONS and not self._waiting

    def apply(self, notice: Notice, link: int | None = None) -> None:
        """A subscription adds channels, the rest stays; an unsubscription from what is unknown means nothing.

        `link`: the one that it came on, if that is not the present one.
        """
        for group in notice.groups:
            if notice.subscribe:
                self._add(group, notice.origin_channel, self.link if link is None else link)
            else:
                self._remove(group, notice.origin_channel)

    def want_always(self, group: str) -> None:
        """A group that nobody has to ask for."""
        self._add(group, "", self.link)

    def freeze(self) -> list[tuple[str, str, bool]]:
        """Who wants what, and whether that was said on the present link; for another process."""
        pairs = [*((group, origin) for group in self._origins for origin in self._origins[group]), *self._waiting]
        return [(group, origin, self._link_of(group, origin) == self.link) for group, origin in pairs]

    def inherit(self, frozen: Iterable[tuple[str, str, bool]]) -> None:
        """What `freeze` gave in the process before this one; what was stale there is stale here."""
        for group, origin, is_fresh in frozen:
            self._add(group, origin, self.link if is_fresh else self.link - 1)

    def mark_stale(self) -> None:
        """The link is lost: what is wanted now may be wanted still, or not."""
        self.link += 1
        self.forgotten = False

    def drop_stale(self) -> Iterator[None]:
        """What nobody has asked for again since `mark_stale` is wanted no more. A step a turn."""
        pairs = [*self._waiting, *((group, origin) for group in self._origins for origin in self._origins[group])]
        for number, (group, origin) in enumerate(pairs, 1):
            if self._link_of(group, origin) < self.link:
                self._remove(group, origin)
            if number % STEP == 0:
                yield

    def clear(self) -> None:
        """Nobody there wants anything any more."""
        self._joined.unwant_all(self._origins)
        self._origins = {}
        self._waiting = {}
        self._pairs = 0

    def _link_of(self, group: str, origin: str) -> int:
        """On which one it was asked for last; the present one for what is unknown."""
        origins = self._origins.get(group, {})
        return origins[origin] if origin in origins else self._waiting.get((group, origin), self.link)

    def _add(self, group: str, origin: str, link: int) -> None:
        origins = self._origins.get(group)
        if origins is not None and origin in origins:
            origins[origin] = link
        elif self._pairs >= MAX_SUBSCRIPTIONS:
            self._let_wait((group, origin), link)
        else:
            self._take(group, origin, link)

    def _take(self, group: str, origin: str, link: int) -> None:
        self._pairs += 1
        origins = self._origins.get(group)
        if origins is None:
            self._origins[group] = {origin: link}
            self._joined.want(group)
        else:
            origins[origin] = link

    def _let_wait(self, pair: Pair, link: int) -> None:
        if pair not in self._waiting:
            self.refused += 1
        if pair in self._waiting or len(self._waiting) < MAX_WAITING:
            self._waiting[pair] = link
        else:
            self.forgotten = True

    def _remove(self, group: str, origin: str) -> None:
        origins = self._origins.get(group)
        if origins is None or origin not in origins:
            self._waiting.pop((group, origin), None)
            return
        del origins[origin]
        self._pairs -= 1
        if not origins:
            del self._origins[group]
            self._joined.unwant(group)
        if self._waiting:
            pair = next(iter(self._waiting))
            self._take(*pair, self._waiting.pop(pair))
