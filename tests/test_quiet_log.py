"""Lines that outsiders can cause."""

import logging

import pytest
from awxfast.quiet_log import QuietLog


class TestQuietLog:
    def test_one_line_a_kind_and_ten_seconds_with_the_number_of_silent_ones(
        self, caplog: pytest.LogCaptureFixture
    ) -> None:
        time = [0.0]
        quiet = QuietLog(logging.getLogger("test"), lambda: time[0])
        for _ in range(3):
            quiet.warn("path", "no such path")
        quiet.warn("key", "no key")
        time[0] = 10.0
        quiet.warn("path", "no such path either")
        time[0] = 20.0
        quiet.warn("path", "and again")
        assert caplog.messages == [
            "no such path",
            "no key",
            "no such path either (2 more like it since the last line)",
            "and again",
        ]
