"""How soon another process follows one that ended, and what is said of it."""

import math

import pytest
from awxfast.errors import ApplicationNeedsRedis
from awxfast.process import restart_pauses
from awxfast.process.restart_pauses import Restarts


@pytest.fixture
def never_healthy(monkeypatch: pytest.MonkeyPatch) -> None:
    """However slow this machine is, no process has lived long."""
    monkeypatch.setattr(restart_pauses, "HEALTHY_AFTER", math.inf)


class TestPauses:
    @pytest.mark.usefixtures("never_healthy")
    def test_they_grow_while_processes_end_at_once(self) -> None:
        ended = Restarts()
        ended.begin()
        pauses = [ended.take_after("exit code 1") for _ in range(20)]
        assert pauses[0] <= restart_pauses.FIRST_PAUSE
        assert min(pauses[-5:]) >= restart_pauses.LONGEST_PAUSE / 2

    def test_they_begin_again_after_one_that_lived_long(self, monkeypatch: pytest.MonkeyPatch) -> None:
        monkeypatch.setattr(restart_pauses, "HEALTHY_AFTER", 0.0)
        ended = Restarts()
        ended.begin()
        assert all(ended.take_after("exit code 1") <= restart_pauses.FIRST_PAUSE for _ in range(20))

    @pytest.mark.usefixtures("never_healthy")
    def test_redis_that_is_away_is_asked_again_soon(self) -> None:
        ended = Restarts()
        ended.begin()
        pauses = [ended.take_after(ApplicationNeedsRedis("no answer")) for _ in range(20)]
        assert max(pauses) == restart_pauses.LONGEST_WAIT_FOR_REDIS

    @pytest.mark.usefixtures("never_healthy")
    def test_next_program_goes_on_with_the_series(self) -> None:
        ended, heir = Restarts(), Restarts()
        ended.begin()
        for _ in range(20):
            ended.take_after("exit code 1")
        heir.adopt(ended.freeze())
        assert heir.take_after("exit code 1") >= restart_pauses.LONGEST_PAUSE / 2


class TestLog:
    def test_every_death_is_an_error(self, caplog: pytest.LogCaptureFixture) -> None:
        ended = Restarts()
        for _ in range(2):
            ended.take_after("exit code -9")
        assert caplog.text.count("ended unasked (exit code -9); another one starts in") == 2

    def test_redis_that_is_away_is_told_once(self, caplog: pytest.LogCaptureFixture) -> None:
        ended = Restarts()
        for _ in range(3):
            ended.take_after(ApplicationNeedsRedis("Redis does not answer"))
        assert caplog.text.count("Redis does not answer; trying again until it does") == 1
