"""How a link stands to the engine that this node has: what is said when it is dialled, and what the answer means."""

from awxfast.broadcast.dial_failure import DialFailure
from awxfast.engine.publisher import Publisher
from awxfast.wire.engine_handshake import EngineOffer, read_taker

HEAR_SECONDS = 1.0
"""How long a taker that a server names, and that nobody has heard, has to answer in the engine."""

UNHEARD = DialFailure("engine", "it names itself in the engine, where nobody hears it")


class DialOffer:
    """What one dial offers. `is_apart`: the link carries events, whatever the server says."""

    def __init__(self, publisher: Publisher, *, is_apart: bool = False) -> None:
        self._publisher = publisher
        self._is_apart = is_apart
        self.taker = ""
        """Whom the server has named."""

    @property
    def header(self) -> str:
        """For the request."""
        return str(EngineOffer(self._publisher.who, self._is_apart))

    @property
    def is_silent(self) -> bool:
        """Whether both ends know that events go by the engine."""
        return bool(self.taker) and not self._is_apart

    def take_answer(self, header: str) -> bool:
        """What the 101 says; whether the link can stand."""
        self.taker = read_taker(header)
        return not self.is_silent or self._publisher.hears(self.taker)
