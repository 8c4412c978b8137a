"""Tasks that are ended."""

import asyncio

from awxfast.engine.endings import end_tasks


async def test_task_that_swallows_a_cancellation_ends_all_the_same() -> None:
    swallowed = 0

    async def work() -> None:
        nonlocal swallowed
        while True:
            try:
                await asyncio.sleep(60)
            except asyncio.CancelledError:
                swallowed += 1
                if swallowed == 2:
                    raise

    async def fail() -> None:
        raise ValueError

    tasks = [asyncio.create_task(work()), asyncio.create_task(fail())]
    await asyncio.sleep(0)
    await end_tasks(*tasks)
    assert swallowed == 2 and all(task.done() for task in tasks)
