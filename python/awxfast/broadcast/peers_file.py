"""Members from a file, one a line; read again when it changes."""

import asyncio
import logging
from collections.abc import Callable
from pathlib import Path

from awxfast.broadcast.target import Member, read_peer
from awxfast.errors import ConfigurationError
from awxfast.system.plain_file import read_plain_file

log = logging.getLogger(__name__)

INTERVAL = 1.0
"""Seconds between two looks at the file's time and size."""

Stamp = tuple[int, int, int]


class PeersFile:
    """A file of peers. Empty lines and what follows a `#` mean nothing."""

    def __init__(self, path: str, default_port: int) -> None:
        self._path = Path(path)
        self._default_port = default_port
        self._seen: Stamp | None = None

    def read(self) -> list[Member]:
        """The members. Raises `ConfigurationError`, which names the line."""
        try:
            self._seen = self._stamp()
            lines = read_plain_file(self._path).decode().splitlines()
        except (OSError, UnicodeDecodeError) as error:
            reason = error.strerror if isinstance(error, OSError) else "it is not UTF-8"
            raise ConfigurationError(f"--peers-file {self._path}: {reason}") from error
        return [member for number, line in enumerate(lines, 1) for member in self._read_line(number, line)]

    async def follow(self, take: Callable[[list[Member]], None]) -> None:
        """Gives `take` the members whenever the file has changed; one with a fault changes nothing, and is logged."""
        while True:
            await asyncio.sleep(INTERVAL)
            if self._stamp() != self._seen:
                self.reload(take)

    def reload(self, take: Callable[[list[Member]], None]) -> None:
        """Reads the file now, whether it changed or not."""
        try:
            take(self.read())
        except ConfigurationError as error:
            self._seen = self._stamp()
            log.error("%s; the peers stay as they were", error)  # noqa: TRY400  an operator's fault, not ours

    def _read_line(self, number: int, line: str) -> list[Member]:
        text = line.partition("#")[0].strip()
        try:
            return [read_peer(text, self._default_port)] if text else []
        except ConfigurationError as error:
            raise ConfigurationError(f"--peers-file {self._path}, line {number}: {error}") from error

    def _stamp(self) -> Stamp | None:
        try:
            status = self._path.stat()
        except OSError:
            return None
        return status.st_mtime_ns, status.st_size, status.st_ino
