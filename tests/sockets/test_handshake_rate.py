"""Handshakes a second, of several processes together, on a clock of the test's."""

import os
from collections.abc import Iterator

import pytest
from awxfast.sockets.handshake_rate import SharedHandshakeRate
from awxfast.system.shares import Shares
from clocks import Clock

RATE = 10


class Processes:
    def __init__(self, count: int) -> None:
        self.clock = Clock()
        self.table = Shares.create(count)
        self.shares = [Shares.open(os.dup(self.table.descriptor), number) for number in range(count)]
        for one in self.shares:
            one.begin(1)
        self.rates = [SharedHandshakeRate(RATE, self.clock, one) for one in self.shares]

    def take(self, number: int, count: int) -> int:
        """How many of so many it lets in."""
        return sum(self.rates[number].take() for _ in range(count))

    def look(self) -> None:
        for rate in self.rates:
            rate.look()

    def close(self) -> None:
        for one in (*self.shares, self.table):
            one.close()


@pytest.fixture
def processes() -> Iterator[Processes]:
    several = Processes(3)
    yield several
    several.close()


class TestAllTogether:
    def test_a_seconds_worth_may_come_at_once_to_all_of_them(self, processes: Processes) -> None:
        assert [processes.take(number, 4) for number in (0, 1, 2)] == [4, 4, 2]

    def test_one_may_have_all_of_it(self, processes: Processes) -> None:
        assert processes.take(0, 20) == RATE
        assert [processes.take(number, 5) for number in (1, 2)] == [0, 0]

    @pytest.mark.parametrize("asked", [[0], [0, 1, 2], [0, 0, 0, 1]])
    def test_within_ten_seconds_ten_seconds_worth_is_let_in(self, processes: Processes, asked: list[int]) -> None:
        let_in = 0
        for turn in range(1000):
            let_in += processes.take(asked[turn % len(asked)], 1)
            processes.clock.now += 0.01
            if turn % 50 == 0:
                processes.look()
        assert RATE * 10 <= let_in <= RATE * 11

    def test_one_that_has_not_looked_for_long_lets_in_no_more_than_the_rate(self, processes: Processes) -> None:
        for _ in range(100):
            processes.take(0, 1)
            processes.clock.now += 0.1
        processes.rates[0].look()
        assert processes.take(0, 20) + processes.take(1, 20) <= RATE

    def test_it_is_held_up_no_longer_than_a_second_by_what_others_had(self, processes: Processes) -> None:
        for _ in range(100):
            processes.take(0, 1)
            processes.clock.now += 0.1
        processes.rates[1].look()
        processes.clock.now += 1
        assert processes.take(1, 20) == RATE

    def test_what_came_to_nothing_is_given_back_to_all(self, processes: Processes) -> None:
        assert processes.take(0, RATE) == RATE
        assert processes.take(1, 1) == 0
        processes.rates[0].give_back()
        assert processes.take(1, 2) == 1

    def test_process_that_begins_among_others_has_no_seconds_worth_of_its_own(self, processes: Processes) -> None:
        assert processes.take(0, RATE) == RATE
        late = SharedHandshakeRate(RATE, processes.clock, processes.shares[1])
        assert not late.take()
        processes.clock.now += 0.1
        assert late.take()

    def test_one_that_left_its_row_to_another_writes_nothing_there(self, processes: Processes) -> None:
        processes.shares[0].end()
        processes.take(0, 3)
        assert processes.table.rows[0].admitted == 0
