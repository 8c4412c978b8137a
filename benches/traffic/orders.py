"""What a benchmark's part is told on stdin while it works, `WORD NUMBER` a line. It ends when its stdin does."""

import os
import time
from collections.abc import Callable

QUIET = 1.0
"""Seconds in which nothing came after which no more is waited for."""


class Orders:
    """Reads what is there, without waiting."""

    def __init__(self, fd: int) -> None:
        self._fd = fd
        os.set_blocking(fd, False)
        self._rest = b""

    def number(self, word: str) -> int | None:
        """The number behind `word`, once that line is there."""
        try:
            read = os.read(self._fd, 4096)
        except BlockingIOError:
            return None
        if not read:
            raise SystemExit("the benchmark is gone")
        *lines, self._rest = (self._rest + read).split(b"\n")
        for line in lines:
            name, _, number = line.decode().partition(" ")
            if name == word:
                return int(number)
        return None


def follow_arrivals(look: Callable[[], tuple[bool, int]], orders: Orders) -> dict[str, object]:
    """Looks until as many frames have come as `expect` says, or nothing comes any more; what was seen.

    `look` tells whether something has come since the last time, and how many frames there are by now.
    """
    frames, expected, first, last = 0, None, 0, time.time_ns()
    cpu = time.process_time()
    while expected is None or frames < expected:
        moved, frames = look()
        now = time.time_ns()
        if moved:
            first, last = first or now, now
        elif expected is not None and now - last > QUIET * 1e9:
            break
        if expected is None and (expected := orders.number("expect")) is not None:
            last = now
    cpu = time.process_time() - cpu
    return {"frames": frames, "first_frame_ns": first, "last_frame_ns": last, "cpu_s": cpu}
