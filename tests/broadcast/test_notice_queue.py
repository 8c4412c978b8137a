"""Notices keep their order, and no turn is long."""

import asyncio

from awxfast.broadcast.interest import STEP
from awxfast.broadcast.notice_queue import NoticeQueue
from awxfast.wire.backplane import Notice


class Peer:
    def __init__(self) -> None:
        self.applied: list[tuple[str, int]] = []
        self.holds: list[bool] = []
        self.queue = NoticeQueue(self.apply, self.holds.append)

    def apply(self, notice: Notice, link: int) -> None:
        assert len(notice.groups) <= STEP
        self.applied += [(group, link) for group in notice.groups]


def subscribe(first: int, last: int) -> Notice:
    return Notice(True, tuple(f"a-{number}" for number in range(first, last)), "s.x!1")


class TestNoticeQueue:
    async def test_small_one_is_applied_at_once_and_nothing_is_held(self) -> None:
        peer = Peer()
        peer.queue.put(subscribe(0, 1), 7)
        assert peer.applied == [("a-0", 7)]
        await asyncio.sleep(0)
        assert True not in peer.holds

    async def test_large_one_takes_several_turns_in_which_no_more_is_read(self) -> None:
        peer = Peer()
        peer.queue.put(subscribe(0, 3 * STEP), 0)
        peer.queue.put(subscribe(3 * STEP, 3 * STEP + 1), 1)
        for turn in range(1, 4):
            assert len(peer.applied) == turn * STEP
            assert peer.holds[-1] is True
            await asyncio.sleep(0)
        assert peer.applied == [*((f"a-{number}", 0) for number in range(3 * STEP)), (f"a-{3 * STEP}", 1)]
        assert peer.holds[-1] is False

    async def test_many_small_ones_are_as_bounded(self) -> None:
        peer = Peer()
        for number in range(2 * STEP):
            peer.queue.put(subscribe(number, number + 1), 0)
        assert len(peer.applied) == STEP
        await asyncio.sleep(0)
        assert len(peer.applied) == 2 * STEP

    async def test_nothing_counts_after_clear(self) -> None:
        peer = Peer()
        peer.queue.put(subscribe(0, 2 * STEP), 0)
        peer.queue.clear()
        await asyncio.sleep(0)
        assert len(peer.applied) == STEP
        assert peer.holds[-1] is False
