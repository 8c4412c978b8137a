"""What one process says to the other, part by part."""

import os
import socket
from collections.abc import Iterator
from pathlib import Path

import pytest
from awxfast.app.handover import Inheritance, send_idle, send_records
from awxfast.system.passing import close_all, send_message

Pair = tuple[socket.socket, socket.socket]


@pytest.fixture
def pair() -> Iterator[Pair]:
    here, there = socket.socketpair()
    with here, there:
        yield here, there


@pytest.fixture
def pipe() -> Iterator[int]:
    """The end of one that is written to."""
    reading, writing = os.pipe()
    yield writing
    close_all([reading, writing])


def name_file(descriptor: int) -> str:
    return str(Path(f"/proc/self/fd/{descriptor}").readlink())


def count_open() -> int:
    return len(list(Path("/proc/self/fd").iterdir()))


class TestInheritance:
    def test_each_record_comes_with_its_descriptor_and_connections_without_a_request_apart(
        self, pair: Pair, pipe: int
    ) -> None:
        here, there = pair
        records = [{"number": number, "text": "two\nlines"} for number in range(3)]
        send_message(here, b"{}", [pipe])
        send_records(here, records[:2], [here.fileno(), there.fileno()])
        send_records(here, records[2:], [pipe])
        send_idle(here, [there.fileno()])
        inheritance = Inheritance.receive(there)
        assert inheritance.count() == 3
        taken = list(inheritance.take_clients())
        assert [record for record, _ in taken] == records
        assert [name_file(one) for _, one in taken] == [name_file(one) for one in (here.fileno(), there.fileno(), pipe)]
        assert [name_file(one) for one in inheritance.idle] == [name_file(there.fileno())]
        close_all([one for _, one in taken])
        inheritance.close()

    def test_record_without_a_descriptor_is_a_fault_and_leaves_none_open(self, pair: Pair, pipe: int) -> None:
        here, there = pair
        before = count_open()
        send_message(here, b"{}", [pipe])
        send_records(here, [{}, {}], [pipe])
        with pytest.raises(ValueError, match="a record each"):
            Inheritance.receive(there)
        assert count_open() == before
