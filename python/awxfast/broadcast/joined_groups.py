"""The groups that this process is in for its peers: each joined once, however many peers want it."""

import asyncio
import collections
import functools
from collections.abc import Iterable, Mapping
from typing import Protocol

from awxfast.intake.group_holder import STEP, Holder


class HeirHolder(Holder, Protocol):
    """The same of one that may go on for another process."""

    def hold_inherited(self, groups: Iterable[str]) -> None:
        """Holds groups that were held in the process before this one, or will be as soon as Redis is asked."""


class JoinedGroups:
    """The groups that this process is in, counted by the peers that want them."""

    def __init__(self, holder: HeirHolder) -> None:
        self._holder = holder
        self._counts: collections.Counter[str] = collections.Counter()
        self._joining: dict[str, asyncio.Future[None]] = {}
        """Only while it lasts: a task is larger than all else that is kept of a group."""
        self._unwanted: collections.deque[str] = collections.deque()
        self._ended = False
        self.inherits = False
        """Set while what is wanted is what was wanted in the process before this one."""

    @property
    def joining(self) -> int:
        """Groups that are wanted and not joined yet."""
        return len(self._joining)

    @property
    def groups(self) -> Mapping[str, int]:
        """Each group with the number of peers that want it."""
        return self._counts

    def want(self, group: str) -> None:
        """Counts one more peer that wants the group."""
        if self._ended:
            return
        self._counts[group] += 1
        if self._counts[group] == 1 and self.inherits:
            self._holder.hold_inherited([group])
        elif self._counts[group] == 1:
            self._joining[group] = joining = asyncio.ensure_future(self._holder.hold([group]))
            joining.add_done_callback(functools.partial(self._note_joined, group))

    def unwant(self, group: str) -> None:
        """One peer less; the last one's leave follows at once."""
        if self._ended:
            return
        self._counts[group] -= 1
        if self._counts[group] > 0:
            return
        del self._counts[group]
        joining = self._joining.pop(group, None)
        if joining is None or not joining.cancel():  # a hold that is cancelled undoes itself
            self._holder.release([group])

    def end(self) -> None:
        """The process ends and its intake leaves all groups at once: none is joined or left by itself any more."""
        self._ended = True
        self._unwanted.clear()

    def unwant_all(self, groups: Iterable[str]) -> None:
        """One peer less in each, however many: some a turn."""
        if self._ended:
            return
        running = bool(self._unwanted)
        self._unwanted.extend(groups)
        if not running:
            self._unwant_some()

    def _note_joined(self, group: str, joining: asyncio.Future[None]) -> None:
        if self._joining.get(group) is joining:
            del self._joining[group]
        if not joining.cancelled():
            joining.exception()

    def _unwant_some(self) -> None:
        for _ in range(min(STEP, len(self._unwanted))):
            self.unwant(self._unwanted.popleft())
        if self._unwanted:
            asyncio.get_running_loop().call_soon(self._unwant_some)
