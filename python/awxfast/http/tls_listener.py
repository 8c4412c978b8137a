"""Listens for TLS. A connection has a place among the plain ones from when it is accepted, before its handshake."""

import asyncio
import logging
import socket
import ssl
from collections.abc import Callable

from awxfast.http.bridge import ANY_SECONDS
from awxfast.http.fair_share import FairShare
from awxfast.http.plain_connections import TLS_WEIGHT, PlainConnections
from awxfast.http.tls_handshake import PacedHandshake
from awxfast.system.unread_bytes import has_unread
from awxfast.turns import Turns

log = logging.getLogger(__name__)

TURN_ACCEPTS = 16
"""Connections a turn of the loop, which also has handshakes to go on with."""
TURN_STEPS = 4
"""Steps of handshakes that a turn goes on with, whoever's they are: one costs milliseconds."""
HANDSHAKE_SECONDS = 0.1
"""How long a connection keeps its place at least where there are too many newcomers: two round trips."""
NO_DESCRIPTOR_SECONDS = 0.1
"""Until another try to accept where all descriptors are in use."""


class TlsListener:
    """Accepts on a socket that listens. `make_protocol` makes who gets the bytes, and ends each connection.

    `handshake_timeout` is in seconds, None for a minute. `share`: where other processes accept there, too.

    An event loop that accepts for TLS itself tells nobody of a connection whose handshake is not done.
    """

    def __init__(
        self,
        sock: socket.socket,
        context: ssl.SSLContext,
        make_protocol: Callable[[], asyncio.BaseProtocol],
        plain: PlainConnections,
        *,
        handshake_timeout: float | None,
        share: FairShare | None = None,
    ) -> None:
        self.context = context
        self.make_protocol = make_protocol
        self.plain = plain
        self.handshake_timeout = handshake_timeout
        self.turns = Turns(TURN_STEPS)
        self._sock = sock
        self._balance = share.balance if share is not None else None
        self._loop = asyncio.get_running_loop()
        self._resting: asyncio.TimerHandle | None = None
        self._handshakes: set[TlsHandshake] = set()

    def start(self, backlog: int) -> None:
        """Accepts from now on."""
        self._sock.setblocking(False)
        self._sock.listen(backlog)
        self._loop.add_reader(self._sock, self._accept)

    @property
    def is_quiet(self) -> bool:
        """Whether no handshake is under way."""
        return not self._handshakes

    def end_listening(self) -> None:
        """Accepts no more; handshakes that are under way go on."""
        if self._resting is not None:
            self._resting.cancel()
        self._loop.remove_reader(self._sock)
        self._sock.close()

    def end_handshakes(self) -> None:
        """Those that are under way end."""
        for handshake in list(self._handshakes):
            handshake.end_idle()

    def forget(self, handshake: "TlsHandshake") -> None:
        """A handshake is done, or has failed."""
        self._handshakes.discard(handshake)
        self.plain.leave(handshake)

    def _accept(self) -> None:
        balance = self._balance
        if balance is not None:
            balance.publish()
        for _ in range(TURN_ACCEPTS):
            if balance is not None and (seconds := balance.wait_time()):
                self._rest(seconds)
                return
            try:
                sock, _ = self._sock.accept()
            except (BlockingIOError, InterruptedError, ConnectionAbortedError):
                return
            except OSError:
                self._rest(NO_DESCRIPTOR_SECONDS)
                return
            if balance is not None:
                balance.note_accepted()
            handshake = TlsHandshake(self, sock)
            self._handshakes.add(handshake)
            self.plain.add(handshake)
            if self.plain.is_full(handshake):
                self._rest(HANDSHAKE_SECONDS / max(1, self.plain.idle))
                return

    def _rest(self, seconds: float) -> None:
        """Others wait in the backlog: each that comes now would take the place of one that has come lately.

        Or of who is another process's to accept.
        """
        self._loop.remove_reader(self._sock)
        self._resting = self._loop.call_later(seconds, self._accept_again)

    def _accept_again(self) -> None:
        self._loop.add_reader(self._sock, self._accept)
        if self._balance is not None and not has_unread(self._sock):
            self._balance.note_nobody()


class TlsHandshake:
    """A connection until its handshake is done: it counts as idle."""

    weight = TLS_WEIGHT
    awaits_body = False
    is_taken = True

    def __init__(self, listener: TlsListener, sock: socket.socket) -> None:
        sock.setblocking(False)
        self.descriptor = sock.fileno()
        self._listener = listener
        self._sock = sock
        self._task = asyncio.get_running_loop().create_task(self._run())
        self._task.add_done_callback(self._finish)

    async def _run(self) -> None:
        pace = PacedHandshake(self._listener.turns)
        transport, _ = await asyncio.get_running_loop().connect_accepted_socket(lambda: pace, self._sock)
        try:
            if not transport.is_closing():
                await self._shake_hands(transport, pace)
        except OSError as error:
            log.debug("a TLS handshake failed: %s", error)
            transport.abort()
        except BaseException:
            transport.abort()
            raise

    async def _shake_hands(self, transport: asyncio.Transport, pace: PacedHandshake) -> None:
        loop, listener, protocol = asyncio.get_running_loop(), self._listener, self._listener.make_protocol()
        loop.call_soon(pace.begin)  # TLS is there then, which takes its place at once and begins in a turn of its own
        secure = await loop.start_tls(
            transport,
            protocol,
            listener.context,
            server_side=True,
            ssl_handshake_timeout=listener.handshake_timeout,
            ssl_shutdown_timeout=ANY_SECONDS,
        )
        pace.end()
        assert secure is not None
        protocol.connection_made(secure)

    def _finish(self, task: asyncio.Task[None]) -> None:
        self._listener.forget(self)
        if task.cancelled():
            self._sock.close()  # no transport has it where the task has not begun

    def end_idle(self) -> None:
        """Somebody else needs the place."""
        self._task.cancel()
