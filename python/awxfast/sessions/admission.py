"""How many may come, and from where: `--max-clients`, `--accept-rate`, `--origin`."""

import urllib.parse
from collections.abc import Callable, Sequence

from awxfast.wire.handshake import Refusal
from awxfast.wire.request import Request

RETRY = ((b"retry-after", b"5"),)
TOO_MANY_CLIENTS = Refusal(503, "limit", "All places are taken (--max-clients).", RETRY)
TOO_FAST = Refusal(503, "limit", "Too many handshakes at once (--accept-rate).", RETRY)
WRONG_ORIGIN = Refusal(403, "origin", "This Origin is not allowed here (--origin).")


class Admission:
    """Decides from numbers and the Origin alone, before anybody asks who it is.

    `accept_rate` is handshakes a second; a second's worth may come at once. None: no limit. No origins: any.
    """

    def __init__(
        self,
        max_clients: int | None,
        accept_rate: int | None,
        origins: Sequence[str],
        now: Callable[[], float],
    ) -> None:
        self._max_clients = max_clients
        self._rate = accept_rate
        self._origins = frozenset(origin.lower() for origin in origins)
        self._now = now
        self._tokens = float(accept_rate or 0)
        self._filled = now()

    def refuse(self, request: Request, clients: int) -> Refusal | None:
        """Why the request is refused while there are `clients`; None: it may go on."""
        if not self._is_allowed(request.values(b"origin")):
            return WRONG_ORIGIN
        if self._max_clients is not None and clients >= self._max_clients:
            return TOO_MANY_CLIENTS
        return None if self._take_token() else TOO_FAST

    def _is_allowed(self, origins: list[bytes]) -> bool:
        """Programs send no Origin, browsers always one. An origin is allowed by its host, with or without its port."""
        if not self._origins or not origins:
            return True
        host = read_host(origins[0])
        return len(origins) == 1 and bool(self._origins & {host, host.rpartition(":")[0]} - {""})

    def _take_token(self) -> bool:
        if self._rate is None:
            return True
        now = self._now()
        self._tokens = min(float(self._rate), self._tokens + (now - self._filled) * self._rate)
        self._filled = now
        if self._tokens < 1:
            return False
        self._tokens -= 1
        return True


def read_host(origin: bytes) -> str:
    """The `host` or `host:port` of an Origin; empty for `null` and for what is none."""
    try:
        return urllib.parse.urlsplit(origin.decode("latin-1")).netloc.lower()
    except ValueError:
        return ""
