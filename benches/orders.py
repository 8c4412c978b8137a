"""What a benchmark's part is told on stdin while it works, `WORD NUMBER` a line. It ends when its stdin does."""

import os


class Orders:
    """Reads without waiting."""

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
