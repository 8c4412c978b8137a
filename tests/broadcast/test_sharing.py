"""One batch for all peers: who gets what, and in which way."""

import socket
from collections.abc import Iterator

import msgpack
import pytest
from awxfast._rust import LinkBundle, LinkEncoder, LinkShare
from awxfast.broadcast.dialled_link import NONE
from awxfast.broadcast.sharing import find_takers, pause_for, send_bundle


def encode(*groups: str) -> LinkBundle:
    """A batch with an event of each."""
    encoder = LinkEncoder()
    members = []
    for group in groups:
        encoder.add_channel(f"g.{group}", group)
        message = {"type": "internal.message", "text": "{}", "needs_relay": True}
        members.append([bytes(12) + msgpack.packb({**message, "__asgi_channel__": [f"s.a!g.{group}"]}), b"1"])
    batch = encoder.encode_batch(members)
    assert batch is not None
    return batch


class Peer:
    """Its far end is a socket; `busy`: something waits before what is sent now."""

    def __init__(self, *wanted: str, busy: bool = False) -> None:
        self.wanted, self.busy = frozenset(wanted), busy
        self.ours, self.theirs = socket.socketpair()
        self.ours.setblocking(False)
        self.written: list[tuple[LinkShare, int]] = []
        self.sent: list[LinkShare] = []

    def choose(self, groups: frozenset[str]) -> frozenset[str]:
        return groups & self.wanted

    def socket_to_write(self) -> int:
        return NONE if self.busy else self.ours.fileno()

    def note_written(self, share: LinkShare, size: int) -> None:
        self.written.append((share, size))

    def send(self, share: LinkShare) -> None:
        self.sent.append(share)

    def close(self) -> None:
        self.ours.close()
        self.theirs.close()


@pytest.fixture
def peers() -> Iterator[list[Peer]]:
    """The first two want the same."""
    made = [Peer("a-1", "b-1"), Peer("a-1", "b-1"), Peer("b-1", "c-1"), Peer("c-1"), Peer("a-1", "b-1", busy=True)]
    yield made
    for peer in made:
        peer.close()


class TestSendBatch:
    def test_peers_that_want_the_same_share_the_bytes(self, peers: list[Peer]) -> None:
        first, second, _, _, busy = peers
        batch = encode("a-1", "b-1", "a-1")
        send_bundle(batch, peers)
        ((share, size),) = first.written
        assert second.written == [(share, size)]
        assert busy.sent == [share]
        assert (share.frames, size) == (3, share.size)
        assert first.theirs.recv(4096) == second.theirs.recv(4096) == share.data == batch.share({"a-1", "b-1"}).data

    def test_others_get_their_own(self, peers: list[Peer]) -> None:
        _, _, third, fourth, _ = peers
        batch = encode("a-1", "b-1", "a-1")
        send_bundle(batch, peers)
        assert third.theirs.recv(4096) == batch.share({"b-1"}).data
        assert not fourth.written
        assert not fourth.sent

    def test_what_a_socket_does_not_take_is_told(self, peers: list[Peer]) -> None:
        first, second, *_ = peers
        first.theirs.close()
        send_bundle(encode("a-1"), peers)
        assert [size for _, size in first.written] == [0]
        assert [size for _, size in second.written] == [encode("a-1").share({"a-1"}).size]


class TestFindTakers:
    def test_peers_are_sorted_by_what_they_want_of_the_batch(self, peers: list[Peer]) -> None:
        takers = find_takers(frozenset({"b-1", "c-1"}), peers)
        sizes = {groups: len(found) for groups, found in takers.items()}
        assert sizes == {frozenset({"b-1"}): 3, frozenset({"b-1", "c-1"}): 1, frozenset({"c-1"}): 1}


def test_pause_grows_with_the_links_and_has_an_end() -> None:
    assert pause_for(0) == 0.0
    assert pause_for(1) < pause_for(24) < pause_for(100) == pause_for(1000) == 0.005
