"""Memory of what clients have sent and nobody has answered: heads, bodies, and what came behind an upgrade's head.

A connection may hold some 100 KiB of it, thousands of them together may not. Honest handshakes and requests are small,
so whoever holds the most gives way. Among equals those go first that are not whole, the oldest before the others: an
honest head is there at once. Of what is whole the newest goes, whose work has not begun. Before all others goes what an
application works on for a client that is gone.
"""

import asyncio
import collections
from collections.abc import Callable
from typing import Protocol

MOST_BYTES = 134_217_728
"""Of a server without a bound of its own."""
FIRST = 1_000
"""The rank of those who go before all others."""


class Unanswered(Protocol):
    """A connection that waits for an answer, or whose request is still to come; or an application that has it."""

    def give_way(self) -> None:
        """All together hold too much: it is refused, and holds nothing from now on."""


class LeftBehind:
    """A request that only an application holds, until `cancel` has ended that."""

    __slots__ = ("_cancel",)

    def __init__(self, cancel: Callable[[], object]) -> None:
        self._cancel = cancel

    def give_way(self) -> None:
        """Nobody waits for it."""
        self._cancel()


class UnansweredBytes:
    """What all connections of a server hold, at most `most` of it, in `bytes`."""

    def __init__(self, most: int = MOST_BYTES) -> None:
        self.most = most
        self.bytes = 0
        self._held: dict[Unanswered, tuple[int, int]] = {}
        self._ranks: dict[int, collections.OrderedDict[Unanswered, None]] = {}
        """By how much they hold, in powers of two: a place is found without a look at all others."""

    def count(self, connection: Unanswered, size: int, *, is_whole: bool) -> None:
        """It holds so much from now on; `is_whole`: what is awaited is an answer."""
        self._count(connection, size, rank_of(size, is_whole=is_whole))

    def leave_behind(self, task: asyncio.Task[None], cancel: Callable[[], object], size: int) -> None:
        """An application's `task` holds so much for a client that is gone; it may be cancelled before its time."""
        left = LeftBehind(cancel)
        task.add_done_callback(lambda _: self.forget(left))
        self._count(left, size, FIRST)

    def _count(self, connection: Unanswered, size: int, rank: int) -> None:
        held, former = self._held.get(connection, (0, 0))
        self.bytes += size - held
        self._held[connection] = size, self._move(connection, former, rank)
        while self.bytes > self.most:
            self._make_room()

    def forget(self, connection: Unanswered) -> None:
        """It holds nothing any more."""
        if connection in self._held:
            size, rank = self._held.pop(connection)
            self.bytes -= size
            self._move(connection, rank, 0)

    def _move(self, connection: Unanswered, former: int, rank: int) -> int:
        if former != rank and former:
            equals = self._ranks[former]
            del equals[connection]
            if not equals:
                del self._ranks[former]
        if former != rank and rank:
            self._ranks.setdefault(rank, collections.OrderedDict())[connection] = None
        return rank

    def _make_room(self) -> None:
        rank = max(self._ranks)
        equals = self._ranks[rank]
        connection = next(reversed(equals)) if is_of_whole(rank) else next(iter(equals))
        self.forget(connection)
        connection.give_way()


def rank_of(size: int, *, is_whole: bool) -> int:
    """The higher, the sooner it goes; never 0."""
    return 2 * size.bit_length() + (1 if is_whole else 2)


def is_of_whole(rank: int) -> bool:
    """Whether those of a rank have sent all that is needed for an answer."""
    return rank % 2 == 1
