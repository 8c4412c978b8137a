"""What this process tells those that accept on the same sockets; who of them accepts next is the core's to say.

The core asks what there is once for all that it takes in together, and counts those itself.
"""

import asyncio
import time
from collections.abc import Callable

from awxfast._rust import Balance
from awxfast.system.shares import Shares

WHOLE = 4
"""As the core counts: a websocket, a request that is worked on, or a newcomer. A connection without a request is 1."""


class FairShare:
    """For all listeners of one process; `balance` is asked by each before it accepts.

    `measure` tells what counts under `--max-clients`, and all that there is, as `WHOLE` says.
    """

    def __init__(self, shares: Shares, measure: Callable[[], tuple[int, int]]) -> None:
        self.balance = Balance(shares.descriptor, shares.number)
        self._shares = shares
        self._measure = measure
        self._is_due = False

    def begin(self) -> None:
        """It listens from now on, and others count on it."""
        self._shares.begin(time.monotonic_ns())
        self.balance.begin(self._measure)

    def end(self) -> None:
        """It listens no more."""
        self.balance.end()
        self._shares.end()

    def publish(self) -> None:
        """Tells the others what there is; to be called now and then also when nothing happens."""
        self.balance.publish()

    def note_change(self) -> None:
        """There are more or fewer. The others are told once a turn of the loop, behind all that is going on."""
        self.balance.look()
        if not self._is_due and self._shares.is_mine:
            self._is_due = True
            asyncio.get_running_loop().call_soon(self._publish_due)

    def _publish_due(self) -> None:
        self._is_due = False
        self.balance.publish()
