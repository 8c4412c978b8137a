"""Which publishers a taker hears in the engine: a link to one of them need not bring what the engine brings."""

import dataclasses
import time
from collections.abc import Callable, Iterator, Sequence
from typing import TypeVar

from awxfast.wire.engine_notices import Beat

HEARD_SECONDS = 15.0
"""How long whoever has said something counts as there."""
MOST_KNOWN = 2_000
MOST_BESIDE = 256
"""Takers on the same Redis whose links are known."""
MOST_LINKS = 20_000
"""Links that they may have in all."""

Word = TypeVar("Word")


class KnownPublishers:
    """By what they say of themselves; and what other takers on the same Redis say that links bring them.

    Whoever is heard first while there is no room is not known; `no_room` counts how often.
    """

    def __init__(self, now: Callable[[], float] = time.monotonic) -> None:
        self._now = now
        self._heard: dict[str, tuple[float, Beat]] = {}
        self._linked: dict[str, tuple[float, frozenset[str]]] = {}
        self.no_room = 0

    def __iter__(self) -> Iterator[Beat]:
        """The last word of each publisher that is heard."""
        since = self._now() - HEARD_SECONDS
        return (beat for at, beat in self._heard.values() if at >= since)

    def hear(self, beat: Beat) -> None:
        """A publisher is there."""
        self._note(self._heard, beat.who, dataclasses.replace(beat, linked=()), MOST_KNOWN)

    def hear_links(self, taker: str, linked: Sequence[str]) -> None:
        """Another taker on the same Redis says whose events it passes on there."""
        self._linked.pop(taker, None)
        if not linked:
            return
        self._drop_silent(self._linked)
        if sum(len(names) for _, names in self._linked.values()) + len(linked) > MOST_LINKS:
            self.no_room += 1
            return
        self._note(self._linked, taker, frozenset(linked), MOST_BESIDE)

    def forget(self, who: str) -> None:
        """It says that it leaves."""
        self._heard.pop(who, None)
        self._linked.pop(who, None)

    def is_heard(self, publisher: str) -> bool:
        """Whether it has said something lately."""
        at, _ = self._heard.get(publisher, (float("-inf"), None))
        return at >= self._now() - HEARD_SECONDS

    def is_linked_elsewhere(self, publisher: str) -> bool:
        """Whether its events come by this process's Redis, since another taker there has a link to it."""
        if not self._linked:
            return False
        since = self._now() - HEARD_SECONDS
        return any(publisher in linked for at, linked in self._linked.values() if at >= since)

    def _note(self, table: dict[str, tuple[float, Word]], who: str, word: Word, most: int) -> None:
        table.pop(who, None)
        self._drop_silent(table)
        if len(table) >= most:
            self.no_room += 1
            return
        table[who] = (self._now(), word)

    def _drop_silent(self, table: dict[str, tuple[float, Word]]) -> None:
        """Those that were heard last stand last."""
        since = self._now() - HEARD_SECONDS
        while table:
            who, (at, _) = next(iter(table.items()))
            if at >= since:
                return
            del table[who]
