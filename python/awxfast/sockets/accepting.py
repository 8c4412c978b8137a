"""Who is let connect: a listener on each socket, plain or TLS, and connections of the process before this one."""

import asyncio
import logging
import socket
from collections.abc import Sequence

from awxfast._rust import Front
from awxfast.http.bridge import Bridges
from awxfast.http.fair_share import FairShare
from awxfast.http.listening import Listening
from awxfast.http.plain_connections import PlainConnections
from awxfast.http.plain_listener import PlainListener
from awxfast.http.service import HttpService
from awxfast.http.tls import Certificate
from awxfast.http.tls_listener import TlsListener
from awxfast.settings import Settings

log = logging.getLogger(__name__)

TLS_RECEIVE_BUFFER = 16_384
"""Bytes. A read brings all that is there, and all of it is decrypted in a turn of the loop, key updates among it."""


class Accepting:
    """The listeners of one server. What they accept is served by `http`, behind TLS with one of `bridges` between."""

    def __init__(
        self,
        settings: Settings,
        http: HttpService,
        bridges: Bridges,
        plain: PlainConnections,
        share: FairShare | None = None,
    ) -> None:
        """`share`: other processes listen on the same sockets."""
        self._settings = settings
        self._http = http
        self._bridges = bridges
        self._plain = plain
        self._share = share
        self._certificates: list[Certificate] = []
        self._front: Front | None = None
        self._listeners: list[PlainListener | TlsListener] = []
        self._shaking: list[TlsListener] = []
        """Those that do not listen any more; handshakes may be under way there."""

    def begin(self) -> None:
        """From now on there may be connections."""
        loop = asyncio.get_running_loop()
        self._front = front = Front(loop)
        loop.add_reader(front.fileno(), front.turn)

    def listen(self, listenings: Sequence[Listening]) -> None:
        """Lets in who connects from now on; again, if a reload was refused."""
        self._shaking = [listener for listener in self._shaking if not listener.is_quiet]
        self._listeners += [self._listen(listening) for listening in listenings]

    def end_listening(self) -> None:
        """Accepts nobody; the sockets are closed here. TLS handshakes that are under way go on."""
        while self._listeners:
            listener = self._listeners.pop()
            listener.end_listening()
            if isinstance(listener, TlsListener):
                self._shaking.append(listener)

    def end_handshakes(self) -> None:
        """Those that are under way where nobody listens any more."""
        while self._shaking:
            self._shaking.pop().end_handshakes()

    @property
    def is_shaking(self) -> bool:
        """Whether such handshakes are under way."""
        return not all(listener.is_quiet for listener in self._shaking)

    def adopt(self, sock: socket.socket, protocol: asyncio.BaseProtocol, *, is_plain: bool = False) -> None:
        """A connection of the process before this one, for `protocol` from now on; the socket itself is closed.

        `is_plain`: it is no websocket.
        """
        assert self._front is not None  # `begin` was called
        try:
            with sock:
                self._front.adopt(sock.fileno(), protocol, is_plain=is_plain)
        except OSError as error:
            log.error("a client is lost, it can't be taken over: %s", error)  # noqa: TRY400  no fault here
            protocol.connection_lost(error)

    def reload(self) -> None:
        """Reads certificates again. Raises `ConfigurationError` at the first with a fault, which stays as it was."""
        for certificate in self._certificates:
            certificate.reload()

    def _listen(self, listening: Listening) -> PlainListener | TlsListener:
        if listening.certificate is not None:
            return self._listen_for_tls(listening.sock, listening.backlog, listening.certificate)
        assert self._front is not None  # `begin` was called
        listener = PlainListener(self._front, listening.sock, self._http, self._share)
        listener.start(listening.backlog)
        return listener

    def _listen_for_tls(self, sock: socket.socket, backlog: int, certificate: Certificate) -> TlsListener:
        """The kernel's buffers are bounded here, before there is a connection: the fan-out never sees it."""
        if certificate not in self._certificates:
            self._certificates.append(certificate)
        self._bridges.open()
        sock.setsockopt(socket.SOL_SOCKET, socket.SO_SNDBUF, self._settings.send_buffer)
        sock.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, TLS_RECEIVE_BUFFER)
        listener = TlsListener(
            sock,
            certificate.context,
            self._bridges,
            self._plain,
            handshake_timeout=max(0, self._settings.websocket_connect_timeout) or None,
            share=self._share,
        )
        listener.start(backlog)
        return listener

    def close(self) -> None:
        """There are no connections any more."""
        if self._front is not None:
            asyncio.get_running_loop().remove_reader(self._front.fileno())
            self._front.close()
