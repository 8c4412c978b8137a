"""For how long a peer counts as wanting what it wanted on a link that is lost."""

import asyncio
from collections.abc import Iterator

from awxfast.broadcast.interest import PeerInterest


class StaleInterest:
    """Drops what nobody has asked for again, after a time and then in parts: there may be a hundred thousand."""

    def __init__(self, interest: PeerInterest) -> None:
        self._interest = interest
        self._timer: asyncio.TimerHandle | None = None

    def drop_after(self, seconds: float) -> None:
        """In place of what was to be dropped sooner or later than that."""
        self.keep()
        self._timer = asyncio.get_running_loop().call_later(seconds, self._drop, None)

    def _drop(self, steps: Iterator[None] | None) -> None:
        """A step a turn; the next link begins anew."""
        steps = self._interest.drop_stale() if steps is None else steps
        if next(steps, self) is None:
            self._timer = asyncio.get_running_loop().call_later(0, self._drop, steps)

    def keep(self) -> None:
        """Nothing is dropped any more."""
        if self._timer is not None:
            self._timer.cancel()
