"""What the process wants whose place this one is about to take: as its own notices say, which it tells publishers."""

import asyncio
from collections.abc import Callable, Sequence

from awxfast.engine.known_wants import MOST_PAIRS
from awxfast.wire.engine_notices import Change, Listing

Changed = Callable[[tuple[str, ...], tuple[str, ...]], None]


class Following:
    """Hears `who`. `change` is told of groups that are wanted from now on, and of others that are no more.

    As many as a publisher would remember; `refuse` is told how many more there were.
    """

    def __init__(self, who: str, change: Changed, refuse: Callable[[int], None]) -> None:
        self._who = who
        self._change = change
        self._refuse = refuse
        self._groups: set[str] = set()
        self._parts: dict[int, tuple[str, ...]] = {}
        self._listed = 0
        self.version: int | None = None
        """What all is known of; None: it has to be asked for."""
        self.known = asyncio.Event()
        """Set when all is known for the first time."""

    @property
    def groups(self) -> frozenset[str]:
        """All that it wants."""
        return frozenset(self._groups)

    def receive_change(self, notice: Change) -> bool:
        """False: something is missing before it, so that all has to be asked for."""
        if notice.who != self._who or self.version is None:
            return True
        if notice.version != self.version + 1:
            self.version = None
            return False
        self.version = notice.version
        self._groups.difference_update(notice.drop)
        added = [group for group in notice.add if group not in self._groups]
        self._take({*self._admit(added, len(self._groups))}, set(notice.drop))
        return True

    def receive_listing(self, notice: Listing) -> None:
        """A part; all of them come one behind the other."""
        if notice.who != self._who:
            return
        if notice.part == 0 or notice.version != self._listed:
            self._parts.clear()
        self._listed = notice.version
        self._parts[notice.part] = ()
        self._parts[notice.part] = self._admit(notice.groups, sum(map(len, self._parts.values())))
        if len(self._parts) < notice.parts:
            return
        groups = {group for part in self._parts.values() for group in part}
        self._parts.clear()
        self.version = notice.version
        self._take(groups - self._groups, self._groups - groups)
        self.known.set()

    def _admit(self, groups: Sequence[str], there: int) -> tuple[str, ...]:
        """Those for which there is room."""
        admitted = tuple(groups[: max(0, MOST_PAIRS - there)])
        if len(admitted) < len(groups):
            self._refuse(len(groups) - len(admitted))
        return admitted

    def _take(self, added: set[str], dropped: set[str]) -> None:
        self._groups -= dropped
        self._groups |= added
        self._change(tuple(added), tuple(dropped))
