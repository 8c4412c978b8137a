"""What the process before this one wants, by what it says."""

from typing import Any

import pytest
from awxfast.engine import following
from awxfast.engine.following import Following
from awxfast.wire.engine_notices import Change, Listing

WHO = "0123456789abcdef"
SENDER: dict[str, Any] = {"who": WHO, "node": "awx-1", "redis": "a" * 32}


class Heir:
    """Follows, and notes what it is told."""

    def __init__(self) -> None:
        self.changes: list[tuple[set[str], set[str]]] = []
        self.refused = 0
        self.following = Following(WHO, lambda added, dropped: self.changes.append(({*added}, {*dropped})), self.refuse)

    def refuse(self, groups: int) -> None:
        self.refused += groups

    def list_all(self, version: int, *parts: tuple[str, ...], who: str = WHO) -> None:
        for number, groups in enumerate(parts):
            notice = Listing(**{**SENDER, "who": who}, version=version, part=number, parts=len(parts), groups=groups)
            self.following.receive_listing(notice)

    def change(self, version: int, add: tuple[str, ...] = (), drop: tuple[str, ...] = (), who: str = WHO) -> bool:
        return self.following.receive_change(Change(**{**SENDER, "who": who}, version=version, add=add, drop=drop))


@pytest.fixture
def heir() -> Heir:
    return Heir()


class TestLists:
    def test_all_is_known_with_the_last_part(self, heir: Heir) -> None:
        heir.following.receive_listing(Listing(**SENDER, version=7, part=0, parts=2, groups=("a",)))
        assert (heir.following.known.is_set(), heir.changes) == (False, [])
        heir.following.receive_listing(Listing(**SENDER, version=7, part=1, parts=2, groups=("b",)))
        assert (heir.following.known.is_set(), heir.following.version) == (True, 7)
        assert (heir.following.groups, heir.changes) == ({"a", "b"}, [({"a", "b"}, set())])

    def test_parts_of_a_list_that_broke_off_do_not_count(self, heir: Heir) -> None:
        heir.following.receive_listing(Listing(**SENDER, version=7, part=0, parts=2, groups=("a",)))
        heir.following.receive_listing(Listing(**SENDER, version=8, part=1, parts=2, groups=("b",)))
        assert heir.following.version is None
        heir.list_all(8, ("c",), ("b",))
        assert heir.following.groups == {"b", "c"}

    def test_later_list_says_what_has_changed(self, heir: Heir) -> None:
        heir.list_all(7, ("a", "b"))
        heir.list_all(9, ("b", "c"))
        assert heir.changes[-1] == ({"c"}, {"a"})

    def test_other_takers_are_nothing_to_it(self, heir: Heir) -> None:
        heir.list_all(7, ("a",), who="f" * 16)
        assert heir.change(9, ("b",), who="f" * 16)
        assert (heir.following.version, heir.changes) == (None, [])


class TestChanges:
    def test_next_one_is_followed(self, heir: Heir) -> None:
        heir.list_all(7, ("a",))
        assert heir.change(8, ("b",)) and heir.change(9, drop=("a",))
        assert (heir.following.version, heir.following.groups) == (9, {"b"})

    def test_what_is_missing_before_one_has_to_be_asked_for(self, heir: Heir) -> None:
        heir.list_all(7, ("a",))
        assert not heir.change(9, ("c",))
        assert heir.following.version is None
        assert heir.change(10, ("d",)), "it is asked for once"
        heir.list_all(10, ("a", "b", "c", "d"))
        assert heir.following.groups == {"a", "b", "c", "d"}

    def test_before_the_list_they_are_part_of_it(self, heir: Heir) -> None:
        assert heir.change(3, ("a",))
        assert heir.changes == []


class TestBounds:
    @pytest.fixture(autouse=True)
    def room_for_three(self, monkeypatch: pytest.MonkeyPatch) -> None:
        monkeypatch.setattr(following, "MOST_PAIRS", 3)

    def test_list_with_more_groups_than_there_is_room_for(self, heir: Heir) -> None:
        heir.list_all(7, ("a", "b"), ("c", "d"), ("e",))
        assert (heir.following.groups, heir.refused) == ({"a", "b", "c"}, 2)
        assert heir.following.known.is_set()

    def test_part_that_comes_again_takes_no_more_room(self, heir: Heir) -> None:
        for _ in range(2):
            heir.following.receive_listing(Listing(**SENDER, version=7, part=1, parts=2, groups=("a", "b")))
        assert heir.refused == 0

    def test_change_finds_the_room_that_it_makes(self, heir: Heir) -> None:
        heir.list_all(7, ("a", "b", "c"))
        heir.change(8, ("a", "d", "e"), drop=("b",))
        assert (len(heir.following.groups), heir.refused, heir.following.version) == (3, 1, 8)
        assert heir.changes[-1] == ({"d"}, {"b"})
