"""The access log, in daphne's format."""

import contextlib
import datetime
import urllib.parse
from collections.abc import Callable
from typing import TextIO

from awxfast.system.local_time import local_now

Address = tuple[str, int]

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

    def format_target(self, raw_path: bytes, query: bytes) -> str:
        """The request's target as it stands in a line, with its query only where that may be shown."""
        target = raw_path + b"?" + query if query and self._with_queries else raw_path
        return target.decode("latin-1")


def format_client(client: Address | None) -> str:
    """`host:port` as daphne writes it; a client on a unix socket has neither."""
    return f"{client[0]}:{client[1]}" if client else "-"


def format_path(path: str) -> str:
    """A decoded path as it may stand in a line: without control characters or spaces."""
    return cut(urllib.parse.quote(path[:MAX_REQUEST]))


def cut(text: str) -> str:
    """At most `MAX_REQUEST` characters; three dots tell that there were more."""
    return text if len(text) <= MAX_REQUEST else f"{text[: MAX_REQUEST - 3]}..."
