"""CPU time of a server as the kernel's scheduler counts it (proc(5), `schedstat`): to the microsecond, not to 10 ms."""

import time
from pathlib import Path

from machine.accounting import PROC, process_tree

STILL_SECONDS = 0.02
"""A server that has used nothing for so long has nothing left to do."""
STILL = 0.0005
"""CPU seconds that are nothing: what it looks at twice a second may fall into them."""


class ServerClock:
    """Of a process and the children that it has now, with all their threads that live."""

    def __init__(self, pid: int) -> None:
        self._folders = [PROC / str(member) / "task" for member in process_tree(pid)]

    def read(self) -> float:
        """CPU seconds so far."""
        return sum(read_thread(thread) for folder in self._folders for thread in folder.iterdir())

    def read_when_still(self) -> float:
        """The same when it works on nothing any more; the test's time limit ends it otherwise."""
        while True:
            before = self.read()
            time.sleep(STILL_SECONDS)
            if self.read() - before < STILL:
                return before


def read_thread(folder: Path) -> float:
    """CPU seconds of a thread; none of one that has ended."""
    try:
        return int((folder / "schedstat").read_text().split()[0]) / 1e9
    except OSError:
        return 0.0
