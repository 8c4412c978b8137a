"""Who waits goes on when it is told, or when its time is over."""

import asyncio

from awxfast.intake.caught_up import CaughtUp
from remembering_fanout import HANG


class TestWait:
    async def test_all_that_wait_go_on_when_told(self) -> None:
        caught_up = CaughtUp()
        waiting = [asyncio.create_task(caught_up.wait(3600.0)) for _ in range(2)]
        await asyncio.sleep(0)
        caught_up.tell()
        async with asyncio.timeout(HANG):
            await asyncio.gather(*waiting)

    async def test_what_was_told_before_ends_no_wait(self) -> None:
        caught_up = CaughtUp()
        caught_up.tell()
        waiting = asyncio.create_task(caught_up.wait(3600.0))
        await asyncio.sleep(0.02)
        assert not waiting.done()
        waiting.cancel()

    async def test_it_ends_by_itself(self) -> None:
        async with asyncio.timeout(HANG):
            await CaughtUp().wait(0.0)
