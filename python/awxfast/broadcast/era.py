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


UNKNOWN_PATH = frozenset({"http_404", "http_500"})
"""How a server answers on a path of the other era: 404, under daphne 500 (no route). 403 is a matter of the secret."""
PERHAPS_UNKNOWN_PATH = frozenset({"hung_up", "http_502"})
"""AWX 10 to 21.9 (Channels 2) cut the connection there, of which nginx makes 502; a server that is down looks alike."""


class EraChoice:
    """The era to dial one peer in. `fixed` None: relay first, and the other where the path is unknown."""

    def __init__(self, fixed: Era | None) -> None:
        self._fixed = fixed
        self.current = self._believed = fixed or Era.RELAY

    def change_after(self, failure: str) -> bool:
        """Takes the other era if this kind of failure (`DialFailure.kind`) may mean that; whether it did."""
        if self._fixed is not None or failure not in UNKNOWN_PATH | PERHAPS_UNKNOWN_PATH:
            return False
        self.current = self.current.other
        if failure in UNKNOWN_PATH:
            self._believed = self.current
        return True

    def note_link(self) -> None:
        """The current one it is."""
        self._believed = self.current

    def note_failure(self) -> None:
        """A change that was but a guess is taken back: both eras' paths would be a server's that just starts."""
        self.current = self._believed
