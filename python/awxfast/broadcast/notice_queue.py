"""A peer's notices, applied so many groups a turn: joining a group costs more than reading its name."""

import asyncio
import collections
from collections.abc import Callable, Iterator

from awxfast.intake.group_holder import STEP
from awxfast.wire.backplane import Notice, split_notice


class NoticeQueue:
    """In order. `apply` gets notices of at most `STEP` groups, and the link that each came on."""

    def __init__(self, apply: Callable[[Notice, int], None], hold: Callable[[bool], None]) -> None:
        """`hold` is told whether notices wait here, so that no more of them should be read."""
        self._apply = apply
        self._hold = hold
        self._waiting: collections.deque[tuple[Notice, int]] = collections.deque()
        self._room = 0
        self._turn: asyncio.Handle | None = None

    def put(self, notice: Notice, link: int) -> None:
        """Applies it, unless enough was in this turn."""
        self._waiting.extend((part, link) for part in split_notice(notice, STEP))
        if self._turn is None:
            self._begin_turn()
        self._apply_some()
        if self._waiting:
            self._hold(True)

    def freeze(self) -> Iterator[tuple[Notice, int]]:
        """What waits, each with its link; nothing changes here."""
        return iter(self._waiting)

    def clear(self) -> None:
        """Nothing of what waits counts any more."""
        self._waiting.clear()

    def _begin_turn(self) -> None:
        self._room = STEP
        self._turn = asyncio.get_running_loop().call_soon(self._next_turn)

    def _next_turn(self) -> None:
        self._turn = None
        if self._waiting:
            self._begin_turn()
            self._apply_some()
        if not self._waiting:
            self._hold(False)

    def _apply_some(self) -> None:
        while self._waiting and self._room > 0:
            notice, link = self._waiting.popleft()
            self._room -= max(1, len(notice.groups))
            self._apply(notice, link)
