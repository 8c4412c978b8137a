"""What several serving processes do together when they start for the first time: each step when all have done the last.

A process that comes later, in the place of one that has died, goes on at once.
"""

from awxfast.process.child_handle import ChildHandle


class CommonStep:
    """All of `count` places wait here for each other, then hear `word`."""

    def __init__(self, count: int, word: str, *, is_done: bool = False) -> None:
        self._count = count
        self._word = word
        self._is_done = is_done
        self._waiting: dict[int, ChildHandle] = {}

    def wait(self, number: int, child: ChildHandle) -> None:
        """The process at this place is there."""
        self._waiting[number] = child
        if self._is_done or len(self._waiting) == self._count:
            self._is_done = True
            waiting, self._waiting = self._waiting, {}
            for one in waiting.values():
                one.send(self._word)

    def forget(self, number: int, child: ChildHandle) -> None:
        """It is gone; the others wait for the one that comes in its place."""
        if self._waiting.get(number) is child:
            del self._waiting[number]
