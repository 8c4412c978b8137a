"""What has come of replies that are not whole, over several connections: bounded together, as many may be false."""

from typing import Protocol


class Closable(Protocol):
    """A connection over which replies come."""

    def close(self, why: str) -> None:
        """Ends it, which is noted here as nothing unfinished."""


class UnfinishedReplies:
    """Where they are more than `most` bytes together, the connection that has the most of them is ended."""

    def __init__(self, most: int) -> None:
        self._most = most
        self._sizes: dict[Closable, int] = {}
        self.bytes = 0

    def note(self, connection: Closable, size: int) -> None:
        """So much has come over this one."""
        self.bytes += size - self._sizes.pop(connection, 0)
        if size:
            self._sizes[connection] = size
        if self.bytes > self._most:
            largest = max(self._sizes, key=self._sizes.__getitem__)
            largest.close(f"unfinished answers have more than {self._most} bytes together, and its is the longest")
