"""What a publisher knows of others: versions, what is missed and asked for, silence, and bounds."""

from typing import Any

import pytest
from awxfast.engine import known_wants as known_module
from awxfast.engine.known_wants import KnownWants
from awxfast.engine.wanted_groups import WantedGroups
from awxfast.wire.engine_notices import Ask, Beat, Bye, Change, Listing

OWN, OTHER = "aa" * 16, "bb" * 16
ME, TAKER, SECOND = "0" * 16, "1" * 16, "2" * 16


class NoRedis:
    def want(self, group: str) -> None:
        """Nobody asks."""

    def unwant(self, group: str) -> None:
        """Nobody asks."""


class Fixture:
    def __init__(self) -> None:
        self.at = 1_000.0
        self.own: list[str] = [OWN]
        self.wanted = WantedGroups(NoRedis())
        self.known = KnownWants(ME, self.wanted, lambda: self.own, ("metrics",), lambda: self.at)

    def change(self, version: int, add: str = "", drop: str = "", who: str = TAKER, redis: str = OTHER) -> None:
        groups = {"add": tuple(add), "drop": tuple(drop)}
        self.known.hear(Change(who=who, node="n", redis=redis, version=version, **groups))

    def tell_all(self, version: int, *parts: str, who: str = TAKER, redis: str = OTHER) -> None:
        for part, groups in enumerate(parts):
            common = {"who": who, "node": "n", "redis": redis, "version": version}
            self.known.hear(Listing(**common, part=part, parts=len(parts), groups=tuple(groups)))  # type: ignore[arg-type]

    def beat(self, version: int = 0, role: Any = "taker", who: str = TAKER, redis: str = OTHER) -> bool:
        return self.known.hear(Beat(who=who, node="n", redis=redis, role=role, version=version))

    def look(self, seconds: float = 0.0, is_up: bool = True) -> list[Ask]:
        self.at += seconds
        return self.known.look(is_up)

    def pass_time(self, seconds: int) -> None:
        """With a look in each second."""
        for _ in range(seconds):
            self.look(1.0)

    @property
    def groups(self) -> set[str]:
        return {group for group in (*"abcdef", "metrics") if group in self.wanted}


@pytest.fixture
def known() -> Fixture:
    fixture = Fixture()
    fixture.tell_all(1, "ab")
    return fixture


class TestWants:
    def test_taker_that_is_heard_of_is_asked(self) -> None:
        fixture = Fixture()
        assert fixture.beat(3)
        assert fixture.look() == [Ask(of=(TAKER,))]
        assert fixture.groups == {"metrics"}
        fixture.tell_all(3, "ab")
        assert fixture.groups == {"a", "b", "metrics"}
        assert fixture.look(10.0) == []

    def test_changes_follow_each_other(self, known: Fixture) -> None:
        known.change(2, add="c", drop="a")
        assert known.groups == {"b", "c", "metrics"}
        assert known.look(10.0) == []

    def test_change_that_was_missed_is_asked_for(self, known: Fixture) -> None:
        known.change(3, add="c")
        assert known.groups == {"a", "b", "c", "metrics"}
        assert known.look() == [Ask(of=(TAKER,))]
        known.tell_all(3, "c")
        assert known.groups == {"c", "metrics"}

    def test_beat_with_another_version_says_that_something_was_missed(self, known: Fixture) -> None:
        assert not known.beat(1)
        assert known.look() == []
        known.beat(2)
        assert known.look() == [Ask(of=(TAKER,))]

    def test_nobody_is_asked_again_at_once(self, known: Fixture) -> None:
        known.beat(2)
        assert [bool(known.look(seconds)) for seconds in (0.0, 1.0, 1.0)] == [True, False, True]

    def test_list_in_parts_counts_when_all_are_there(self, known: Fixture) -> None:
        known.tell_all(5, "c", "d")
        assert known.groups == {"c", "d", "metrics"}
        known.tell_all(6, "ef", "")
        assert known.groups == {"e", "f", "metrics"}

    def test_change_between_parts_stays(self, known: Fixture) -> None:
        common = {"who": TAKER, "node": "n", "redis": OTHER, "version": 5, "parts": 2}
        known.known.hear(Listing(**common, part=0, groups=("a",)))  # type: ignore[arg-type]
        known.change(6, add="f", drop="a")
        known.known.hear(Listing(**common, part=1, groups=("c",)))  # type: ignore[arg-type]
        assert known.groups == {"c", "f", "metrics"}

    def test_old_change_means_nothing(self, known: Fixture) -> None:
        known.change(1, drop="a")
        assert known.groups == {"a", "b", "metrics"}

    def test_group_is_wanted_until_the_last_does_not(self, known: Fixture) -> None:
        known.tell_all(1, "a", who=SECOND)
        known.change(2, drop="a")
        assert "a" in known.groups
        known.known.hear(Bye(who=SECOND))
        assert known.groups == {"b", "metrics"}

    def test_after_a_cut_all_are_asked(self, known: Fixture) -> None:
        known.known.doubt_all()
        assert known.look() == [Ask(of=(TAKER,))]


