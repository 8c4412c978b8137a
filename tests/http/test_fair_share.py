"""What others see of a process that accepts beside them, and how often it says so."""

import asyncio
import os
import time
from collections.abc import Iterator

import pytest
from awxfast._rust import Balance
from awxfast.http.fair_share import WHOLE, FairShare
from awxfast.system.shares import Row, Shares


class Process:
    """One that is asked, beside two that stand in the table."""

    def __init__(self) -> None:
        self.table = Shares.create(3)
        self.shares = Shares.open(os.dup(self.table.descriptor), 0)
        self.connections = self.asked = 0
        self.share = FairShare(self.shares, self.measure)
        self.share.begin()

    def measure(self) -> tuple[int, int]:
        self.asked += 1
        return self.connections, WHOLE * self.connections

    @property
    def row(self) -> Row:
        """Its own, as the others have it."""
        return self.table.rows[0]

    def close(self) -> None:
        self.share.end()
        self.shares.close()
        self.table.close()


@pytest.fixture
def process() -> Iterator[Process]:
    one = Process()
    yield one
    one.close()


class TestTurns:
    def test_one_that_has_more_waits_for_others_that_are_there(self, process: Process) -> None:
        other = process.table.rows[1]
        other.looked_at, other.load = time.monotonic_ns(), WHOLE
        process.connections = 2
        process.share.publish()
        assert process.share.balance.wait_time() > 0
        other.load = 2 * WHOLE
        assert process.share.balance.wait_time() == 0
        other.load = WHOLE
        other.looked_at = 0
        assert process.share.balance.wait_time() == 0

    def test_table_and_row_must_be_there(self, process: Process) -> None:
        with pytest.raises(ValueError, match="no such row"):
            Balance(process.table.descriptor, 3)
        with pytest.raises(OSError, match="descriptor"):
            Balance(-1, 0)
        reader, writer = os.pipe()
        with pytest.raises(OSError):
            Balance(reader, 0)
        os.close(reader)
        os.close(writer)


class TestWhatOthersSee:
    def test_counts_are_told(self, process: Process) -> None:
        process.connections = 12
        before = time.monotonic_ns()
        process.share.publish()
        assert (process.row.load, process.row.websockets) == (WHOLE * 12, 12)
        assert before <= process.row.looked_at <= time.monotonic_ns()

    def test_each_accepted_one_counts_before_anybody_asks_what_there_is(self, process: Process) -> None:
        asked = process.asked
        for _ in range(3):
            process.share.balance.note_accepted()
        assert (process.row.accepted, process.row.load, process.asked) == (3, 3 * WHOLE, asked)

    def test_nothing_is_told_by_one_that_does_not_listen_any_more(self, process: Process) -> None:
        process.share.end()
        process.connections = 12
        process.share.publish()
        process.share.balance.note_accepted()
        assert (process.row.load, process.row.accepted, process.row.listens) == (0, 0, False)

    def test_one_that_listens_again_tells_again(self, process: Process) -> None:
        process.share.end()
        process.connections = 12
        process.share.begin()
        assert (process.row.load, process.row.listens) == (12 * WHOLE, True)

    def test_row_that_main_cleared_too_late_is_its_own_again(self, process: Process) -> None:
        """Main found the one before there, and cleared the row when this one had begun."""
        process.row.pid = process.row.looked_at = process.row.websockets = process.row.load = 0
        process.connections = 12
        process.share.publish()
        assert (process.row.pid, process.row.listens, process.row.websockets) == (os.getpid(), True, 12)
        process.table.clear(0, os.getpid())
        assert (process.row.listens, process.row.websockets) == (False, 0)


class TestChanges:
    async def test_those_of_one_turn_are_told_once_behind_all_of_them(self, process: Process) -> None:
        asked = process.asked
        for _ in range(5):
            process.connections += 1
            process.share.note_change()
        assert (process.row.load, process.asked) == (0, asked)
        await asyncio.sleep(0)
        assert (process.row.load, process.asked) == (5 * WHOLE, asked + 1)
        process.connections += 1
        process.share.note_change()
        await asyncio.sleep(0)
        assert process.row.load == 6 * WHOLE

    async def test_each_says_at_once_that_the_process_runs(self, process: Process) -> None:
        """A turn may be long: nobody is to take it for one that is held up."""
        for note in (process.share.note_change, process.share.balance.note_accepted):
            process.row.looked_at = 1
            note()
            assert process.row.looked_at > 1

    async def test_one_that_does_not_listen_tells_none(self, process: Process) -> None:
        process.share.end()
        asked = process.asked
        process.share.note_change()
        await asyncio.sleep(0)
        assert process.asked == asked
