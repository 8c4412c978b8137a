"""The writing side of a websocket: nothing is written here, all that goes out goes through the fan-out."""

from collections.abc import Sequence

from awxfast._rust import SocketTransport
from awxfast.sockets.client_list import ClientList
from awxfast.sockets.reading import ReadingSide, Transport

NOT_ATTACHED = -1
"""Instead of the fan-out's number of a client."""


class WritingSide(ReadingSide):
    """`client` is the fan-out's number of it; `pinged` is when it was last sent a ping."""

    __slots__ = ("client", "pinged")

    _clients: ClientList

    def __init__(self, clients: ClientList) -> None:
        super().__init__(clients)
        self.client = NOT_ATTACHED
        self.pinged = 0.0

    @property
    def descriptor(self) -> int | None:
        """The socket's, if it can be handed over: the fan-out writes to it, and it has not ended."""
        if self.client == NOT_ATTACHED or self._transport is None or self._transport.is_closing():
            return None
        return int(self._transport.get_extra_info("socket").fileno())

    @property
    def is_carried(self) -> bool:
        """Whether the socket is this process's own, with a bridge at the other end (`http.bridge`)."""
        return self._transport is not None and not isinstance(self._transport, SocketTransport)

    @property
    def groups(self) -> Sequence[str]:
        """Those that the peer gets events of."""
        return self._clients.fanout.groups_of(self.client)

    def leave_groups(self) -> None:
        """No event comes by the groups of the process before this one any more."""
        self._clients.fanout.subscribe(self.client, [], self.groups)

    def send_text(self, payload: bytes) -> None:
        """Queues a reply to the peer."""
        self._clients.fanout.send_text(self.client, payload)

    def send_str(self, text: str) -> int:
        """Queues what an application sends; its bytes."""
        return self._clients.fanout.send_str(self.client, text)

    def send_texts(self, payloads: Sequence[bytes]) -> None:
        """Queues replies that leave together."""
        self._clients.fanout.send_texts(self.client, payloads)

    def send_ping(self) -> None:
        """Queues a ping; `pinged` is its time."""
        self.pinged = self._clients.now()
        self._clients.fanout.send_ping(self.client, b"")

    def subscribe(self, joined: Sequence[str], left: Sequence[str], reply: bytes) -> None:
        """Changes the groups that the peer gets events of, then queues the reply."""
        self._clients.fanout.subscribe(self.client, joined, left, reply)

    def send_binary(self, payload: bytes) -> None:
        """Queues a binary message."""
        self._clients.fanout.send_binary(self.client, payload)

    def ask_drained(self) -> None:
        """Asks to be told when no reply waits any more."""
        self._clients.fanout.ask_drained(self.client)

    def ask_room(self) -> None:
        """Asks to be told when less waits than a client's bound."""
        self._clients.fanout.ask_room(self.client)


def write_out(transport: Transport, data: bytes) -> bool:
    """Whether the socket has taken all of it at once."""
    if isinstance(transport, SocketTransport):
        return transport.write_at_once(data)
    transport.write(data)
    return transport.get_write_buffer_size() == 0
