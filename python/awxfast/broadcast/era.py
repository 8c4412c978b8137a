"""Which of the two wires a peer speaks, found out by trying and remembered."""

import enum

from awxfast.wire.backplane import BROADCAST_PATH, RELAY_PATH


class Era(enum.Enum):
    """A generation of AWX's backplane; the value is the path."""

    RELAY = RELAY_PATH
    BROADCAST = BROADCAST_PATH

    @property
    def other(self) -> "Era":
        """The one that it is not."""
        return Era.BROADCAST if self is Era.RELAY else Era.RELAY


UNKNOWN_PATH = frozenset({404, 500})
"""How a server answers on a path of the other era: 404, under daphne 500 (no route). 403 is a matter of the secret."""


class EraChoice:
    """The era to dial one peer in. `fixed` None: relay first, and the other where the path is unknown."""

    def __init__(self, fixed: Era | None) -> None:
        self._fixed = fixed
        self.current = fixed or Era.RELAY

    def change_after(self, status: int) -> bool:
        """Takes the other era if this answer to a dial means that; whether it did."""
        if self._fixed is not None or status not in UNKNOWN_PATH:
            return False
        self.current = self.current.other
        return True
