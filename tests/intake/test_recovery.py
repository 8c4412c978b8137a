"""A process that goes on under the names of one that died: what it keeps, what it removes, and how long it waits."""

import asyncio
import contextlib
from collections.abc import AsyncIterator, Callable

import msgpack
import pytest
from awxfast.intake import recovery as recovery_module
from awxfast.intake.intake import Intake
from awxfast.redis.address import RedisAddress
from awxfast.settings import Settings
from channels_redis.core import RedisChannelLayer
from redis_servers import RedisServer
from remembering_fanout import RememberingFanout, eventually

LONG = "job_events-" + "9" * 88
BACKPLANE = "broadcast-group_send"
LayerMaker = Callable[..., RedisChannelLayer]


async def die_with(url: str, *groups: str) -> str:
    """The token of a process that held these groups and said no word at its end."""
    intake = Intake(Settings(), RedisAddress.parse(url), RememberingFanout(), BACKPLANE)
    await intake.start()
    await intake.hold(groups)
    await asyncio.gather(*intake.abandon(), return_exceptions=True)
    return intake.names.token


@contextlib.asynccontextmanager
async def recovering(
    url: str, fanout: RememberingFanout, token: str, settings: Settings | None = None
) -> AsyncIterator[Intake]:
    intake = Intake(settings or Settings(), RedisAddress.parse(url), fanout, BACKPLANE, token=token)
    intake.recovers = True
    try:
        await intake.start()
        yield intake
    finally:
        await intake.stop()


class TestGroups:
    async def test_those_whose_channels_nobody_knows_any_more_are_removed(
        self, redis_server: RedisServer, fanout: RememberingFanout, stock_layer: LayerMaker
    ) -> None:
        """Producers would copy every event to them into the queue for as long as it lives, and longer."""
        token = await die_with(redis_server.url, "a", LONG)
        other = stock_layer(redis_server)
        await other.group_add(LONG, other_channel := await other.new_channel())
        with redis_server.client() as client:
            assert client.zcard(f"asgi:group:{LONG}") == 2
            async with recovering(redis_server.url, fanout, token) as intake:
                assert client.zrange(f"asgi:group:{LONG}", 0, -1) == [other_channel.encode()]
                assert not client.sismember(intake.names.groups_key, LONG)
                assert client.zscore("asgi:group:a", intake.names.channel("g.a"))

    async def test_nodes_are_told_that_nobody_wants_them(
        self, redis_server: RedisServer, fanout: RememberingFanout
    ) -> None:
        token = await die_with(redis_server.url, "a", LONG)
        with redis_server.client() as client:
            client.zadd(f"asgi:group:{BACKPLANE}", {"specific.node!1": 1})
            async with recovering(redis_server.url, fanout, token) as intake:
                (first,) = client.zrange("asgispecific.node!", 0, 0)
                message = msgpack.unpackb(first[12:])
                assert LONG in str(message)
                assert "unsubscribe" in str(message)
                assert intake.names.channel("") in str(message)


class TestEvents:
    @pytest.fixture(autouse=True)
    def no_end(self, monkeypatch: pytest.MonkeyPatch) -> None:
        monkeypatch.setattr(recovery_module, "COME_BACK_SECONDS", 1e6)

    async def test_they_do_not_wait_where_nobody_held_a_group(
        self, redis_server: RedisServer, fanout: RememberingFanout, stock_layer: LayerMaker
    ) -> None:
        token = await die_with(redis_server.url)
        async with recovering(redis_server.url, fanout, token) as intake:
            await intake.hold(["a"])
            await stock_layer(redis_server).group_send("a", {"type": "internal.message", "text": "x"})
            await eventually(lambda: fanout.batches)

    async def test_they_wait_until_the_queue_is_half_full(
        self, redis_server: RedisServer, fanout: RememberingFanout, stock_layer: LayerMaker
    ) -> None:
        token = await die_with(redis_server.url, "a")
        layer = stock_layer(redis_server)
        async with recovering(redis_server.url, fanout, token, Settings(capacity=20)) as intake:
            for number in range(10):
                await layer.group_send("a", {"type": "internal.message", "text": str(number)})
            await eventually(lambda: intake.depth == 10)
            assert not fanout.batches
            await layer.group_send("a", {"type": "internal.message", "text": "10"})
            await eventually(lambda: len(fanout.texts()) == 11)
