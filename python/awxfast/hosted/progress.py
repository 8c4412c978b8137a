"""Whether the application's consumers keep up, which the intake answers by leaving events in Redis for a while."""

from collections.abc import Callable

from awxfast.hosted.channel import Channel

WINDOW = 1.0
"""Seconds without a message taken, at most twice of it, after which a channel with a backlog counts as stuck."""

JUDGED_EVERY = 0.01
"""Seconds that a judgement stands: it looks at every channel that moves."""


class Progress:
    """Knows from which channels messages were taken lately. `now` gives seconds, monotonic."""

    def __init__(self, now: Callable[[], float]) -> None:
        self._now = now
        self._moved: set[Channel] = set()
        self._moved_before: set[Channel] = set()
        self._window_began = self._judged = now()
        self._behind = False

    def note(self, channel: Channel) -> None:
        """A message was taken from it."""
        self._moved.add(channel)

    @property
    def stands_for(self) -> float:
        """Seconds until it is looked at again who is behind."""
        return self._judged + JUDGED_EVERY - self._now()

    def is_behind(self, members: int) -> bool:
        """Whether most of so many channels in groups are behind and move on.

        Those that are stuck hold up nobody, and idle ones are not made to wait for a few that are slow.
        """
        now = self._now()
        if now - self._judged >= JUDGED_EVERY:
            self._judged = now
            self._forget(now)
            behind = sum(channel.is_behind for channel in self._moved | self._moved_before)
            self._behind = behind * 2 > members
        return self._behind

    def _forget(self, now: float) -> None:
        if now - self._window_began >= WINDOW:
            self._window_began = now
            self._moved_before, self._moved = self._moved, set()
