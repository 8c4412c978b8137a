"""What is missing and what comes again, by the numbers that publishers give."""

import dataclasses
import random

import pytest
from awxfast.engine.numbers import MOST_OF_A_GROUP, Numbers
from engine.packets import ORIGIN

OTHER_EPOCH = dataclasses.replace(ORIGIN, epoch=2_000)
OTHER = dataclasses.replace(ORIGIN, publisher="c" * 16)


@pytest.fixture
def numbers() -> Numbers:
    """The group `a` has come up to 10."""
    numbers = Numbers()
    assert numbers.take("a", ORIGIN, 8, 10) == (0, 0)
    return numbers


class TestCounting:
    def test_next_number_misses_nothing(self, numbers: Numbers) -> None:
        assert numbers.take("a", ORIGIN, 11, 11) == (0, 0)
        assert numbers.take("a", ORIGIN, 12, 20) == (0, 0)

    def test_gap_is_exact(self, numbers: Numbers) -> None:
        assert numbers.take("a", ORIGIN, 15, 15) == (4, 0)

    def test_what_comes_again_is_known(self, numbers: Numbers) -> None:
        assert numbers.take("a", ORIGIN, 9, 10) == (0, 2)
        assert numbers.take("a", ORIGIN, 1, 1) == (0, 1)
        assert numbers.take("a", ORIGIN, 11, 11) == (0, 0), "it has not gone back"

    def test_part_of_a_packet_may_be_known(self, numbers: Numbers) -> None:
        assert numbers.take("a", ORIGIN, 10, 12) == (0, 1)

    def test_mark_tells_a_lost_tail_once(self, numbers: Numbers) -> None:
        assert numbers.take("a", ORIGIN, 13, 12) == (2, 0)
        assert numbers.take("a", ORIGIN, 13, 12) == (0, 0)
        assert numbers.take("a", ORIGIN, 13, 13) == (0, 0)

    def test_new_epoch_of_one_that_is_known_begins_at_one(self, numbers: Numbers) -> None:
        assert numbers.take("a", OTHER_EPOCH, 3, 4) == (2, 0)
        assert numbers.take("a", OTHER_EPOCH, 5, 5) == (0, 0)

    def test_groups_and_publishers_are_counted_apart(self, numbers: Numbers) -> None:
        assert numbers.take("b", ORIGIN, 500, 500) == (0, 0)
        assert numbers.take("a", OTHER, 500, 500) == (0, 0)
        assert numbers.take("a", ORIGIN, 11, 11) == (0, 0)

    def test_whatever_is_lost_is_counted(self) -> None:
        rng, numbers = random.Random(7), Numbers()
        missed = taken = 0
        for number in range(1, 1_001):
            if number == 1 or rng.random() < 0.7:
                missed += numbers.take("a", ORIGIN, number, number)[0]
                taken += 1
        missed += numbers.take("a", ORIGIN, 1_001, 1_000)[0]
        assert taken + missed == 1_000


class TestInventedNumber:
    """Somebody else speaks in a publisher's name: its next events are taken for known ones."""

    def test_events_that_go_on_in_order_are_believed_after_a_while(self) -> None:
        now = 0.0
        numbers = Numbers(now=lambda: now)
        numbers.take("a", ORIGIN, 8, 10)
        numbers.take("a", ORIGIN, 2**52 + 1, 2**52)
        known = []
        for number in range(11, 24):
            known.append(numbers.take("a", ORIGIN, number, number))
            now += 1.0
        assert known == [(0, 1)] * 10 + [(0, 0)] * 3

    def test_what_comes_again_beside_new_ones_stays_known(self) -> None:
        now = 0.0
        numbers = Numbers(now=lambda: now)
        numbers.take("a", ORIGIN, 1, 100)
        for number in range(1, 51):
            assert numbers.take("a", ORIGIN, number, number) == (0, 1)
            assert numbers.take("a", ORIGIN, number + 100, number + 100) == (0, 0)
            now += 1.0

    def test_what_comes_again_and_again_stays_known(self) -> None:
        now = 0.0
        numbers = Numbers(now=lambda: now)
        numbers.take("a", ORIGIN, 1, 100)
        for number in range(50):
            assert numbers.take("a", ORIGIN, number % 5 + 1, number % 5 + 1) == (0, 1)
            now += 1.0


class TestCuts:
    def test_whoever_is_heard_first_behind_a_cut_may_have_sent_all_before(self, numbers: Numbers) -> None:
        numbers.note_cut(["a", "b"])
        assert numbers.take("a", OTHER, 7, 7) == (6, 0)
        assert numbers.take("b", OTHER, 1, 2) == (0, 0)
        assert numbers.take("a", ORIGIN, 11, 11) == (0, 0)

    def test_group_that_is_wanted_anew_knows_of_no_cut(self, numbers: Numbers) -> None:
        numbers.note_cut(["a"])
        numbers.forget(["a"])
        assert numbers.take("a", OTHER, 7, 7) == (0, 0)


class TestBounds:
    def test_group_that_is_wanted_no_more_is_forgotten(self, numbers: Numbers) -> None:
        numbers.forget(["a", "unheard"])
        assert len(numbers) == 0
        assert numbers.take("a", ORIGIN, 50, 50) == (0, 0)

    def test_group_that_was_heard_first_makes_room(self) -> None:
        numbers = Numbers(most=3)
        for group in "abcd":
            numbers.take(group, ORIGIN, 5, 5)
        assert len(numbers) == 3
        assert numbers.take("d", ORIGIN, 7, 7) == (1, 0)
        assert numbers.take("a", ORIGIN, 9, 9) == (0, 0), "it begins anew"

    def test_whoever_invents_publishers_of_one_group_makes_only_the_first_of_these_forgotten(
        self, numbers: Numbers
    ) -> None:
        numbers.take("b", ORIGIN, 1, 5)
        for number in range(MOST_OF_A_GROUP + 10):
            numbers.take("a", dataclasses.replace(ORIGIN, publisher=f"{number:016x}"), 1, 1)
        assert len(numbers) == MOST_OF_A_GROUP + 1
        assert numbers.take("b", ORIGIN, 8, 8) == (2, 0)


def test_another_process_goes_on_with_them(numbers: Numbers) -> None:
    heir = Numbers()
    heir.inherit(numbers.freeze())
    assert (len(heir), heir.take("a", ORIGIN, 12, 12)) == (1, (1, 0))
