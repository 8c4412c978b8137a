"""Two nodes at a cluster, one of which sends to the other all that it can."""

import asyncio
import contextlib
from collections.abc import AsyncIterator

import pytest_asyncio
from awxfast.engine.address import EngineAddress
from awxfast.engine.redis_cluster import RedisClusterCarrier
from carrier_traffic import Hearing, Traffic, until
from redis_cluster import RedisCluster
from redis_servers import HANG

CHANNELS = [f"awxfast:group:job_events-{number}" for number in range(24)]
"""Of all three shards."""

RIGHTS = ("+ping", "+cluster|info", "+cluster|slots", "+spublish", "+ssubscribe", "+sunsubscribe")
"""All that a user of the cluster needs to be allowed, beside the channels."""


@contextlib.asynccontextmanager
async def carrying(url: str) -> AsyncIterator[tuple[RedisClusterCarrier, Hearing]]:
    carrier, hearing = RedisClusterCarrier(EngineAddress.parse(url)), Hearing()
    await carrier.start(hearing)
    try:
        yield carrier, hearing
    finally:
        await carrier.stop()


@contextlib.asynccontextmanager
async def two_nodes(url: str) -> AsyncIterator[Traffic]:
    """One sends, the other is subscribed."""
    async with carrying(url) as (sender, sent), carrying(url) as (taker, heard):
        await asyncio.wait_for(taker.subscribe(CHANNELS), HANG)
        await until(lambda: sender.up and taker.up, "the carriers do not come up")
        yield Traffic(sender, sent, taker, heard, CHANNELS)


@pytest_asyncio.fixture
async def traffic(cluster: RedisCluster) -> AsyncIterator[Traffic]:
    """Between two nodes at the file's cluster."""
    async with two_nodes(cluster.url) as traffic:
        yield traffic