class TestOwnRedis:
    def test_taker_with_the_same_redis_wants_nothing_from_here(self, known: Fixture) -> None:
        known.tell_all(1, "c", who=SECOND, redis=OWN)
        assert "c" not in known.groups

    def test_it_may_show_late(self, known: Fixture) -> None:
        known.own.append(OTHER)
        known.look()
        assert known.groups == set()
        known.own.remove(OTHER)
        known.look()
        assert known.groups == {"a", "b", "metrics"}


class TestOtherRedis:
    def test_taker_that_moves_to_this_redis_and_away_is_asked_anew(self, known: Fixture) -> None:
        known.beat(1, redis=OWN)
        assert (known.groups, known.known.pairs) == (set(), 1)
        known.beat(1)
        assert known.groups == {"metrics"}
        assert known.look() == [Ask(of=(TAKER,))]

    def test_taker_that_moves_elsewhere_is_the_same(self, known: Fixture) -> None:
        known.beat(1, redis="cc" * 16)
        assert known.groups == {"a", "b", "metrics"}
        assert known.look() == []


class TestSilence:
    def test_who_is_silent_is_forgotten(self, known: Fixture) -> None:
        known.pass_time(14)
        assert known.groups
        known.pass_time(2)
        assert (known.groups, known.known.takers, known.known.pairs) == (set(), {}, 0)

    def test_nobody_is_forgotten_while_nothing_can_be_heard(self, known: Fixture) -> None:
        known.look(100.0, is_up=False)
        known.look()
        known.pass_time(14)
        assert known.groups

    def test_publisher_is_known_while_it_beats(self, known: Fixture) -> None:
        assert known.beat(role="publisher", who=SECOND, redis=OTHER)
        assert known.known.hears_publisher_of(OTHER)
        known.pass_time(16)
        assert not known.known.hears_publisher_of(OTHER)

    def test_own_beat_is_nobody_else(self, known: Fixture) -> None:
        known.beat(role="publisher", who=ME, redis=OWN)
        assert known.known.publishers == {}

    def test_nobody_is_forgotten_by_a_process_that_stood_still(self, known: Fixture) -> None:
        known.look(30.0)
        assert known.groups
        known.pass_time(16)
        assert not known.groups


class TestBounds:
    def test_too_many_others(self, monkeypatch: pytest.MonkeyPatch, known: Fixture) -> None:
        monkeypatch.setattr(known_module, "MOST_OTHERS", 1)
        known.tell_all(1, "c", who=SECOND)
        assert "c" not in known.groups
        assert known.known.no_room == {"nodes": 1}

    def test_too_many_groups_and_asked_again_when_there_is_room(
        self, monkeypatch: pytest.MonkeyPatch, known: Fixture
    ) -> None:
        monkeypatch.setattr(known_module, "MOST_PAIRS", 4)
        known.change(2, add="cdef")
        assert (known.groups, known.known.no_room) == ({"a", "b", "c", "metrics"}, {"groups": 3})
        assert known.look(10.0) == []
        known.change(3, drop="a")
        assert known.look() == [Ask(of=(TAKER,))]

    def test_groups_that_find_no_room_are_not_kept_for_a_list_that_never_ends(
        self, monkeypatch: pytest.MonkeyPatch, known: Fixture
    ) -> None:
        monkeypatch.setattr(known_module, "MOST_PAIRS", 4)
        known.known.hear(Listing(who=TAKER, node="n", redis=OTHER, version=5, part=0, parts=2, groups=("a",)))
        known.change(6, add="bcdef")
        assert known.known.takers[TAKER].named == {"a", "b", "c"}


class TestNextProcess:
    def test_knows_what_was_known(self, known: Fixture) -> None:
        known.beat(role="publisher", who=SECOND, redis=OTHER)
        heir = Fixture()
        heir.known.inherit(known.known.freeze())
        assert heir.groups == {"a", "b", "metrics"}
        assert heir.look() == []
        assert heir.known.hears_publisher_of(OTHER)

    def test_what_it_has_heard_itself_is_newer(self, known: Fixture) -> None:
        heir = Fixture()
        heir.tell_all(2, "c")
        heir.known.inherit(known.known.freeze())
        assert heir.groups == {"c", "metrics"}
