"""Serving processes whose place another one has taken, and which serve those who are still theirs to the end."""

import asyncio
import logging

from awxfast.process.child_handle import ChildHandle

log = logging.getLogger(__name__)


class Draining:
    """Who drains. `limit`: seconds after which one is ended that should have left."""

    def __init__(self, limit: float) -> None:
        self._limit = limit
        self._children: dict[ChildHandle, asyncio.TimerHandle] = {}

    def __len__(self) -> int:
        return len(self._children)

    def add(self, child: ChildHandle, running: asyncio.Task[int], seconds: float | None = None) -> None:
        """One that serves nobody new, until `running` ends. `seconds`: what is left of its limit."""
        left = self._limit if seconds is None else seconds
        self._children[child] = asyncio.get_running_loop().call_later(left, self._end_late, child)
        running.add_done_callback(lambda _: self._remove(child))

    def freeze(self) -> dict[ChildHandle, float]:
        """What is left of the limit of each, for main's next program; here they are forgotten."""
        timers, self._children = self._children, {}
        now = asyncio.get_running_loop().time()
        for timer in timers.values():
            timer.cancel()
        return {child: max(0.0, timer.when() - now) for child, timer in timers.items()}

    def _remove(self, child: ChildHandle) -> None:
        if child not in self._children:
            return
        self._children.pop(child).cancel()
        if child.exit_code and not child.was_killed:
            log.error("A process that drained ended unasked (exit code %s)", child.exit_code)

    def _end_late(self, child: ChildHandle) -> None:
        log.warning("A process that drained did not leave within %.1f s and is ended", self._limit)
        child.kill()
