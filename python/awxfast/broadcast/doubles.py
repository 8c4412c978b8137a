"""What a peer sends twice while one process takes another's place: on the old link and, beside it, on the new one.

Both bring the same events in the same order; the new one begins somewhere within those that the old one has noted.
"""

import collections
from collections.abc import Iterable, Sequence
from hashlib import blake2b

MOST_NOTED = 100_000
"""Events of one peer; of more the oldest are forgotten, so that some of them would come twice."""
DIGEST_BYTES = 8
LOOKS = 10
"""Places that are looked at, in the mean of all events that were noted."""


class Noted:
    """The events that came on the old link since `begin`, each as a few bytes."""

    def __init__(self) -> None:
        self._digests: collections.deque[str] = collections.deque(maxlen=MOST_NOTED)

    def is_double(self, payload: bytes) -> bool:
        """Never; it is noted."""
        self._digests.append(digest(payload))
        return False

    def freeze(self) -> list[str]:
        """For `Doubles`, as JSON has it."""
        return list(self._digests)


class Doubles:
    """Tells which events on the new link are among those that the old one has brought.

    The longest stretch that fits is taken for what came twice; the first event that does not fit ends it, and `end`.
    Of a peer that sends the same again and again very many may fit: past `LOOKS` an event more, some come twice.
    """

    def __init__(self, noted: Iterable[str]) -> None:
        self._noted: Sequence[str] = list(noted)
        self._looks = LOOKS * (len(self._noted) + 1)
        self._next: list[int] | None = None
        """Where the next one stands among the noted ones, if it is there; None: this will be the first."""

    def is_double(self, payload: bytes) -> bool:
        """Whether the next event on the new link has come on the old one."""
        if not self._noted:
            return False
        found = digest(payload)
        places: Sequence[int] = range(len(self._noted)) if self._next is None else self._next
        self._looks -= len(places)
        self._next = [place + 1 for place in places if place < len(self._noted) and self._noted[place] == found]
        is_double = bool(self._next)
        if not is_double or self._looks < 0:
            self.end()
        return is_double

    def end(self) -> None:
        """All that comes from now on is new."""
        self._noted, self._next = (), None


def digest(payload: bytes) -> str:
    """The same in every process."""
    return blake2b(payload, digest_size=DIGEST_BYTES).hexdigest()
