"""Counts are added and taken from each other whatever they hold."""

from awxfast.operate.counts import add_counts, subtract_counts

BEFORE = {"in": 5, "rejected": {"too_large": 1}, "age": {"counts": [1, 2], "sum": 0.5}}
NOW = {"in": 7, "rejected": {"too_large": 1, "malformed": 2}, "age": {"counts": [1, 4], "sum": 0.75}}


def test_sum_has_the_names_of_both() -> None:
    assert add_counts({"in": 1, "lost": {"a": 1}}, {"lost": {"a": 2, "b": 3}, "out": 4}) == {
        "in": 1,
        "lost": {"a": 3, "b": 3},
        "out": 4,
    }


def test_shorter_list_is_the_beginning_of_the_longer_one() -> None:
    assert add_counts([1], [1, 2]) == add_counts([1, 2], [1]) == [2, 2]


def test_what_came_since_and_what_was_there_are_all() -> None:
    since = subtract_counts(NOW, BEFORE)
    assert since == {"in": 2, "rejected": {"malformed": 2}, "age": {"counts": [0, 2], "sum": 0.25}}
    assert add_counts(BEFORE, since) == NOW


def test_nothing_that_was_given_is_changed() -> None:
    first, second = {"a": {"b": [1]}}, {"a": {"b": [2]}}
    assert add_counts(first, second) == {"a": {"b": [3]}}
    assert (first, second) == ({"a": {"b": [1]}}, {"a": {"b": [2]}})
