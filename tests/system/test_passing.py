"""Messages with descriptors between two processes."""

import os
import resource
import socket
from collections.abc import Iterator

import pytest
from awxfast.system.passing import MOST, close_all, receive_message, send_message

Pair = tuple[socket.socket, socket.socket]


@pytest.fixture
def pair() -> Iterator[Pair]:
    here, there = socket.socketpair()
    here.settimeout(30)
    there.settimeout(30)
    with here, there:
        yield here, there


def is_open(descriptor: int) -> bool:
    try:
        os.fstat(descriptor)
    except OSError:
        return False
    return True


class TestMessage:
    def test_it_arrives_whole_with_its_descriptors(self, pair: Pair) -> None:
        here, there = pair
        reading, writing = os.pipe()
        send_message(here, b"one", [writing])
        send_message(here, b"")
        payload, [passed] = receive_message(there)
        assert payload == b"one"
        assert not os.get_inheritable(passed)
        os.write(passed, b"x")
        assert os.read(reading, 1) == b"x"
        assert receive_message(there) == (b"", [])
        close_all([reading, writing, passed])

    def test_as_many_descriptors_as_a_message_may_have(self, pair: Pair) -> None:
        here, there = pair
        send_message(here, b"all", [here.fileno()] * MOST)
        _, passed = receive_message(there)
        assert len(set(passed)) == MOST
        close_all(passed)


class TestFault:
    def test_end_of_the_stream(self, pair: Pair) -> None:
        here, there = pair
        here.close()
        with pytest.raises(EOFError):
            receive_message(there)

    def test_end_in_the_middle_leaves_no_descriptor_open(self, pair: Pair) -> None:
        here, there = pair
        socket.send_fds(here, [(9).to_bytes(8, "little")], [0])
        here.sendall(b"half")
        free = os.dup(0)
        os.close(free)
        here.close()
        with pytest.raises(EOFError):
            receive_message(there)
        assert not is_open(free)

    def test_too_few_descriptors_for_all_is_an_error_and_leaves_none(self, pair: Pair) -> None:
        here, there = pair
        send_message(here, b"many", [here.fileno()] * 100)
        send_message(here, b"the next one", [here.fileno()])
        former = resource.getrlimit(resource.RLIMIT_NOFILE)
        free = os.dup(0)
        os.close(free)
        resource.setrlimit(resource.RLIMIT_NOFILE, (free + 10, former[1]))
        try:
            with pytest.raises(OSError, match="not enough descriptors"):
                receive_message(there)
            assert not is_open(free)
        finally:
            resource.setrlimit(resource.RLIMIT_NOFILE, former)
        payload, [passed] = receive_message(there)  # the first is not left half read
        assert payload == b"the next one"
        os.close(passed)

    def test_what_is_shut_down_takes_nothing_in(self, pair: Pair) -> None:
        here, there = pair
        there.shutdown(socket.SHUT_RDWR)
        with pytest.raises(BrokenPipeError):
            send_message(here, b"too late")

    def test_what_came_before_the_shut_down_is_there(self, pair: Pair) -> None:
        here, there = pair
        send_message(here, b"in time")
        there.shutdown(socket.SHUT_RDWR)
        assert receive_message(there)[0] == b"in time"
