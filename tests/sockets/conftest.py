"""What the sessions' tests start and end."""

from collections.abc import AsyncIterator
from typing import Any

import pytest
from loops import pytest_asyncio_loop_factories  # noqa: F401  a hook
from serving import Serving, Start


@pytest.fixture
async def start() -> AsyncIterator[Start]:
    """Starts servers with settings of the test's choice."""
    running: list[Serving] = []

    async def start_one(**options: Any) -> Serving:
        running.append(Serving(**options))
        await running[-1].start()
        return running[-1]

    yield start_one
    for serving in running:
        await serving.stop()


@pytest.fixture
async def serving(start: Start) -> Serving:
    """A server that everybody may use."""
    return await start()
