"""How many threads of the process are at work in an application's synchronous code."""

import sys
from concurrent.futures import thread
from types import FrameType

_IDLE = thread._worker.__code__


def count_busy_threads() -> int:
    """Threads of pools that are not waiting for work. One that is blocked for good shows here for good."""
    return sum(is_busy(frame) for frame in sys._current_frames().values())


def is_busy(frame: FrameType) -> bool:
    """Whether a thread belongs to a pool and is in a piece of work."""
    if frame.f_code is _IDLE:
        return False
    outer: FrameType | None = frame
    while outer is not None:
        if outer.f_code is _IDLE:
            return True
        outer = outer.f_back
    return False
