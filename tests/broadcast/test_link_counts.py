"""Figures of one peer's links, added up and on their way to another process."""

import dataclasses
import json
from collections import Counter

from awxfast.broadcast.link_counts import LinkCounts, add_counts, freeze_counts, read_counts


def count() -> LinkCounts:
    """Each figure another number."""
    return LinkCounts(1, 2, 3, 4, 5, 6, 7, Counter(same_redis=8), Counter(queue_full=9, link_lost=10))


class TestSums:
    def test_every_figure_is_added(self) -> None:
        total = count()
        add_counts(total, count())
        numbers = [value for value in dataclasses.astuple(total) if isinstance(value, int)]
        assert numbers == [2, 4, 6, 8, 10, 12, 14]
        assert (total.skipped, total.dropped) == (Counter(same_redis=16), Counter(queue_full=18, link_lost=20))

    def test_what_is_added_stays_as_it_was(self) -> None:
        counts = count()
        add_counts(LinkCounts(), counts)
        assert counts == count()


class TestWay:
    def test_another_process_reads_the_same_and_counts_on(self) -> None:
        counts = read_counts(json.loads(json.dumps(freeze_counts(count()))))
        assert counts == count()
        counts.dropped["disconnected"] += 1
        assert counts.dropped["disconnected"] == 1
