"""Ends tasks, whatever they wait in."""

import asyncio

AGAIN_SECONDS = 2.0
"""Longer than any of them needs to let go of what it has."""


async def end_tasks(*tasks: asyncio.Task[None]) -> None:
    """Returns when all have ended. Python 3.11's `wait_for`, in what they await, may swallow a cancellation."""
    while going := [task for task in tasks if not task.done()]:
        for task in going:
            task.cancel()
        await asyncio.wait(going, timeout=AGAIN_SECONDS)
    await asyncio.gather(*tasks, return_exceptions=True)
