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
    joining = 0

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

    def test_groups_follow_a_few_a_look_however_often_it_changes(
        self, monkeypatch: pytest.MonkeyPatch, known: Fixture
    ) -> None:
        monkeypatch.setattr(known_module, "MOST_TURNED", 2)
        known.change(2, add="cdef")
        for redis in (OWN, OTHER, OWN):
            known.beat(2, redis=redis)
        assert len(known.groups) == 7
        assert [(known.look(), len(known.groups))[1] for _ in range(4)] == [5, 3, 1, 0]
        known.beat(2)
        known.look()
        assert len(known.groups) == 2
        known.change(3, add="g", drop="abcdef")
        known.look()
        assert (known.groups, "g" in known.wanted, len(known.wanted)) == ({"metrics"}, True, 2)

    def test_taker_with_few_groups_has_its_turn_beside_one_with_many(
        self, monkeypatch: pytest.MonkeyPatch, known: Fixture
    ) -> None:
        monkeypatch.setattr(known_module, "MOST_TURNED", 2)
        known.change(2, add="cde")
        known.tell_all(1, "f", who=SECOND)
        known.beat(2, redis=OWN)
        known.beat(1, who=SECOND, redis=OWN)
        known.look()
        known.look()
        assert "f" not in known.groups

    def test_taker_that_is_gone_takes_all_its_groups_along(
        self, monkeypatch: pytest.MonkeyPatch, known: Fixture
    ) -> None:
        monkeypatch.setattr(known_module, "MOST_TURNED", 2)
        known.beat(1, redis=OWN)
        known.look()
        known.known.hear(Bye(who=TAKER))
        known.look()
        assert (len(known.wanted), known.known.pairs) == (0, 0)


class TestSilence:
    def test_who_is_silent_is_not_heard_any_more_and_forgotten_much_later(self, known: Fixture) -> None:
        known.pass_time(14)
        assert known.known.hears_taker(TAKER) and known.known.hears_taker_of([OTHER])
        known.pass_time(2)
        assert not known.known.hears_taker(TAKER) and not known.known.hears_taker_of([OTHER])
        assert (known.groups, known.known.count_takers()) == ({"a", "b", "metrics"}, 0)
        known.pass_time(105)
        assert (known.groups, known.known.takers, known.known.pairs) == (set(), {}, 0)

    def test_who_speaks_again_is_somebody_new_and_wants_what_it_wanted(self, known: Fixture) -> None:
        known.pass_time(100)
        assert known.beat(1) and known.known.hears_taker(TAKER)
        known.pass_time(100)
        assert (known.groups, known.look()) == ({"a", "b", "metrics"}, [])

    def test_nobody_is_forgotten_while_nothing_can_be_heard(self, known: Fixture) -> None:
        known.look(300.0, is_up=False)
        known.look()
        known.pass_time(14)
        assert known.known.hears_taker(TAKER)

    def test_publisher_is_known_while_it_beats(self, known: Fixture) -> None:
        assert known.beat(role="publisher", who=SECOND, redis=OTHER)
        assert known.known.hears_publisher_of(OTHER)
        known.pass_time(16)
        assert not known.known.hears_publisher_of(OTHER)

    def test_own_beat_is_nobody_else(self, known: Fixture) -> None:
        known.beat(role="publisher", who=ME, redis=OWN)
        assert known.known.publishers == {}

    def test_nobody_is_forgotten_by_a_process_that_stood_still(self, known: Fixture) -> None:
        known.look(300.0)
        assert known.groups
        known.pass_time(121)
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

    def test_too_many_different_groups_and_asked_again_when_there_is_room(
        self, monkeypatch: pytest.MonkeyPatch, known: Fixture
    ) -> None:
        monkeypatch.setattr(known_module, "MOST_GROUPS", 4)
        known.tell_all(1, "abcd", who=SECOND)
        assert (known.groups, known.known.no_room) == ({"a", "b", "c", "metrics"}, {"groups": 1})
        known.change(2, add="cd")
        assert known.known.no_room == {"groups": 2}
        assert known.look(10.0) == []
        known.change(3, drop="a")
        assert known.look() == []
        known.change(2, drop="a", who=SECOND)
        assert known.look() == [Ask(of=(TAKER, SECOND))]

    @pytest.mark.parametrize("bound", ["MOST_PAIRS", "MOST_GROUPS"])
    def test_what_all_want_has_room_always(self, monkeypatch: pytest.MonkeyPatch, known: Fixture, bound: str) -> None:
        known.known.hear(Bye(who=TAKER))
        monkeypatch.setattr(known_module, bound, 0)
        known.tell_all(1, "c", who=SECOND)
        assert known.groups == {"metrics"}

    def test_many_takers_share_one_string_for_a_group(self, known: Fixture) -> None:
        for who in (TAKER, SECOND):
            known.change(2, who=who)
            group = "".join(["some-", "group"])
            common = {"who": who, "node": "n", "redis": OTHER, "version": 3}
            known.known.hear(Change(**common, add=(group,)))  # type: ignore[arg-type]
            known.known.hear(Listing(**common, part=0, parts=2, groups=("".join(["some-", "group"]),)))  # type: ignore[arg-type]
        all_kept = [one for taker in known.known.takers.values() for one in (*taker.groups, *taker.named)]
        kept = [one for one in all_kept if one == "some-group"]
        assert len(kept) == 4
        assert len(set(map(id, kept))) == 1

    def test_names_of_who_has_left_make_room(self, monkeypatch: pytest.MonkeyPatch, known: Fixture) -> None:
        monkeypatch.setattr(known_module, "MOST_GROUPS", 4)
        known.known.hear(Bye(who=TAKER))
        known.tell_all(1, "cde", who=SECOND)
        assert (known.groups, known.known.no_room) == ({"c", "d", "e", "metrics"}, {})

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
