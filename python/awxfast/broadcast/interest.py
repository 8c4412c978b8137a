"""Which groups the peers of the relay era want, and so which ones this process joins: each once, however many peers."""

import asyncio
import collections
from collections.abc import Awaitable, Iterable, Mapping, Set
from typing import Protocol

from awxfast.wire.backplane import Notice

MAX_SUBSCRIPTIONS = 100_000
"""Pairs of group and channel that one peer may have; a web node's browsers make thousands at most."""


class Holder(Protocol):
    """Who joins groups in the local Redis (the intake)."""

    def hold(self, groups: Iterable[str]) -> Awaitable[None]:
        """Joins; returns when events come."""

    def release(self, groups: Iterable[str]) -> None:
        """Undoes one hold."""


class Joined:
    """The groups that this process is in, counted by the peers that want them."""

    def __init__(self, holder: Holder) -> None:
        self._holder = holder
        self._counts: collections.Counter[str] = collections.Counter()
        self._joining: dict[str, asyncio.Future[None]] = {}

    @property
    def groups(self) -> Mapping[str, int]:
        """Each group with the number of peers that want it."""
        return self._counts

    def want(self, group: str) -> None:
        """One peer more."""
        self._counts[group] += 1
        if self._counts[group] == 1:
            joining = asyncio.ensure_future(self._holder.hold([group]))
            joining.add_done_callback(lambda done: done.cancelled() or done.exception())
            self._joining[group] = joining

    def unwant(self, group: str) -> None:
        """One peer less; the last one's leave follows at once."""
        self._counts[group] -= 1
        if self._counts[group] > 0:
            return
        del self._counts[group]
        if not self._joining.pop(group).cancel():  # a hold that is cancelled undoes itself
            self._holder.release([group])


class PeerInterest:
    """What one peer's browsers want: for each group the channels that asked for it."""

    def __init__(self, joined: Joined) -> None:
        self._joined = joined
        self._origins: dict[str, set[str]] = {}
        self._stale: set[tuple[str, str]] = set()
        self._pairs = 0
        self.refused = 0

    @property
    def groups(self) -> Set[str]:
        """The groups that somebody there wants."""
        return self._origins.keys()

    def apply(self, notice: Notice) -> None:
        """A subscription adds channels, the rest stays; an unsubscription from what is unknown means nothing."""
        for group in notice.groups:
            if notice.subscribe:
                self._add(group, notice.origin_channel)
            else:
                self._remove(group, notice.origin_channel)

    def want_always(self, group: str) -> None:
        """A group that nobody has to ask for."""
        self._add(group, "")

    def mark_stale(self) -> None:
        """The link is lost: what is wanted now may be wanted still, or not."""
        self._stale = {(group, origin) for group, origins in self._origins.items() for origin in origins}

    def drop_stale(self) -> None:
        """What nobody has asked for again since `mark_stale` is wanted no more."""
        for group, origin in list(self._stale):
            self._remove(group, origin)

    def clear(self) -> None:
        """Nobody there wants anything any more."""
        self._stale.clear()
        for group in self._origins:
            self._joined.unwant(group)
        self._origins.clear()
        self._pairs = 0

    def _add(self, group: str, origin: str) -> None:
        origins = self._origins.get(group)
        self._stale.discard((group, origin))
        if origins is not None and origin in origins:
            return
        if self._pairs >= MAX_SUBSCRIPTIONS:
            self.refused += 1
            return
        self._pairs += 1
        if origins is None:
            self._origins[group] = {origin}
            self._joined.want(group)
        else:
            origins.add(origin)

    def _remove(self, group: str, origin: str) -> None:
        origins = self._origins.get(group)
        if origins is None or origin not in origins:
            return
        origins.remove(origin)
        self._stale.discard((group, origin))
        self._pairs -= 1
        if not origins:
            del self._origins[group]
            self._joined.unwant(group)
