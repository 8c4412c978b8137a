"""Which events have come on the old link, seen from the new one."""

import json
from collections.abc import Sequence

import pytest
from awxfast.broadcast import doubles
from awxfast.broadcast.doubles import Doubles, Noted


def take(noted: Sequence[str], came: Sequence[str]) -> str:
    """What is left of the events on the new link; an event is a letter."""
    old = Noted()
    assert not any(old.is_double(event.encode()) for event in noted)
    new = Doubles(json.loads(json.dumps(old.freeze())))
    return "".join(event for event in came if not new.is_double(event.encode()))


class TestDoubles:
    @pytest.mark.parametrize(
        ("noted", "came", "left"),
        [
            ("abcd", "abcdef", "ef"),
            ("abcd", "cdef", "ef"),
            ("abcd", "def", "ef"),
            ("abcd", "ef", "ef"),
            ("abcd", "cd", ""),
            ("abcd", "c", ""),
            ("", "abc", "abc"),
            ("abcd", "", ""),
        ],
    )
    def test_new_link_begins_anywhere_within_what_the_old_one_brought(self, noted: str, came: str, left: str) -> None:
        assert take(noted, came) == left

    def test_same_event_is_taken_again_once_the_stretch_is_over(self) -> None:
        assert take("abcd", "cdab") == "ab"

    def test_event_that_was_there_several_times_is_found_where_what_follows_fits(self) -> None:
        assert take("axayaz", "ayazq") == "q"
        assert take("axayaz", "azq") == "q"

    def test_new_link_that_is_behind_catches_up(self) -> None:
        old = Noted()
        for event in (b"a", b"b", b"c"):
            old.is_double(event)
        new = Doubles(old.freeze())
        assert new.is_double(b"b")
        assert new.is_double(b"c")
        assert not new.is_double(b"d")

    def test_what_is_noted_has_a_bound(self, monkeypatch: pytest.MonkeyPatch) -> None:
        monkeypatch.setattr(doubles, "MOST_NOTED", 2)
        assert take("abcd", "cde") == "e"
        assert take("abcd", "abcde") == "abcde"

    def test_peer_that_says_the_same_for_ever_costs_a_bounded_number_of_looks(self) -> None:
        class Counted(str):
            looks = 0

            def __eq__(self, other: object) -> bool:
                Counted.looks += 1
                return str.__eq__(self, other)

            __hash__ = str.__hash__

        old = Noted()
        for _ in range(1_000):
            old.is_double(b"tick")
        new = Doubles(Counted(found) for found in old.freeze())
        taken = sum(new.is_double(b"tick") for _ in range(1_000))
        assert Counted.looks <= 11 * 1_001 + 1_000
        assert 0 < taken < 1_000

    def test_all_is_new_once_the_time_of_doubles_is_over(self) -> None:
        old = Noted()
        for event in (b"a", b"b", b"c"):
            old.is_double(event)
        new = Doubles(old.freeze())
        assert new.is_double(b"a")
        new.end()
        assert not new.is_double(b"b")
