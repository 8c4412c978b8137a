"""What both ends of a link say of their engine, so that events between them go one way alone: a header each."""

import dataclasses
import re

ENGINE_HEADER = "awxfast-engine"
"""In the dialler's request which publisher it is; in the server's 101 which taker, if it has heard that publisher."""

APART = "apart"
"""Behind the publisher: this link carries events all the same, since the dialler has not heard that taker."""

_OFFER = re.compile(r"([0-9a-f]{16})( apart)?")
_TAKER = re.compile(r"[0-9a-f]{16}")


@dataclasses.dataclass(frozen=True, slots=True)
class EngineOffer:
    """A dialler that is `publisher` in an engine."""

    publisher: str
    is_apart: bool = False

    def __str__(self) -> str:
        return f"{self.publisher} {APART}" if self.is_apart else self.publisher


def read_offer(text: str) -> EngineOffer | None:
    """The header of a request; None: it says nothing that is understood."""
    found = _OFFER.fullmatch(text)
    return EngineOffer(found[1], found[2] is not None) if found else None


def read_taker(text: str) -> str:
    """The header of a 101; empty: no taker is named."""
    return text if _TAKER.fullmatch(text) else ""
