"""Which of several processes accepts: the others are rows of a table, the clock is the test's."""

import os
from collections.abc import Iterator

import pytest
from awxfast.http.fair_share import AT_ONCE, BATCH, BLOCKED, HELP, LONGEST_WAIT, STEP_SECONDS, WAIT, WHOLE, FairShare
from awxfast.system.shares import Row, Shares


class Process:
    """One that is asked, beside two that stand in the table."""

    def __init__(self) -> None:
        self.table = Shares.create(3)
        self.shares = Shares.open(os.dup(self.table.descriptor), 0)
        self.now = 1_000_000_000
        self.connections = 0
        self.share = FairShare(
            self.shares, lambda: self.connections, lambda: WHOLE * self.connections, lambda: self.now
        )
        self.share.begin()

    def add(self, number: int, connections: int) -> Row:
        row = self.table.rows[number]
        row.looked_at, row.load = self.now, WHOLE * connections
        return row

    def accepts(self) -> bool:
        """Whether the next one is its own now; it has it then, and time goes by."""
        if self.share.wait_time():
            return False
        self.share.note_accepted()
        self.connections += 1
        return True

    def wait_until_it_accepts(self, *looking: Row) -> int:
        """How many nanoseconds it takes, with processes that look but do not accept."""
        begin = self.now
        while not self.accepts():
            self.now += AT_ONCE
            for row in looking:
                row.looked_at = self.now
        return self.now - begin

    def close(self) -> None:
        self.shares.close()
        self.table.close()


@pytest.fixture
def process() -> Iterator[Process]:
    one = Process()
    yield one
    one.close()


class TestTurns:
    def test_alone_it_accepts_all(self, process: Process) -> None:
        process.connections = 1_000
        assert all(process.accepts() for _ in range(100))

    def test_one_that_has_no_more_than_others_accepts(self, process: Process) -> None:
        process.add(1, 5)
        process.add(2, 7)
        process.connections = 5
        assert process.accepts()

    def test_one_that_has_more_lets_others_go_first(self, process: Process) -> None:
        process.add(1, 5)
        process.add(2, 9)
        process.connections = 6
        assert not process.accepts()

    def test_process_that_does_not_listen_is_not_waited_for(self, process: Process) -> None:
        process.add(1, 0).looked_at = 0
        process.connections = 100
        assert process.accepts()

    def test_one_without_a_request_counts_less_than_one_with_it(self, process: Process) -> None:
        process.add(1, 5).load += 1
        process.connections = 6
        assert not process.accepts()
        process.connections = 5
        assert process.accepts()

    def test_it_looks_again_soon_and_not_all_the_time(self, process: Process) -> None:
        process.add(1, 0)
        process.connections = 1
        assert process.share.wait_time() == STEP_SECONDS
        process.connections = 1_000
        assert STEP_SECONDS < process.share.wait_time() <= LONGEST_WAIT / 2e9

    def test_some_that_come_at_once_are_accepted_together(self, process: Process) -> None:
        process.add(1, 0)
        assert [process.accepts() for _ in range(BATCH + 2)] == [True] * (BATCH + 1) + [False]

    def test_some_that_come_one_by_one_are_not(self, process: Process) -> None:
        process.add(1, 0)
        assert process.accepts()
        process.now += AT_ONCE
        assert not process.accepts()


