"""What a connection to another node shares with the others: the list and the clock, but not the browsers' limits."""

from collections.abc import Mapping
from typing import Any

from awxfast._rust import FrameDecoder, LinkFigures
from awxfast.sockets.clients import Clients
from awxfast.sockets.connection import Connection

NO_FRAME_LIMIT = 0
BOUNDS_OF_NODES = {b"message too big": "--backplane-max-message-size"}
TURN_MESSAGES = 512
"""Events a turn of the loop: what a read brings of them, and no more of the smallest than milliseconds take."""


class NodeSeat:
    """The list for one connection. `notices`: the node is to hear of subscriptions (AWX's relay era)."""

    is_node = True

    def __init__(self, clients: Clients, notices: bool, max_message_size: int) -> None:
        self._clients = clients
        self._notices = notices
        self._max_message_size = max_message_size
        self.fanout = clients.fanout
        self.close_timeout = clients.close_timeout
        self.now = clients.now
        self.turns = clients.turns_of_nodes
        self.add = clients.add
        self.count_close = clients.count_close
        self.report_turned_away = clients.report_turned_away
        self.make_room = clients.make_room
        self.figures: LinkFigures | None = None

    def attach(self, descriptor: int, *, greeted: bool) -> int:
        """A node link, for the fan-out. Nobody greets a node."""
        client, self.figures = self.fanout.attach_link(descriptor, self._notices)
        return client

    def freeze(self) -> dict[str, Any]:
        """What tells the seat in another process, as JSON has it."""
        return {"notices": self._notices}

    @classmethod
    def take_over(
        cls, clients: Clients, frozen: Mapping[str, Any], figures: LinkFigures | None, max_message_size: int
    ) -> "NodeSeat":
        """One that `freeze` told of in the process before this one; the fan-out goes on counting in `figures`."""
        seat = cls(clients, frozen["notices"], max_message_size)
        seat.figures = figures
        clients.nodes += 1
        return seat

    def make_decoder(self, *, as_str: bool) -> FrameDecoder:
        """For what the node sends."""
        return FrameDecoder(self._max_message_size, NO_FRAME_LIMIT, TURN_MESSAGES, as_str=as_str)

    def report_fault(self, peer: str, code: int, reason: bytes) -> None:
        """The node did wrong and is closed."""
        self._clients.report_fault(peer, code, reason, BOUNDS_OF_NODES)

    def add_opening(self, connection: Connection) -> None:
        """Its 101 is not out yet."""
        self._clients.nodes += 1
        self._clients.add_opening(connection)

    def remove(self, connection: Connection) -> None:
        """Forgets a connection that is gone."""
        self._clients.nodes -= 1
        self._clients.remove(connection)
