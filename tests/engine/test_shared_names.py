"""One string for each name, however many keep it."""

from awxfast.engine.shared_names import SharedNames


def make(text: str) -> str:
    """A string of its own."""
    return "".join(list(text))


def test_all_have_the_string_that_came_first() -> None:
    names = SharedNames()
    first = make("jobs-1")
    assert names.keep([first], 5)[0] is first
    assert names.keep([make("jobs-1")], 5)[0] is first
    assert next(iter(names.find([make("jobs-2"), make("jobs-1")]))) is first


def test_name_goes_with_the_last_who_keeps_it() -> None:
    names = SharedNames()
    for _ in range(2):
        names.keep(["a"], 5)
    names.leave(["a"])
    assert (len(names), list(names.find(["a"]))) == (1, ["a"])
    names.leave(["a"])
    assert (len(names), list(names.find(["a"]))) == (0, [])


def test_where_there_is_no_room_only_known_ones_are_kept() -> None:
    names = SharedNames()
    names.keep(["a"], 2)
    assert names.keep(["b", "c", "a"], 2) == ["b", "a"]
    assert len(names) == 2
