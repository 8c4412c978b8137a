"""Handshakes a second, of several processes together, on a clock of the test's."""

import os
from collections.abc import Callable, Iterator

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


class Interrupted:
    """Words of a row whose owner is held up at each: `meanwhile` is called behind it."""

    def __init__(self, words: memoryview, meanwhile: Callable[[], None]) -> None:
        self._words = words
        self._meanwhile = meanwhile

    def __getitem__(self, place: int) -> int:
        value: int = self._words[place]
        self._meanwhile()
        return value

    def __setitem__(self, place: int, value: int) -> None:
        self._words[place] = value
        self._meanwhile()

    def release(self) -> None:
        self._words.release()


def interrupt(processes: Processes, number: int, meanwhile: Callable[[int], None]) -> None:
    """`meanwhile` hears of each word that a process reads or writes, which it is the how manieth."""
    words = iter(range(1_000_000))
    for row in processes.shares[number].rows:
        row.words = Interrupted(row.words, lambda: meanwhile(next(words)))  # type: ignore[assignment]


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
        processes.table.rows[0].pid = os.getpid() + 1
        processes.take(0, 3)
        assert processes.table.rows[0].admitted == 0

    def test_one_that_hands_over_writes_until_another_has_its_row(self, processes: Processes) -> None:
        processes.shares[0].end()
        assert processes.take(0, 3) == 3
        assert [processes.take(number, RATE) for number in (1, 2)] == [RATE - 3, 0]

    def test_heir_has_no_more_than_the_one_before_it_left(self, processes: Processes) -> None:
        shares = Shares.open(os.dup(processes.table.descriptor), 0)
        heir = SharedHandshakeRate(RATE, processes.clock, shares)
        processes.clock.now += 1
        assert processes.take(0, 7) == 7
        processes.shares[0].end()
        shares.begin(2)
        assert sum(heir.take() for _ in range(RATE)) == RATE - 7
        shares.close()

    def test_what_is_given_back_above_a_seconds_worth_is_nobodys(self, processes: Processes) -> None:
        assert processes.take(0, RATE) == RATE
        processes.look()
        processes.clock.now += 1
        for _ in range(RATE):
            processes.rates[0].give_back()
        assert processes.take(0, RATE) == RATE
        assert processes.take(1, RATE) == 0


class TestInBetween:
    """Another process looks while one decides."""

    def test_one_that_looks_while_others_are_refused_gains_nothing(self, processes: Processes) -> None:
        assert processes.take(0, RATE) == RATE
        interrupt(processes, 1, lambda word: processes.rates[0].look())
        assert processes.take(1, 20) == 0
        assert processes.take(0, 1) == 0

    def test_one_that_is_held_up_behind_its_clock_gains_nothing(self, processes: Processes) -> None:
        let_in = []

        def late_clock() -> float:
            now = processes.clock.now
            if let_in:
                processes.clock.now += 0.1
                let_in.append(processes.take(0, 1))
            return now

        assert processes.take(0, RATE) == RATE
        rate = SharedHandshakeRate(RATE, late_clock, processes.shares[1])
        let_in.append(0)
        rate.look()
        assert let_in == [0, 1]
        let_in.clear()
        assert not rate.take()

    @pytest.mark.parametrize("left", [1, 2])
    def test_none_is_given_away_twice(self, left: int) -> None:
        """Wherever the one is held up, while the other takes what it can."""
        held_up_at, words = 0, 1
        while held_up_at < words:
            processes = Processes(2)
            assert processes.take(0, RATE - left) == RATE - left
            processes.look()
            taken, words = [0], 0

            def meanwhile(
                word: int, at: int = held_up_at, both: Processes = processes, sum_: list[int] = taken
            ) -> None:
                nonlocal words
                words = word + 1
                if word == at:
                    sum_[0] += both.take(0, 3)

            interrupt(processes, 1, meanwhile)
            let_in = processes.take(1, 1)
            let_in += taken[0]
            assert let_in <= left
            assert let_in + processes.take(0, RATE) + processes.take(1, RATE) == left
            processes.close()
            held_up_at += 1
        assert held_up_at > 10
