"""Which of several processes accepts the next connection of a socket that all of them listen on.

The kernel tells all of them of each, and the first to ask has it. So one that has more than another lets that one go
first, for the longer the more it has, and goes on by itself where that one does not come: it is stopped, or held up.
Connections wait in the kernel meanwhile. Where others come but can't keep up, so that somebody has waited all the time,
it helps until nobody does.
"""

import time
from collections.abc import Callable

from awxfast.system.shares import Row, Shares

WHOLE = 4
"""A connection in the table: a websocket, a request that is worked on, or a newcomer. One without a request is 1."""
WAIT = 2_000_000
"""Nanoseconds for each connection that it has more than another."""
LONGEST_WAIT = 50_000_000
BLOCKED = 20_000_000
"""Who has not looked in so long although somebody waited is not waited for again until it looks."""
STEPS, STEP_SECONDS = 4, 0.001
"""How often it looks at most whether somebody else has come, and how long it lets them at least."""
HELP = 200_000_000
"""Nanoseconds in which somebody has waited at each look, whoever it was, before it helps."""
LATE = 200_000_000
"""Who is asked so much later than it meant to look has missed that nobody was there: somebody came just when it looked,
and another was faster."""
BATCH = 4
"""More than another that it may have if it takes in several at once: else all of them would wait all the time."""
AT_ONCE = 1_000_000
"""Nanoseconds in which the next one belongs to the same batch."""


class FairShare:
    """For all listeners of one process.

    `count_websockets` tells what counts under `--max-clients`, `measure_load` all that there is, each as `WHOLE` says.
    """

    def __init__(
        self,
        shares: Shares,
        count_websockets: Callable[[], int],
        measure_load: Callable[[], int],
        now: Callable[[], int] = time.monotonic_ns,
    ) -> None:
        self._shares = shares
        self._count_websockets = count_websockets
        self._measure_load = measure_load
        self._now = now
        self._accepted_at = 0
        self._waits_since: int | None = None
        self._accepted_by_others = 0
        self._crowd_since: int | None = None
        self._next_look = 0
        self._helps = self._is_asked = False
        self._blocked: dict[Row, int] = {}
        """When those last looked that are not waited for."""

    def begin(self) -> None:
        """It listens from now on, and others count on it."""
        self._shares.begin(self._now())
        self.publish()

    def end(self) -> None:
        """It listens no more."""
        self._shares.end()

    def publish(self) -> None:
        """Tells the others what there is; to be called now and then also when nothing happens."""
        if self._shares.is_mine:
            own = self._shares.own
            own.pid = self._shares.pid
            own.websockets = self._count_websockets()
            own.load = self._measure_load()
            own.looked_at = self._now()

    def wait_time(self) -> float:
        """Seconds that others have for the connection that is next; 0: it is to be accepted here."""
        self.publish()
        now, surplus = self._now(), self._surplus()
        left = 0.0 if self._has_turn(now, surplus) or self._is_needed(now) else self._find_wait(now, surplus)
        if not left:
            self._waits_since = None
            return 0.0
        seconds = max(STEP_SECONDS, left / STEPS)
        self._next_look = now + int(seconds * 1e9)
        return seconds

    def note_accepted(self) -> None:
        """One was accepted here."""
        self._accepted_at = self._now()
        self._is_asked = False
        if self._shares.is_mine:
            self._shares.own.accepted += 1

    def note_nobody(self) -> None:
        """Nobody waits any more at the end of a `wait_time`, however late this process looks: others keep up."""
        self._crowd_since, self._helps = None, False

    def _surplus(self) -> float:
        """How many more it has than the one that has the fewest of all that may be expected to come."""
        own = self._shares.own.load
        coming = (row.load for row in self._shares.others if row.listens and not self._is_blocked(row))
        return (own - min(coming, default=own)) / WHOLE

    def _has_turn(self, now: int, surplus: float) -> bool:
        """Whether nobody else has to go first."""
        has_turn = surplus <= (BATCH if now - self._accepted_at < AT_ONCE else 0)
        if has_turn:
            self.note_nobody()
        return has_turn

    def _is_needed(self, now: int) -> bool:
        """Whether it helps. It ends where nobody was there to be accepted when it was asked last."""
        if self._helps:
            self._helps = not self._is_asked
        if not self._helps:
            if self._crowd_since is None or now > self._next_look + LATE:
                self._crowd_since = now
            self._helps = now - self._crowd_since >= HELP
        if self._helps:
            self._crowd_since, self._is_asked = None, True
        return self._helps

    def _is_blocked(self, row: Row) -> bool:
        if not self._blocked:
            return False
        if self._blocked.get(row) == row.looked_at:
            return True
        self._blocked.pop(row, None)
        return False

    def _find_wait(self, now: int, surplus: float) -> float:
        """Seconds that others have still; all of their time anew with each that they have accepted."""
        accepted = sum(row.accepted for row in self._shares.others)
        if self._waits_since is None or accepted != self._accepted_by_others:
            self._waits_since, self._accepted_by_others = now, accepted
        waited = now - self._waits_since
        left = min(WAIT * surplus, LONGEST_WAIT) - waited
        if left <= 0 and waited >= BLOCKED:
            late = [row for row in self._shares.others if row.listens and row.looked_at <= self._waits_since]
            self._blocked.update({row: row.looked_at for row in late})
        return max(0.0, left / 1e9)
