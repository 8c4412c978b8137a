"""What is said about full queues."""

import pytest
from awxfast.producer.full_queues import FullQueues
from clocks import Clock


def test_a_line_a_second_tells_how_many_were_dropped_since_the_last(caplog: pytest.LogCaptureFixture) -> None:
    clock = Clock()
    full = FullQueues(clock)
    for _ in range(10):
        full.count("job_events-1", 2, 3)
    clock.now = 1.0
    full.count("jobs-summary", 1, 3)
    assert [record.getMessage().partition(";")[0] for record in caplog.records] == [
        "group job_events-1: 2 of 3 queues are full, 2 messages were dropped since the last such line",
        "group jobs-summary: 1 of 3 queues are full, 19 messages were dropped since the last such line",
    ]
    assert full.dropped == 21
