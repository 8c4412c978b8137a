"""`--accept-rate`: handshakes a second, a second's worth of which may come at once; of several processes, together."""

from collections.abc import Callable

from awxfast.system.shares import Shares


class HandshakeRate:
    """A process's count of them. `rate` is a second."""

    def __init__(self, rate: int, now: Callable[[], float]) -> None:
        self._rate = rate
        self._now = now
        self._tokens = float(rate)
        self._filled = now()

    def take(self) -> bool:
        """Whether there may be one more now."""
        self.look()
        if self._tokens < 1:
            return False
        self._tokens -= 1
        return True

    def give_back(self) -> None:
        """One came to nothing."""
        self._tokens += 1

    def look(self) -> None:
        """What time has brought."""
        now = self._now()
        self._tokens = min(float(self._rate), self._tokens + (now - self._filled) * self._rate)
        self._filled = now


class SharedHandshakeRate(HandshakeRate):
    """The same of all processes: whoever is asked has what the others leave.

    Each knows from the table what the others have taken since it looked last. It never takes that for less than it is:
    what they have taken is subtracted behind the bound of a second's worth. So all of them together stay within the
    rate, and one that has looked lately may use all of it. `look` is to be called now and then.

    What is refused is never written down as taken, not for a moment: whoever looked then would have it too much after.
    """

    def __init__(self, rate: int, now: Callable[[], float], shares: Shares) -> None:
        super().__init__(rate, now)
        self._shares = shares
        self._taken = self._count_taken()
        if any(row.admitted for row in shares.rows):  # the others may have had a second's worth a moment ago
            self._tokens = 0.0

    def take(self) -> bool:
        """Says first that it asks, and then looks who else does, so that no two have the same."""
        self.look()
        if self._tokens < 1:
            return False
        self._ask(1)
        others = sum(row.asks for row in self._shares.foreign)
        self.look()  # after that: whoever asks no more has written down what it took
        is_free = self._tokens - others >= 1
        if is_free:
            self._tokens -= 1
            self._note(1)
        self._ask(0)
        return is_free

    def give_back(self) -> None:
        """What is above a second's worth is lost, here and for all others."""
        self.look()
        if self._tokens + 1 <= self._rate:
            self._tokens += 1
            self._note(-1)

    def look(self) -> None:
        taken, before = self._count_taken(), self._taken
        super().look()  # after that: what was taken was there by then
        self._tokens = min(float(self._rate), max(0.0, self._tokens - (taken - before)))
        self._taken = taken

    def _note(self, count: int) -> None:
        if self._shares.speaks_for_this:
            own = self._shares.own
            before = own.admitted
            own.admitted = max(0, before + count)
            self._taken += own.admitted - before

    def _ask(self, asks: int) -> None:
        if self._shares.speaks_for_this:
            self._shares.own.asks = asks

    def _count_taken(self) -> int:
        """Of all rows, and of its own, too: who had it before may have taken some a moment ago."""
        return sum(row.admitted for row in self._shares.rows)
