"""A private Redis that ends; `test_main` has the whole program."""

import asyncio

import pytest
from awxfast.errors import StartError
from awxfast.process import redis_watch, restart_pauses
from awxfast.redis.private import PrivateRedis
from servers import HANG


class FailingRedis:
    """Has ended, and can be started at the third try only."""

    def __init__(self) -> None:
        self.exit_code: int | None = -9
        self.tries = 0
        self.started = asyncio.Event()

    def start_again(self) -> None:
        self.tries += 1
        if self.tries < 3:
            raise StartError("redis-server does not start: Cannot allocate memory")
        self.exit_code = None
        self.started.set()


class TestKeepRunning:
    @pytest.fixture(autouse=True)
    def hurry(self, monkeypatch: pytest.MonkeyPatch) -> None:
        monkeypatch.setattr(redis_watch, "LOOK_SECONDS", 0.01)
        monkeypatch.setattr(restart_pauses, "FIRST_PAUSE", 0.01)

    async def test_it_is_tried_until_it_starts(self, caplog: pytest.LogCaptureFixture) -> None:
        private = FailingRedis()
        watch = asyncio.create_task(redis_watch.keep_running(private))  # type: ignore[arg-type]
        await asyncio.wait_for(private.started.wait(), HANG)
        watch.cancel()
        assert sum("does not start: Cannot allocate memory" in message for message in caplog.messages) == 2
        assert sum("ended unasked (exit code -9)" in message for message in caplog.messages) == 3

    async def test_one_that_runs_is_left_alone(self) -> None:
        private = PrivateRedis(allow_wheel=True)
        pid = private.pid
        watch = asyncio.create_task(redis_watch.keep_running(private))
        await asyncio.sleep(0.1)
        assert (private.pid, private.exit_code) == (pid, None)
        watch.cancel()
        private.stop()
