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
FIRST = 131
"""The rank of those who go before all others. Of an odd one the oldest goes."""


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
        """By whom, how much, and the rank that this gives."""
        self._ranks = [collections.OrderedDict[Unanswered, None]() for _ in range(FIRST + 1)]
        """By how much they hold, in powers of two: a place is found without a look at all others."""

    def count(self, connection: Unanswered, size: int, *, is_whole: bool) -> None:
        """It holds so much from now on; `is_whole`: what is awaited is an answer."""
        self._count(connection, size, 2 * size.bit_length() + (not is_whole))

    def leave_behind(self, task: asyncio.Task[None], cancel: Callable[[], object], size: int) -> None:
        """An application's `task` holds so much for a client that is gone; it may be cancelled before its time."""
        left = LeftBehind(cancel)
        task.add_done_callback(lambda _: self.forget(left))
        self._count(left, size, FIRST)

    def _count(self, connection: Unanswered, size: int, rank: int) -> None:
        self.forget(connection, unless=rank)
        held, _ = self._held.get(connection, (0, 0))
        self._held[connection] = size, rank
        self._ranks[rank].setdefault(connection)
        self.bytes += size - held
        while self.bytes > self.most:
            self._make_room()

    def forget(self, connection: Unanswered, unless: int | None = None) -> None:
        """It holds nothing any more; `unless` it has that rank."""
        size, rank = self._held.get(connection, (0, None))
        if rank is not None and rank != unless:
            del self._held[connection], self._ranks[rank][connection]
            self.bytes -= size

    def _make_room(self) -> None:
        rank = max(rank for rank, equals in enumerate(self._ranks) if equals)
        equals = self._ranks[rank]
        connection = next(iter(equals) if rank % 2 else reversed(equals))
        self.forget(connection)
        connection.give_way()
