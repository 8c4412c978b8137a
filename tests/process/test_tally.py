"""Each count stands once: over restarts, hand-overs and deaths, whatever the order in which processes tell of them."""

import json
from typing import Any, cast

import pytest
from awxfast.operate.counts import Counts
from awxfast.operate.snapshot import sum_peers
from awxfast.process.child_handle import ChildHandle
from awxfast.process.tally import Tally


def make_child() -> ChildHandle:
    return cast(ChildHandle, object())


def tell(events: int, pending: int = 0, *, inherited: bool = False, has_left: bool = False, **more: Any) -> Any:
    """Of so many events to one client each, of which the last have not been written."""
    frames = {"queued": events, "written": events - pending, "lost_at_close": 0}
    return {
        "counted": {"events": {"in": events}, "frames": frames},
        "own": {"plain_ended": {"idle": events}},
        "present": {"pending": pending, "peers": [], **more},
        "inherited": inherited,
        "has_left": has_left,
    }


@pytest.fixture
def tally() -> Tally:
    return Tally()


def count_in(tally: Tally) -> int:
    """And frames balance."""
    total = tally.sum()
    frames = total["frames"]
    known = [present for part in tally.list_present(None) for present in part]
    waiting = sum(present["pending"] for present in known)
    assert frames["queued"] == frames["written"] + frames["lost_at_close"] + waiting
    return int(total["events"]["in"])


class TestOneAfterTheOther:
    def test_counts_go_on_from_those_of_the_one_before(self, tally: Tally) -> None:
        for _ in range(3):
            tally.begin(child := make_child())
            tally.note(child, tell(5))
            tally.note(child, tell(7))
            tally.end(child)
        assert count_in(tally) == 21

    def test_what_waited_in_one_that_died_is_lost(self, tally: Tally) -> None:
        tally.begin(child := make_child())
        tally.note(child, tell(7, pending=3))
        tally.end(child)
        assert count_in(tally) == 7
        assert tally.sum()["frames"] == {"queued": 7, "written": 4, "lost_at_close": 3}

    def test_one_that_never_told_anything_leaves_nothing(self, tally: Tally) -> None:
        tally.begin(child := make_child())
        assert not tally.has_told(child)
        tally.end(child)
        assert tally.sum() == {}

    def test_its_nodes_are_shown_no_more(self, tally: Tally) -> None:
        tally.begin(child := make_child())
        peer = {"received": 3, "sent": 4, "groups_refused": 0, "lost": {"too_large": 1}}
        tally.note(child, tell(1, peers=[peer]))
        tally.end(child)
        assert tally.sum()["gone_peers"] == sum_peers([peer])


class TestDraining:
    """Both count for themselves."""

    def test_both_count_until_the_old_one_has_gone_and_beyond(self, tally: Tally) -> None:
        tally.begin(old := make_child())
        tally.note(old, tell(5))
        tally.begin(heir := make_child(), old)
        tally.note(heir, tell(1))
        assert count_in(tally) == 6
        tally.note(old, tell(8))
        assert count_in(tally) == 9
        tally.end(old)
        assert count_in(tally) == 9
        tally.end(heir)
        assert count_in(tally) == 9

    def test_old_one_that_dies_before_anything_is_settled_is_kept(self, tally: Tally) -> None:
        tally.begin(old := make_child())
        tally.note(old, tell(5, pending=2))
        tally.begin(heir := make_child(), old)
        tally.end(old)
        assert count_in(tally) == 5
        tally.end(heir)
        assert count_in(tally) == 5


