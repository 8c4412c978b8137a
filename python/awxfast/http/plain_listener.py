"""Listens where no TLS is spoken: connections are taken in by the core, some each turn of the loop."""

import socket

from awxfast._rust import Front
from awxfast.http.fair_share import FairShare
from awxfast.http.service import HttpService


class PlainListener:
    """Accepts on a socket that listens, for one service; its `share` where other processes accept there, too."""

    def __init__(self, front: Front, sock: socket.socket, service: HttpService, share: FairShare | None = None) -> None:
        self._front = front
        self._sock = sock
        self._service = service
        self._share = share
        self._number = -1

    def start(self, backlog: int) -> None:
        """Accepts from now on."""
        self._sock.listen(backlog)
        service, share = self._service, self._share
        self._number = self._front.listen(
            self._sock.fileno(),
            service,
            service.open_at_once,
            service.max_head,
            share.balance if share is not None else None,
        )

    def end_listening(self) -> None:
        """Nobody is accepted any more."""
        self._front.end_listening(self._number)
        self._sock.close()
