"""What one process says to the other, part by part."""

import os
import socket
import time
from collections.abc import Iterator
from pathlib import Path

import orjson
import pytest
from awxfast.app import handover
from awxfast.app.handover import (
    TAKEN,
    Inheritance,
    Message,
    batched,
    end_transfer,
    needing_redis,
    transfer,
    write_idle,
    write_records,
)
from awxfast.errors import HandOverFailed, RedisReplyError, RedisUnavailable
from awxfast.system.passing import MOST, close_all, receive_message, send_message

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


class TestTransfer:
    def test_all_is_another_processs_when_that_says_so(self, pair: Pair) -> None:
        old, new = pair
        send_message(new, TAKEN)
        transfer(old, ())

    def test_refusal_is_the_reason(self, pair: Pair) -> None:
        old, new = pair
        send_message(new, b"it understands format [1], not [2]")
        with pytest.raises(HandOverFailed, match=r"it understands format \[1\], not \[2\]"):
            transfer(old, ())

    def test_process_that_ends_has_taken_nothing(self, pair: Pair) -> None:
        old, new = pair
        new.close()
        with pytest.raises(HandOverFailed, match="the new process ended in the middle of it"):
            transfer(old, ())

    def test_process_that_says_nothing_is_given_up(self, pair: Pair, monkeypatch: pytest.MonkeyPatch) -> None:
        monkeypatch.setattr(handover, "PATIENCE", 0.01)
        with pytest.raises(HandOverFailed, match="has not answered"):
            transfer(pair[0], ())

    def test_one_that_takes_each_part_in_time_and_all_of_them_too_slowly_is_given_up(
        self, pair: Pair, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        """Nobody is served meanwhile."""
        monkeypatch.setattr(handover, "TRANSFER_SECONDS", 0.2)
        old, new = pair

        def write() -> Iterator[Message]:
            while True:
                time.sleep(0.05)
                yield b"{}", ()
                receive_message(new)

        with pytest.raises(HandOverFailed, match=r"the new process has not taken all within 0\.2 s"):
            transfer(old, write())

    def test_reason_of_one_that_breaks_off_is_heard(self, pair: Pair) -> None:
        old, new = pair

        def write() -> Iterator[Message]:
            yield b"{}", ()
            send_message(new, b"it may have too few descriptors")
            new.close()
            yield b"{}", ()

        with pytest.raises(HandOverFailed, match="it may have too few descriptors"):
            transfer(old, write())

    def test_answer_that_came_before_a_fault_of_sending_counts(self, pair: Pair) -> None:
        """It goes on with all, whatever went wrong here behind that."""
        old, new = pair
        send_message(new, TAKEN)

        def fail() -> Iterator[Message]:
            yield b"{}", ()
            raise ValueError("no JSON")

        transfer(old, fail())

    def test_fault_of_sending_is_the_reason_else(self, pair: Pair) -> None:
        def fail() -> Iterator[Message]:
            yield b"{}", ()
            raise ValueError("no JSON")

        with pytest.raises(HandOverFailed, match="it can't be passed on: no JSON"):
            transfer(pair[0], fail())

    def test_nothing_can_be_taken_behind_the_end(self, pair: Pair) -> None:
        old, new = pair
        end_transfer(old)
        with pytest.raises(OSError, match="Broken pipe"):
            send_message(new, TAKEN)


class TestInheritance:
    def test_each_record_comes_with_its_descriptor_and_connections_without_a_request_apart(
        self, pair: Pair, pipe: int
    ) -> None:
        here, there = pair
        records = [{"number": number, "text": "two\nlines"} for number in range(3)]
        send_message(here, b"{}", [pipe])
        send_message(here, write_records(records[:2]), [here.fileno(), there.fileno()])
        send_message(here, write_records(records[2:]), [pipe])
        for message in write_idle([there.fileno()]):
            send_message(here, *message)
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
        send_message(here, write_records([{}, {}]), [pipe])
        with pytest.raises(ValueError, match="a record each"):
            Inheritance.receive(there)
        assert count_open() == before

    def test_end_before_all_is_there_leaves_nothing(self, pair: Pair) -> None:
        send_message(pair[0], orjson.dumps({"format": [1]}))
        pair[0].close()
        with pytest.raises(EOFError):
            Inheritance.receive(pair[1])

    def test_another_format_is_refused(self) -> None:
        inheritance = Inheritance()
        inheritance.head = {"format": [2]}
        with pytest.raises(HandOverFailed, match=r"it understands format \[1\], not \[2\]"):
            inheritance.check([1])
        inheritance.check([2])

    def test_more_than_this_process_may_have_open_is_refused(self, monkeypatch: pytest.MonkeyPatch) -> None:
        """A client needs two descriptors, its transport's and the fan-out's; a connection without a request one."""
        monkeypatch.setattr(handover, "SPARE", 10)
        monkeypatch.setattr(handover, "descriptor_limit", lambda: 17)
        inheritance = Inheritance()
        inheritance.head = {"format": [1]}
        inheritance.clients, inheritance.idle = [(b"", [-1, -1, -1])], [-1]
        inheritance.check([1])
        inheritance.idle = [-1, -1]
        with pytest.raises(HandOverFailed, match="it may have 17 descriptors, which is too few"):
            inheritance.check([1])


def test_parts_are_as_many_as_a_message_has_descriptors() -> None:
    assert [len(part) for part in batched(range(2 * MOST + 1))] == [MOST, MOST, 1]


@pytest.mark.parametrize("error", [RedisUnavailable("it is away"), RedisReplyError("READONLY"), TimeoutError()])
def test_redis_that_fails_keeps_the_other_process_from_going_on(error: Exception) -> None:
    with pytest.raises(HandOverFailed, match=str(error) or "Redis does not answer in time"), needing_redis():
        raise error