class TestInheritance:
    """The new one counts on."""

    def test_old_one_that_is_gone_before_the_new_one_tells(self, tally: Tally) -> None:
        tally.begin(old := make_child())
        tally.note(old, tell(5, pending=2))
        tally.begin(heir := make_child(), old)
        tally.end(old)
        assert count_in(tally) == 5
        tally.note(heir, tell(6, inherited=True))
        assert count_in(tally) == 6
        assert tally.sum()["plain_ended"] == {"idle": 11}, "that is no other one's to count on"

    def test_old_one_that_goes_on_tells_what_is_new(self, tally: Tally) -> None:
        tally.begin(old := make_child())
        tally.note(old, tell(5))
        tally.begin(heir := make_child(), old)
        tally.note(old, tell(1, has_left=True))
        assert count_in(tally) == 5, "nobody tells the rest as yet"
        tally.note(heir, tell(5, inherited=True))
        assert count_in(tally) == 6
        tally.note(old, tell(2, has_left=True))
        tally.end(old)
        assert count_in(tally) == 7

    def test_what_the_old_one_told_before_arrives_late(self, tally: Tally) -> None:
        tally.begin(old := make_child())
        tally.note(old, tell(5))
        tally.begin(heir := make_child(), old)
        tally.note(heir, tell(6, inherited=True))
        tally.note(old, tell(6))
        assert count_in(tally) == 6

    def test_new_one_that_dies_before_it_tells_leaves_them_the_old_ones(self, tally: Tally) -> None:
        tally.begin(old := make_child())
        tally.note(old, tell(5))
        tally.begin(heir := make_child(), old)
        tally.end(old)
        tally.end(heir)
        assert count_in(tally) == 5

    def test_new_one_that_dies_when_it_has_told_takes_them_along(self, tally: Tally) -> None:
        tally.begin(old := make_child())
        tally.note(old, tell(5))
        tally.begin(heir := make_child(), old)
        tally.note(heir, tell(6, inherited=True))
        tally.end(heir)
        tally.note(old, tell(0, has_left=True))
        tally.end(old)
        assert count_in(tally) == 6

    def test_new_one_that_tells_long_after_the_hand_over_counts_on_all_the_same(self, tally: Tally) -> None:
        tally.begin(old := make_child())
        tally.note(old, tell(5, pending=2))
        tally.begin(heir := make_child(), old)
        tally.end(old)
        (following := Tally()).adopt(json.loads(json.dumps(tally.freeze([heir]))), [heir])
        for one in (tally, following):
            assert count_in(one) == 5
            one.note(heir, tell(6, inherited=True))
            assert count_in(one) == 6
            one.note(heir, tell(7, inherited=True))
            one.end(heir)
            assert count_in(one) == 7

    def test_several_generations(self, tally: Tally) -> None:
        tally.begin(present := make_child())
        tally.note(present, tell(1))
        for generation in range(2, 6):
            tally.begin(heir := make_child(), present)
            tally.end(present)
            tally.note(heir, tell(generation, inherited=True))
            present = heir
            assert count_in(tally) == generation


class TestPresent:
    def test_what_is_so_in_one_and_in_the_others(self, tally: Tally) -> None:
        first, second, third = (make_child() for _ in range(3))
        for number, child in enumerate((first, second)):
            tally.begin(child)
            tally.note(child, tell(0, clients=number))
        tally.begin(third)
        (own,), (other,) = tally.list_present(second)
        assert (own["clients"], other["clients"]) == (1, 0)
        assert tally.list_present(third) == ([], [other, own])

    def test_nothing_is_so_in_one_whose_all_another_one_tells(self, tally: Tally) -> None:
        tally.begin(old := make_child())
        tally.note(old, tell(5, clients=2))
        tally.begin(heir := make_child(), old)
        tally.note(heir, tell(5, clients=2, inherited=True))
        (own,), others = tally.list_present(heir)
        assert (own["clients"], others) == (2, [])


def test_next_program_of_main_goes_on_with_all_of_it(tally: Tally) -> None:
    tally.begin(gone := make_child())
    tally.note(gone, tell(4))
    tally.end(gone)
    tally.begin(old := make_child())
    tally.note(old, tell(5))
    tally.begin(heir := make_child(), old)
    tally.note(heir, tell(6, inherited=True))
    tally.note(old, tell(1, has_left=True))
    frozen = json.loads(json.dumps(tally.freeze([heir, old])))
    following, children = Tally(), [make_child(), make_child()]
    following.adopt(frozen, children)
    assert count_in(following) == count_in(tally) == 11
    following.note(children[1], tell(3, has_left=True))
    for child in children:
        following.end(child)
    total: Counts = following.sum()
    assert total["events"] == {"in": 13}
