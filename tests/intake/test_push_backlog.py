"""What can't be handed on at once: kept in order, bounded, and counted where it is shed."""

import asyncio
import contextlib
from collections.abc import AsyncIterator

import pytest
from awxfast.intake import push_backlog
from awxfast.intake.caught_up import CaughtUp
from awxfast.intake.push_backlog import PushBacklog
from remembering_fanout import RememberingFanout, eventually


def messages(first: int, count: int, size: int = 1) -> list[tuple[bool, bytes, bytes]]:
    return [(True, b"%d" % number, b"x" * size) for number in range(first, first + count)]


@contextlib.asynccontextmanager
async def running(fanout: RememberingFanout) -> AsyncIterator[PushBacklog]:
    backlog = PushBacklog(fanout, CaughtUp())
    task = asyncio.create_task(backlog.run())
    yield backlog
    task.cancel()
    await asyncio.gather(task, return_exceptions=True)


class TestPushBacklog:
    async def test_messages_are_handed_on_at_once_while_takers_keep_up(self, fanout: RememberingFanout) -> None:
        backlog = PushBacklog(fanout, CaughtUp())
        backlog.put(messages(0, 3))
        assert fanout.pushed == messages(0, 3)
        assert len(backlog) == 0

    async def test_order_is_kept_while_takers_are_behind(self, fanout: RememberingFanout) -> None:
        fanout.wait_times = [0.01, 0.01, 0.0, 0.01]
        async with running(fanout) as backlog:
            for first in range(0, 1_000, 100):
                backlog.put(messages(first, 100))
            assert not fanout.pushed
            await eventually(lambda: len(fanout.pushed) == 1_000)
        assert fanout.pushed == messages(0, 1_000)
        assert backlog.holds > 0

    async def test_oldest_are_shed_and_counted(
        self, fanout: RememberingFanout, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        monkeypatch.setattr(push_backlog, "MOST_EVENTS", 10)
        backlog = PushBacklog(fanout, CaughtUp())
        backlog.keep()
        backlog.put(messages(0, 8))
        backlog.put(messages(8, 8))
        assert fanout.gap_sizes == [("backlog_full", 6)]
        backlog.hand_all_on()
        assert fanout.pushed == messages(6, 10)

    async def test_bytes_are_bounded_too_but_for_a_single_message(
        self, fanout: RememberingFanout, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        monkeypatch.setattr(push_backlog, "MOST_BYTES", 1_000)
        backlog = PushBacklog(fanout, CaughtUp())
        backlog.keep()
        backlog.put(messages(0, 5, 400))
        assert len(backlog) == 2
        backlog.put(messages(5, 1, 5_000))
        assert len(backlog) == 1
        backlog.hand_all_on()
        assert fanout.pushed == messages(5, 1, 5_000)
        assert sum(size for _, size in fanout.gap_sizes) == 5
        backlog.put(messages(6, 2, 400))
        assert len(backlog) == 2

    async def test_what_is_kept_is_handed_on_later(self, fanout: RememberingFanout) -> None:
        async with running(fanout) as backlog:
            backlog.keep()
            backlog.put(messages(0, 300))
            await asyncio.sleep(0.05)
            assert not fanout.pushed
            backlog.go_on()
            await eventually(lambda: len(fanout.pushed) == 300)
            assert len(backlog) == 0