class TestOthersThatDoNotCome:
    @pytest.mark.parametrize("surplus", [1, 3])
    def test_it_waits_for_the_longer_the_more_it_has(self, process: Process, surplus: int) -> None:
        process.add(1, 0)
        process.connections = surplus
        assert process.wait_until_it_accepts() == surplus * WAIT

    def test_it_never_waits_for_ever(self, process: Process) -> None:
        row = process.add(1, 0)
        process.connections = 10_000
        assert process.wait_until_it_accepts(row) == LONGEST_WAIT

    def test_it_waits_anew_when_others_have_accepted(self, process: Process) -> None:
        row = process.add(1, 0)
        process.connections = 100
        for _ in range(10):
            assert not process.accepts()
            process.now += LONGEST_WAIT - 1
            assert not process.accepts()
            row.accepted += 1
            process.now += 1
            process.share.note_nobody()

    def test_it_helps_others_that_can_not_keep_up_until_nobody_waits(self, process: Process) -> None:
        row = process.add(1, 0)
        process.connections = 100
        begin = process.now
        while not process.accepts():
            process.now += round(STEP_SECONDS * 1e9)
            row.looked_at = process.now
            row.accepted += 1
        assert HELP <= process.now - begin <= HELP + LONGEST_WAIT
        process.now += 10 * AT_ONCE
        assert all(process.accepts() for _ in range(100))
        assert process.share.wait_time() == 0  # nobody is there
        process.now += AT_ONCE
        assert not process.accepts()

    @pytest.mark.parametrize("late", [0, 6, 10, 40])
    def test_it_helps_them_however_late_its_loop_is(self, process: Process, late: int) -> None:
        """So many milliseconds: a new worker among those who have browsers would have all newcomers for itself."""
        row = process.add(1, 0)
        process.connections = 100
        begin = process.now
        while seconds := process.share.wait_time():
            process.now += round(seconds * 1e9) + late * 1_000_000
            row.looked_at = process.now
            row.accepted += 1
            assert process.now - begin <= HELP + 2 * (LONGEST_WAIT + late * 1_000_000)
        assert process.now - begin >= HELP

    def test_crowd_of_long_ago_is_none(self, process: Process) -> None:
        """Who waited at its last look was another's before it was asked, so that nobody told it of an end."""
        row = process.add(1, 0)
        process.connections = 100
        assert not process.accepts()
        process.now += 10 * HELP
        row.looked_at = process.now
        row.accepted += 1
        assert not process.accepts()

    def test_it_helps_nobody_while_it_has_turns_of_its_own(self, process: Process) -> None:
        """Else all of them would take what they get as soon as many come at once."""
        row = process.add(1, 0)
        begin = process.now
        while process.now < begin + 3 * HELP:
            process.connections = row.load // WHOLE
            assert process.accepts()
            process.now += AT_ONCE
            assert not process.accepts()
            process.now += round(STEP_SECONDS * 1e9)
            row.looked_at = process.now
            row.accepted += 2
            row.load += 2 * WHOLE

    def test_it_helps_no_longer_than_it_has_more(self, process: Process) -> None:
        row = process.add(1, 0)
        process.connections = 100
        while not process.accepts():
            process.now += round(STEP_SECONDS * 1e9)
            row.looked_at = process.now
            row.accepted += 1
        row.load = WHOLE * 200
        assert process.accepts()
        row.load = 0
        process.now += AT_ONCE
        assert not process.accepts()

    def test_others_that_keep_up_are_not_helped(self, process: Process) -> None:
        row = process.add(1, 0)
        process.connections = 100
        for _ in range(100):
            assert not process.accepts()
            process.now += HELP // 10
            row.looked_at = process.now
            row.accepted += 1
            process.share.note_nobody()

    def test_one_that_is_blocked_is_not_waited_for_again(self, process: Process) -> None:
        process.add(1, 0)
        process.connections = 100
        assert process.wait_until_it_accepts() == LONGEST_WAIT
        process.now += 10 * AT_ONCE
        assert all(process.accepts() for _ in range(100))

    def test_one_that_was_late_for_a_moment_is(self, process: Process) -> None:
        process.add(1, 0)
        process.connections = 2
        assert process.wait_until_it_accepts() < BLOCKED
        process.now += AT_ONCE
        assert not process.accepts()

    def test_one_that_looks_again_is(self, process: Process) -> None:
        row = process.add(1, 0)
        process.connections = 100
        process.wait_until_it_accepts()
        process.now += AT_ONCE
        row.looked_at = process.now
        assert not process.accepts()

    def test_others_are_waited_for_all_the_same(self, process: Process) -> None:
        blocked, other = process.add(1, 0), process.add(2, 50)
        process.connections = 100
        process.wait_until_it_accepts(other)
        process.now += AT_ONCE
        assert not process.accepts()
        assert blocked.looked_at < other.looked_at


class TestWhatOthersSee:
    def test_counts_are_told(self, process: Process) -> None:
        process.connections = 12
        process.now += 5
        process.share.publish()
        row = process.table.rows[0]
        assert (row.load, row.websockets, row.looked_at) == (WHOLE * 12, 12, process.now)

    def test_each_accepted_one_counts(self, process: Process) -> None:
        for _ in range(3):
            process.accepts()
        assert process.table.rows[0].accepted == 3

    def test_nothing_is_told_by_one_that_does_not_listen_any_more(self, process: Process) -> None:
        process.share.end()
        process.connections = 12
        process.share.publish()
        row = process.table.rows[0]
        assert (row.load, row.listens) == (0, False)

    def test_row_that_main_cleared_too_late_is_its_own_again(self, process: Process) -> None:
        """Main found the one before there, and cleared the row when this one had begun."""
        row = process.table.rows[0]
        row.pid = row.looked_at = row.websockets = row.load = 0
        process.connections = 12
        process.share.publish()
        assert (row.pid, row.listens, row.websockets) == (os.getpid(), True, 12)
        process.table.clear(0, os.getpid())
        assert (row.listens, row.websockets) == (False, 0)
