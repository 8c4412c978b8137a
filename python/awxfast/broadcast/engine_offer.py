"""How a link stands to the engine that this node has: what is said when it is dialled, and what the answer means."""

import time
from collections.abc import Callable

from awxfast.broadcast.dial_failure import DialFailure
from awxfast.engine.publisher import Publisher
from awxfast.wire.engine_handshake import EngineOffer, read_taker

HEAR_SECONDS = 1.0
"""How long a taker that a server names, and that nobody has heard, has to answer in the engine."""
PATIENCE = 5.0
"""How long a server that takes events from the engine may need to hear who dials; meanwhile they come by the engine."""

UNHEARD = DialFailure("engine", "it names itself in the engine, where nobody hears it")
UNNAMED = DialFailure("engine", "it has not heard yet in the engine who dials")


class DialOffer:
    """What one dial offers. `is_apart`: the link carries events, whatever the server says."""

    def __init__(self, publisher: Publisher, *, is_apart: bool = False) -> None:
        self._publisher = publisher
        self._is_apart = is_apart
        self.taker = ""
        """Whom the server has named."""

    @property
    def header(self) -> str:
        """What the request says of the engine."""
        return str(EngineOffer(self._publisher.who, self._is_apart))

    @property
    def is_silent(self) -> bool:
        """Whether both ends know that events go by the engine."""
        return bool(self.taker) and not self._is_apart

    def take_answer(self, header: str, redis: str) -> DialFailure | None:
        """What the 101 says, and of which Redis; why the link can't stand, if so."""
        self.taker = read_taker(header)
        if self._is_apart:
            return None
        if self.taker:
            return None if self._publisher.hears(self.taker) else UNHEARD
        return UNNAMED if self._publisher.has_taker_at(redis) else None


class DialOffers:
    """The offers to one peer, one after the other."""

    def __init__(self, publisher: Publisher, now: Callable[[], float] = time.monotonic) -> None:
        self._publisher = publisher
        self._now = now
        self._unnamed_since: float | None = None

    def next(self) -> DialOffer:
        """For a dial that begins now."""
        since = self._unnamed_since
        return DialOffer(self._publisher, is_apart=since is not None and self._now() - since >= PATIENCE)

    async def after(self, offer: DialOffer, failure: DialFailure) -> DialOffer | None:
        """For a dial that follows at once; None: what failed has nothing to do with it, or needs time."""
        if failure is UNNAMED and self._unnamed_since is None:
            self._unnamed_since = self._now()
        if failure is not UNHEARD:
            return None
        return DialOffer(self._publisher, is_apart=not await self._publisher.wait_heard(offer.taker, HEAR_SECONDS))

    def note_link(self) -> None:
        """A link stands: a server that comes back later has time again."""
        self._unnamed_since = None
