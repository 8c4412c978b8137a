"""The access log, in daphne's format."""

import asyncio
import contextlib
import datetime
import errno
import io
import os
import sys
import urllib.parse
from collections.abc import Callable
from pathlib import Path
from typing import TextIO

from awxfast.errors import ConfigurationError
from awxfast.settings import Settings
from awxfast.system.local_time import local_now
from awxfast.system.queued_stream import drain_streams, open_queued
from awxfast.wire.forwarded import Address

APPENDING = os.O_WRONLY | os.O_APPEND | os.O_CLOEXEC | os.O_NOCTTY
MAX_REQUEST = 2048
"""Characters of a line that the client chose: paths may be as long as heads."""


class AccessLog:
    """Writes one line an action to `stream`, which may be replaced at any time (a log that is rotated).

    Queries of plain requests stand in it only `with_queries`: in native mode they may hold a token.
    """

    def __init__(
        self,
        stream: TextIO,
        now: Callable[[], datetime.datetime] = local_now,
        *,
        with_queries: bool = False,
    ) -> None:
        self.stream = stream
        self._with_queries = with_queries
        self._now = now

    def write(
        self,
        client: str,
        request: str,
        status: int | None = None,
        length: int | None = None,
        seconds: float | None = None,
    ) -> None:
        """One line. `client` is `host:port`, `request` what happened and the path; daphne has no time in it."""
        date = self._now().strftime("%d/%b/%Y:%H:%M:%S")
        line = f'{client} - - [{date}] "{cut(request)}" {status or "-"} {length or "-"}\n'
        with contextlib.suppress(OSError):  # a full disk must not cost a browser its connection
            self.stream.write(line)

    def reopen(self) -> None:
        """After a rotation; a stream that somebody else opened stays."""

    async def close(self) -> None:
        """Ends the log; a stream that somebody else opened stays."""

    def format_target(self, raw_path: bytes, query: bytes) -> str:
        """The request's target as it stands in a line, with its query only where that may be shown."""
        target = raw_path + b"?" + query if query and self._with_queries else raw_path
        return target.decode("latin-1")


class AccessLogFile(AccessLog):
    """An access log in a file of its own. Raises `ConfigurationError` where it can't be opened, now or again."""

    def __init__(self, path: str, *, with_queries: bool) -> None:
        super().__init__(open_log_file(path), with_queries=with_queries)
        self._path = path

    def reopen(self) -> None:
        """Goes on in what the path names now."""
        former, self.stream = self.stream, open_log_file(self._path)
        former.close()

    async def close(self) -> None:
        """Ends the log, when all that was written is in the file."""
        self.stream.close()
        await asyncio.to_thread(drain_streams)


def format_client(client: Address | None) -> str:
    """`host:port` as daphne writes it; a client on a unix socket has neither."""
    return f"{client[0]}:{client[1]}" if client else "-"


def format_path(path: str) -> str:
    """A decoded path as it may stand in a line: without control characters or spaces."""
    return cut(urllib.parse.quote(path[:MAX_REQUEST]))


def cut(text: str) -> str:
    """At most `MAX_REQUEST` characters; three dots tell that there were more."""
    return text if len(text) <= MAX_REQUEST else f"{text[: MAX_REQUEST - 3]}..."


def open_access_log(settings: Settings) -> AccessLog | None:
    """As daphne: to the file or to stdout (`-`) if asked for, else to stdout from verbosity 1 on."""
    if settings.access_log not in (None, "-"):
        return AccessLogFile(str(settings.access_log), with_queries=settings.application is not None)
    if settings.access_log is None and settings.verbosity < 1:
        return None
    if isinstance(sys.stdout, io.TextIOWrapper):
        sys.stdout.reconfigure(line_buffering=True)  # whoever reads a pipe wants lines in time
    return AccessLog(sys.stdout, with_queries=settings.application is not None)


def open_log_file(path: str) -> TextIO:
    """A file to append lines to."""
    try:
        descriptor = os.open(path, APPENDING | os.O_CREAT, 0o666)
    except OSError as error:
        raise refuse_log_file(path, error) from error
    return open_queued(descriptor, "access log", owned=True)


def check_log_file(settings: Settings) -> None:
    """Whether it could be opened. One that is not there is not made: it would belong to whoever asks."""
    path = settings.access_log
    if path in (None, "-"):
        return
    try:
        os.close(os.open(str(path), APPENDING | os.O_NONBLOCK))
    except FileNotFoundError as error:
        folder = Path(str(path)).parent
        if not folder.is_dir():
            raise refuse_log_file(str(path), error) from error
        if not os.access(folder, os.W_OK | os.X_OK):
            denied = PermissionError(errno.EACCES, os.strerror(errno.EACCES))
            raise refuse_log_file(str(path), denied) from error
    except OSError as error:
        raise refuse_log_file(str(path), error) from error


def refuse_log_file(path: str, error: OSError) -> ConfigurationError:
    """One that lines can't be appended to."""
    return ConfigurationError(f"--access-log {path}: {error.strerror}; choose a file that can be written")
