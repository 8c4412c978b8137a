"""What others ask of the intake: events of groups, for as long as somebody holds them."""

from collections.abc import Iterable
from typing import Protocol

STEP = 128
"""Groups that are held or let go of in one turn of the loop: each costs some 40 us, and others have theirs to do."""


class Holder(Protocol):
    """Who gets this process the events of groups."""

    async def hold(self, groups: Iterable[str]) -> None:
        """Events of `groups` come from now on, until `release`. Waits while Redis is away.

        When it is cancelled or raises, nothing is held.
        """

    def release(self, groups: Iterable[str]) -> None:
        """Undoes one `hold` of each group."""
