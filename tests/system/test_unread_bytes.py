"""Peers that are not read: what the kernel says of them."""

import socket
import struct
import time
from collections.abc import Iterator

import pytest
from awxfast.system.unread_bytes import count_taken, is_gone, read_unanswered, seconds_unanswered
from servers import wait_for

Pair = tuple[socket.socket, socket.socket]


@pytest.fixture(params=["tcp", "unix"])
def pair(request: pytest.FixtureRequest) -> Iterator[Pair]:
    """Ours, and the peer's."""
    if request.param == "unix":
        ends = socket.socketpair()
    else:
        with socket.create_server(("127.0.0.1", 0)) as server:
            ends = (socket.create_connection(server.getsockname()), server.accept()[0])
    with ends[0], ends[1]:
        yield ends


def tcp_info(*, unacknowledged: int, probes: int, last_ack: int) -> bytes:
    """The kernel's struct, all else 0."""
    return struct.pack("=3xB20xI28xI", probes, unacknowledged, last_ack)


class TestPeer:
    def test_who_sent_and_does_not_read_is_there(self, pair: Pair) -> None:
        ours, peer = pair
        peer.sendall(bytes(1000))
        ours.setblocking(False)
        with pytest.raises(BlockingIOError):
            while True:
                ours.send(bytes(65_536))
        assert not is_gone(ours)
        assert seconds_unanswered(ours) < 20

    def test_who_closed_behind_what_it_sent_is_gone(self, pair: Pair) -> None:
        ours, peer = pair
        peer.sendall(bytes(1000))
        peer.close()
        wait_for(lambda: is_gone(ours))

    def test_what_it_takes_is_counted_and_what_is_written_is_not(self, pair: Pair) -> None:
        ours, peer = pair
        ours.setblocking(False)
        peer.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 4_096)
        while True:
            try:
                ours.send(bytes(65_536))
            except BlockingIOError:
                break
        wait_for(lambda: count_taken(ours) == still(ours))
        before = count_taken(ours)
        peer.recv(1 << 20)
        wait_for(lambda: count_taken(ours) > before)


def still(ours: socket.socket) -> int:
    """What it has taken, when that does not change for a moment."""
    taken = count_taken(ours)
    time.sleep(0.1)
    return taken


class TestUnanswered:
    def test_silence_counts_while_something_waits_for_an_answer(self) -> None:
        assert read_unanswered(tcp_info(unacknowledged=1, probes=0, last_ack=31_500)) == 31.5
        assert read_unanswered(tcp_info(unacknowledged=0, probes=2, last_ack=31_500)) == 31.5

    def test_silence_of_whoever_owes_nothing_does_not(self) -> None:
        assert read_unanswered(tcp_info(unacknowledged=0, probes=0, last_ack=3_600_000)) == 0
