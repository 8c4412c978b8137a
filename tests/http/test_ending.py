"""Tasks of an application whose time is up."""

import asyncio

import pytest
from awxfast.http.ending import Ending


class TestEnding:
    async def test_task_that_swallows_its_cancellation_is_cancelled_again_and_told_of_once(
        self, caplog: pytest.LogCaptureFixture
    ) -> None:
        cancelled = 0

        async def cling() -> None:
            nonlocal cancelled
            while cancelled < 3:
                try:
                    await asyncio.Event().wait()
                except asyncio.CancelledError:
                    cancelled += 1

        task, ending = asyncio.create_task(cling()), Ending()
        while not task.done():
            await asyncio.sleep(0)
            ending.cancel(task, "GET '/clinging'")
        assert cancelled == 3
        assert caplog.messages == ["The application took too long to end and is cancelled: GET '/clinging'"]
