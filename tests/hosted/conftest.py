"""What the application's tests start and end."""

import asyncio
from collections.abc import AsyncIterator, Callable
from pathlib import Path
from typing import Any

import pytest
from channels_redis.core import RedisChannelLayer
from django_settings import django_settings  # noqa: F401  a fixture
from hosted_layers import Hosted, PlayedSession
from loops import pytest_asyncio_loop_factories  # noqa: F401  a hook
from main_process import MainProcess
from redis_servers import RedisServer
from site_browsers import SITE, Start, python_path


@pytest.fixture
async def start_hosted(redis_server: RedisServer) -> AsyncIterator[Callable[..., Any]]:
    """Starts processes' layers with options of the test's choice."""
    started: list[Hosted] = []

    async def start(**options: Any) -> Hosted:
        hosted = Hosted(redis_server, **options)
        started.append(hosted)
        await hosted.intake.start()
        return hosted

    yield start
    for hosted in started:
        await hosted.stop()


@pytest.fixture
async def hosted(start_hosted: Callable[..., Any]) -> Hosted:
    started: Hosted = await start_hosted()
    return started


@pytest.fixture
async def direct(start_hosted: Callable[..., Any]) -> Hosted:
    """With the direct path for AWX's messages."""
    started: Hosted = await start_hosted(direct=("internal.message",))
    return started


@pytest.fixture
async def stock(redis_server: RedisServer) -> AsyncIterator[RedisChannelLayer]:
    """The layer of a stock process beside ours."""
    layer = RedisChannelLayer(hosts=[redis_server.url])
    yield layer
    await layer.close_pools()


@pytest.fixture
async def play_session() -> AsyncIterator[Callable[[Hosted], PlayedSession]]:
    """Sessions of the test's application."""
    sessions: list[PlayedSession] = []

    def play(hosted: Hosted) -> PlayedSession:
        sessions.append(PlayedSession(hosted.fanout))
        return sessions[-1]

    yield play
    for session in sessions:
        session.end()


@pytest.fixture
async def start(tmp_path: Path, redis_server: RedisServer) -> AsyncIterator[Start]:
    """Starts the site with options of the test's choice; gives the port."""
    started: list[MainProcess] = []

    def start_site(*options: str) -> int:
        environ = {"EVENTS_SITE_REDIS": redis_server.url, "PYTHONPATH": python_path()}
        started.append(MainProcess(tmp_path, "-p", "0", *options, SITE, environ=environ))
        return started[-1].wait_until_serving()

    yield start_site
    for server in started:
        assert await asyncio.to_thread(server.stop) == 0
        faults = server.err.read_text().count("Traceback") - server.err.read_text().count("as the browser wished")
        assert faults <= 0, server.err.read_text()
    assert redis_server.client().keys("*") == [], "a clean exit leaves nothing of the process in Redis"
