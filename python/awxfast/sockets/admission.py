"""How many may come, and from where: `--max-clients`, `--accept-rate`, `--origin`, and `--auth open`'s own rule."""

from collections.abc import Callable, Sequence

from awxfast.sockets.handshake_rate import HandshakeRate, SharedHandshakeRate
from awxfast.system.shares import Shares
from awxfast.wire.handshake import RETRY, Refusal
from awxfast.wire.hosts import is_loopback, is_page_of_this_machine, list_names, read_host, read_origin
from awxfast.wire.request import Request

TOO_MANY_CLIENTS = Refusal(503, "limit", "All places are taken (--max-clients).", RETRY)
TOO_FAST = Refusal(503, "limit", "Too many handshakes at once (--accept-rate).", RETRY)
WRONG_ORIGIN = Refusal(403, "origin", "This Origin is not allowed here (--origin).")
WRONG_HOST = Refusal(403, "origin", "--auth open is for this machine, not for this Host (--origin).")

THIS_MACHINE = "localhost, 127.0.0.0/8, [::1]"


class Admission:
    """Decides from numbers and the Origin alone, before anybody asks who it is.

    `accept_rate` is handshakes a second; a second's worth may come at once. None: no limit. No origins: any, or with
    `local` those of this machine; a `local` listener takes only hosts of this machine and of `origins`, except on a
    unix socket, which no page reaches. `shares`: limits are for all processes in it together.
    """

    def __init__(
        self,
        max_clients: int | None,
        accept_rate: int | None,
        origins: Sequence[str],
        now: Callable[[], float],
        *,
        local: bool = False,
        shares: Shares | None = None,
    ) -> None:
        self._max_clients = max_clients
        self._rate = make_rate(accept_rate, now, shares)
        self._shares = shares
        self._origins = frozenset(origin.lower() for origin in origins)
        self._local = local

    def refuse(self, request: Request, clients: int) -> Refusal | None:
        """Why the request is refused while there are `clients`; None: it may go on."""
        if not self._is_allowed(request.values(b"origin")):
            return WRONG_ORIGIN
        if self._local and not self._is_for_here(request):
            return WRONG_HOST
        if self._max_clients is not None and not self._has_place(clients, self._max_clients):
            return TOO_MANY_CLIENTS
        if self._rate is None or self._rate.take():
            return None
        self._note_clients(clients)
        return TOO_FAST

    def look(self) -> None:
        """Sees what others have taken of the rate; to be called now and then."""
        if self._rate is not None:
            self._rate.look()

    def name_allowed(self, refusal: Refusal) -> str:
        """Whom it would have let in, for the log; empty where it was no matter of names."""
        if refusal not in (WRONG_ORIGIN, WRONG_HOST):
            return ""
        here = self._local and (refusal == WRONG_HOST or not self._origins)
        return ", ".join([THIS_MACHINE] * here + sorted(self._origins))

    def give_back(self) -> None:
        """A handshake came to nothing: who can't say who it is takes nothing of `accept_rate` from those who can."""
        if self._rate is not None:
            self._rate.give_back()

    def _is_allowed(self, origins: list[bytes]) -> bool:
        """Programs send no Origin, browsers always one."""
        if not origins or not (self._origins or self._local):
            return True
        if len(origins) > 1:
            return False
        return self._is_listed(read_origin(origins[0])) if self._origins else is_page_of_this_machine(origins[0])

    def _is_for_here(self, request: Request) -> bool:
        host = read_host(request.values(b"host"))
        return is_loopback(host) or self._is_listed(host) or request.server is None

    def _is_listed(self, host: str) -> bool:
        """With or without its port."""
        return bool(self._origins & list_names(host))

    def _has_place(self, clients: int, most: int) -> bool:
        """The place is taken before the others' are counted: of two who want the last one at most one has it."""
        shares = self._shares
        if shares is None:
            return clients < most
        self._note_clients(clients + 1)
        others = sum(row.websockets for row in shares.foreign)
        has_place = clients + others < most
        if not has_place:
            self._note_clients(clients)
        return has_place

    def _note_clients(self, clients: int) -> None:
        if self._shares is not None and self._shares.speaks_for_this:
            self._shares.own.websockets = clients


def make_rate(accept_rate: int | None, now: Callable[[], float], shares: Shares | None) -> HandshakeRate | None:
    """Who counts the handshakes; None: nobody."""
    if accept_rate is None:
        return None
    return HandshakeRate(accept_rate, now) if shares is None else SharedHandshakeRate(accept_rate, now, shares)
