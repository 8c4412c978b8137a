"""Which groups a peer of the relay era wants, and which of its browsers asked for them."""

from collections.abc import Iterable, Iterator, Set

from awxfast.broadcast.joined_groups import JoinedGroups
from awxfast.intake.group_holder import STEP
from awxfast.wire.backplane import Notice

MAX_SUBSCRIPTIONS = 100_000
"""Pairs of group and channel that one peer may have; a web node's browsers make thousands at most."""
MAX_WAITING = 100_000
"""How many more are remembered until there is room for them."""

Pair = tuple[str, str]


class PeerInterest:
    """What one peer's browsers want: for each group the channels that asked for it, and since which link.

    What there is no room for waits until something is left. Plain attributes are for statistics.
    """

    def __init__(self, joined: JoinedGroups) -> None:
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
