"""Which publishers are heard, and which of them have links elsewhere."""

import dataclasses

from awxfast.engine.known_publishers import MOST_BESIDE, MOST_KNOWN, MOST_LINKS, KnownPublishers
from awxfast.wire.engine_notices import Beat
from clocks import Clock

REDIS = "a" * 32


def beat(number: int) -> Beat:
    return Beat(who=f"{number:016x}", node=f"node-{number}", redis=REDIS, role="publisher")


class TestHearing:
    def test_whoever_was_silent_for_fifteen_seconds_is_not_heard(self) -> None:
        clock = Clock(100.0)
        known = KnownPublishers(clock)
        known.hear(beat(1))
        clock.now += 15.0
        known.hear(beat(2))
        assert (known.is_heard(beat(1).who), len(list(known))) == (True, 2)
        clock.now += 0.1
        assert [one.node for one in known] == ["node-2"]
        assert not known.is_heard(beat(1).who)

    def test_whoever_leaves_is_not_heard_and_nobody_is_who_never_spoke(self) -> None:
        known = KnownPublishers()
        known.hear(beat(1))
        known.forget(beat(1).who)
        known.forget(beat(2).who)
        assert not known.is_heard(beat(1).who) and not known.is_heard(beat(2).who)

    def test_there_is_room_for_so_many(self) -> None:
        clock = Clock()
        known = KnownPublishers(clock)
        for number in range(MOST_KNOWN + 5):
            known.hear(beat(number))
        assert (known.no_room, known.is_heard(beat(0).who), known.is_heard(beat(MOST_KNOWN).who)) == (5, True, False)
        clock.now += 16.0
        known.hear(beat(MOST_KNOWN))
        assert (known.no_room, len(list(known))) == (5, 1)

    def test_of_links_that_a_publisher_says_it_has_nothing_is_kept(self) -> None:
        known = KnownPublishers()
        known.hear(dataclasses.replace(beat(1), linked=("c" * 16,) * 2_000))
        assert [one.linked for one in known] == [()]


class TestLinksElsewhere:
    def test_another_taker_on_this_redis_may_have_them_until_it_says_otherwise(self) -> None:
        known = KnownPublishers()
        known.hear_links("t" * 16, ["p" * 16])
        assert known.is_linked_elsewhere("p" * 16) and not known.is_linked_elsewhere("q" * 16)
        known.hear_links("t" * 16, [])
        assert not known.is_linked_elsewhere("p" * 16)

    def test_one_that_is_silent_is_not_believed_for_ever(self) -> None:
        clock = Clock()
        known = KnownPublishers(clock)
        known.hear_links("t" * 16, ["p" * 16])
        clock.now += 15.1
        assert not known.is_linked_elsewhere("p" * 16)

    def test_so_many_takers_are_believed_and_so_many_links(self) -> None:
        known = KnownPublishers()
        for number in range(MOST_BESIDE + 5):
            known.hear_links(f"{number:016x}", [f"{number:016x}"])
        assert known.no_room == 5
        assert known.is_linked_elsewhere(f"{MOST_BESIDE - 1:016x}")
        assert not known.is_linked_elsewhere(f"{MOST_BESIDE:016x}")
        known.hear_links(f"{0:016x}", ["a" * 16] * (MOST_LINKS + 1))
        assert known.no_room == 6
        assert not known.is_linked_elsewhere("a" * 16)
