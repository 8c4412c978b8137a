"""Lines that outsiders can cause."""

import asyncio
import logging

import pytest
from awxfast import quiet_log
from awxfast.quiet_log import QuietLog
from serving import until


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


class TestFlush:
    """Whoever reads the log must not wait for the next mishap to hear how many there were."""

    @pytest.fixture
    def quiet(self, monkeypatch: pytest.MonkeyPatch) -> QuietLog:
        monkeypatch.setattr(quiet_log, "QUIET_SECONDS", 0.2)
        return QuietLog(logging.getLogger("test"))

    async def test_what_was_left_out_is_told_when_the_time_is_over(
        self, quiet: QuietLog, caplog: pytest.LogCaptureFixture
    ) -> None:
        for number in range(4):
            quiet.warn("path", f"no such path {number}")
        assert caplog.messages == ["no such path 0"]
        await until(lambda: len(caplog.messages) == 2)
        assert caplog.messages[1] == "no such path 3 (2 more like it since the last line)"

    async def test_one_that_was_left_out_is_a_line_of_its_own(
        self, quiet: QuietLog, caplog: pytest.LogCaptureFixture
    ) -> None:
        quiet.warn("path", "first")
        quiet.warn("path", "second")
        quiet.warn("key", "third")
        await until(lambda: len(caplog.messages) == 3)
        assert caplog.messages == ["first", "third", "second"]

    async def test_a_flood_has_a_line_a_time_and_counts_itself(
        self, quiet: QuietLog, caplog: pytest.LogCaptureFixture
    ) -> None:
        told = 0
        while len(caplog.messages) < 4:
            quiet.warn("path", "again")
            told += 1
            await asyncio.sleep(0.001)
        quiet.flush("path")
        left_out = [int(text.partition("(")[2].partition(" ")[0] or 0) for text in caplog.messages]
        assert len(caplog.messages) + sum(left_out) == told

    async def test_nothing_is_told_where_nothing_was_left_out(
        self, quiet: QuietLog, caplog: pytest.LogCaptureFixture
    ) -> None:
        quiet.warn("path", "first")
        quiet.flush("path")
        assert caplog.messages == ["first"]

    async def test_those_that_found_no_room_are_told_too(
        self, quiet: QuietLog, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
    ) -> None:
        monkeypatch.setattr(quiet_log, "MOST_KINDS", 3)
        for number in range(10):
            quiet.warn(f"address {number}", f"refused {number}")
        await until(lambda: len(caplog.messages) == 4)
        assert caplog.messages == ["refused 0", "refused 1", "refused 2", "7 more lines about others were left out"]
