"""Pings, silence, age, and closes that don't come to an end: one look twice a second at every connection."""

from collections.abc import Iterator

from awxfast.settings import Settings
from awxfast.sockets.clients import Clients
from awxfast.sockets.connection import Connection, Phase
from awxfast.wire.close_codes import GOING_AWAY

SWEEP_SECONDS = 0.5


class Keepalive:
    """The rules. Only what is received is a sign of life; what is sent says nothing about a peer.

    Silence of `ping_interval` seconds is answered with a ping, of `ping_timeout` more (0: any) with the end. A
    browser's connection older than `websocket_timeout` (negative: never) is closed with 1001. Where nothing is read,
    what the peer's kernel acknowledges is its sign of life.
    """

    def __init__(self, clients: Clients, settings: Settings) -> None:
        self._clients = clients
        self._interval = settings.ping_interval
        self._timeout = settings.ping_timeout
        self._max_age = settings.websocket_timeout

    def sweep(self) -> Iterator[bool]:
        """Looks at every connection once; whether there was something to do."""
        now = self._clients.now()
        for connection in self._clients:
            yield self._look(connection, now)

    def _look(self, connection: Connection, now: float) -> bool:
        if connection.phase is Phase.OPEN:
            return self._keep_alive(connection, now)
        if connection.phase is Phase.OPENING:
            is_late = now - connection.opened > self._clients.close_timeout
        else:
            is_late = connection.phase is not Phase.ENDED and now > connection.deadline
        if is_late:
            connection.cut_off()
        return is_late

    def _keep_alive(self, connection: Connection, now: float) -> bool:
        if 0 <= self._max_age < now - connection.opened and not connection.is_node:
            connection.close(GOING_AWAY, b"websocket timeout")
        elif now - connection.heard < self._interval:
            return False
        elif not connection.is_reading:
            return self._watch_unread(connection, now)
        elif connection.pinged <= connection.heard:
            connection.send_ping()
        elif 0 < self._timeout <= now - connection.pinged and not connection.has_unread:
            connection.cut_off()
        else:
            return False
        return True

    def _watch_unread(self, connection: Connection, now: float) -> bool:
        """Nothing is read: pings keep the way open for the peer's proxies, the kernel says whether it is there."""
        if connection.is_peer_gone(self._timeout):
            connection.cut_off()
        elif now - connection.pinged >= self._interval:
            connection.send_ping()
        return True
