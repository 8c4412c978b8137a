"""What a node has of its own among the connections."""

from awxfast._rust import Fanout
from awxfast.settings import Settings
from awxfast.sockets.clients import Clients
from awxfast.sockets.node_seat import NodeSeat
from raw_browser import frame


class TestTurns:
    def test_node_has_512_messages_of_a_turn_and_a_browser_16(self) -> None:
        fanout = Fanout(threads=1)
        clients = Clients(fanout, Settings())
        node = NodeSeat(clients, notices=True, max_message_size=1000)
        data = frame("{}") * 600
        assert [len(seat.make_decoder(as_str=False).receive(data)) for seat in (node, clients)] == [512, 16]
        fanout.stop()
