"""The list of nodes: what stands in it, and what is forgotten."""

import json

import pytest
from awxfast.nodes import peers as peers_module
from awxfast.nodes.peers import Peers
from clocks import Clock


class Figures:
    """A link's, as the fan-out keeps them."""

    def __init__(self, frames: int = 0, size: int = 0, shed: int = 0, pending: int = 0) -> None:
        self.values = (frames, size, {"queue_frames": shed, "lost_at_close": 0}, pending)

    def read(self) -> tuple[int, int, dict[str, int], int]:
        return self.values


class TestPeer:
    def test_state_follows_its_links(self) -> None:
        peer = Peers(Clock()).at("a")
        first, second = Figures(), Figures()
        peer.connect(first, "relay")
        peer.connect(second, "broadcast")
        assert (peer.state, peer.links, peer.eras) == ("connected", 2, ["broadcast", "relay"])
        peer.disconnect(first)
        assert (peer.state, peer.eras) == ("connected", ["broadcast"])
        peer.disconnect(second)
        assert (peer.state, peer.eras) == ("gone", [])

    def test_refused_node_shows_why_until_it_links(self) -> None:
        peer = Peers(Clock()).at("a")
        peer.refuse("its clock is 400 seconds ahead of ours")
        assert (peer.state, peer.last_error) == ("refused", "its clock is 400 seconds ahead of ours")
        peer.connect(Figures(), "relay")
        assert peer.state == "connected"

    def test_sums_go_on_over_many_links(self) -> None:
        clock = Clock()
        peer = Peers(clock).at("a")
        for number in range(1, 6):
            figures = Figures(frames=number, size=10 * number, shed=1, pending=2)
            peer.connect(figures, "relay")
            assert peer.written().frames == sum(range(number + 1))
            peer.disconnect(figures)
            clock.now += 2
            peer.fold()
        written = peer.written()
        assert (written.frames, written.bytes, written.lost["queue_frames"], written.pending) == (15, 150, 5, 0)

    def test_late_writes_of_a_link_that_is_gone_are_counted(self) -> None:
        peer = Peers(Clock()).at("a")
        figures = Figures(frames=1)
        peer.connect(figures, "relay")
        peer.disconnect(figures)
        peer.fold()
        figures.values = (2, 0, {"lost_at_close": 3}, 0)
        assert peer.written().frames == 2
        assert peer.written().lost["lost_at_close"] == 3


class TestForgetting:
    def test_node_is_shown_for_a_minute_after_its_end(self) -> None:
        clock = Clock()
        peers = Peers(clock)
        figures = Figures()
        peers.at("a").connect(figures, "relay")
        clock.now = 1000
        list(peers.sweep())
        peers.at("a").disconnect(figures)
        clock.now += 60
        list(peers.sweep())
        assert [peer.host for peer in peers] == ["a"]
        clock.now += 1
        list(peers.sweep())
        assert list(peers) == []

    def test_a_thousand_nodes_that_come_and_go_leave_their_sums(self) -> None:
        clock = Clock()
        peers = Peers(clock)
        total = 0
        for number in range(1000):
            clock.now += 1
            peer = peers.at(f"node-{number}")
            figures = Figures(frames=3)
            peer.connect(figures, "broadcast")
            peer.receive(2, 20)
            peer.disconnect(figures)
            list(peers.sweep())
            assert len(list(peers)) <= 62
            before, total = total, peers.sent + sum(peer.written().frames for peer in peers)
            assert total >= before
        assert total == 3000
        assert peers.received + sum(peer.received for peer in peers) == 2000


class TestBound:
    @pytest.fixture(autouse=True)
    def bound(self, monkeypatch: pytest.MonkeyPatch) -> None:
        monkeypatch.setattr(peers_module, "MOST_PEERS", 3)

    def test_refused_ones_past_it_are_left_out(self) -> None:
        peers = Peers(Clock())
        for number in range(100):
            if (peer := peers.find(f"192.0.2.{number}")) is not None:
                peer.refuse("its clock is 400 seconds ahead of ours")
        assert [peer.host for peer in peers] == ["192.0.2.0", "192.0.2.1", "192.0.2.2"]

    def test_node_that_links_takes_the_place_of_one_that_does_not(self) -> None:
        peers = Peers(Clock())
        linked, gone = Figures(frames=1), Figures(frames=5, shed=2)
        peers.at("a").connect(linked, "relay")
        peers.at("b").connect(gone, "relay")
        peers.at("b").disconnect(gone)
        assert peers.find("c") is not None
        peers.at("d").connect(Figures(), "relay")
        assert [peer.host for peer in peers] == ["a", "c", "d"]
        assert (peers.sent, peers.lost["queue_frames"]) == (5, 2)

    def test_node_that_is_about_to_link_keeps_its_place(self) -> None:
        peers = Peers(Clock())
        for host in "abc":
            peers.at(host).sessions += 1
        assert peers.at("d").host == "others"
        assert peers.at("e") is peers.at("d")
        assert [peer.host for peer in peers] == ["a", "b", "c", "others"]


class TestFromOneProcessToTheNext:
    def test_figures_go_on(self) -> None:
        clock = Clock()
        before, after = Peers(clock), Peers(clock)
        peer = before.at("a")
        ended, there = Figures(frames=5, size=50, shed=2), Figures(frames=100, size=1000)
        peer.connect(ended, "relay")
        peer.connect(there, "relay")
        peer.disconnect(ended)
        peer.receive(3, 30)
        peer.skew, peer.old_secret, peer.last_error = 7, True, "it broke"
        before.received, before.sent = 11, 12
        before.lost["queue_frames"] = 13
        after.inherit(json.loads(json.dumps(before.freeze())))
        again = after.at("a")
        again.connect(Figures(frames=101, size=1001), "relay")
        written = again.written()
        assert (written.frames, written.bytes, written.lost["queue_frames"]) == (106, 1051, 2)
        assert (again.received, again.received_bytes) == (3, 30)
        assert (again.skew, again.old_secret, again.last_error) == (7, True, "it broke")
        assert (after.received, after.sent, after.lost["queue_frames"]) == (11, 12, 13)
