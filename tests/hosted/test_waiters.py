"""Who waits for messages: each lets one go, in the order in which they came."""

import asyncio
from collections.abc import Coroutine
from typing import Any

from awxfast.hosted.waiters import Waiters


async def begin(*coroutines: Coroutine[Any, Any, None]) -> list[asyncio.Task[None]]:
    """Tasks that have come as far as they can."""
    tasks = [asyncio.create_task(coroutine) for coroutine in coroutines]
    await asyncio.sleep(0)
    return tasks


async def settle() -> None:
    """Lets what was woken run."""
    for _ in range(3):
        await asyncio.sleep(0)


class TestOrder:
    async def test_one_message_lets_the_first_go(self) -> None:
        waiters = Waiters()
        first, second = await begin(waiters.wait(), waiters.wait())
        waiters.wake_next()
        await settle()
        assert (first.done(), second.done()) == (True, False)
        waiters.wake_next()
        await second

    async def test_a_message_for_nobody_is_remembered_by_nobody(self) -> None:
        waiters = Waiters()
        waiters.wake_next()
        (late,) = await begin(waiters.wait())
        assert not late.done()
        late.cancel()
        await asyncio.wait([late])


class TestCancelled:
    async def test_who_gave_up_is_passed_over(self) -> None:
        waiters = Waiters()
        first, second = await begin(waiters.wait(), waiters.wait())
        first.cancel()
        waiters.wake_next()
        await asyncio.wait([first])
        await second

    async def test_who_is_cancelled_when_it_was_woken_passes_that_on(self) -> None:
        waiters = Waiters()
        first, second = await begin(waiters.wait(), waiters.wait())
        waiters.wake_next()
        first.cancel()
        await asyncio.wait([first])
        assert first.cancelled()
        await second
