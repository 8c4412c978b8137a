"""A Channels site under awxfast as operators start it: consumers, direct events, stock processes beside it."""

import asyncio
import contextlib

import pytest
from channels_redis.core import RedisChannelLayer
from redis_servers import HANG, RedisServer
from remembering_fanout import eventually
from site_browsers import Start, browser, command, event, receive
from websockets.exceptions import ConnectionClosed


class TestTooManyGroups:
    async def test_browser_whose_consumer_joins_past_the_most_is_closed_with_1008(self, start: Start) -> None:
        async with browser(start("--max-groups", "3")) as connection:
            for group in ("a", "b", "c", "a"):
                await command(connection, f"join {group}")
            await connection.send("join d")
            with pytest.raises(ConnectionClosed):
                while await receive(connection):
                    pass
        assert connection.close_code == 1008


class TestDirect:
    async def test_named_types_bypass_the_consumer_and_others_do_not(
        self, start: Start, stock: RedisChannelLayer
    ) -> None:
        async with browser(start("--direct", "internal.message")) as connection:
            await command(connection, "join job_events-1")
            await stock.group_send("job_events-1", event("direct"))
            assert await receive(connection) == "direct"
            await stock.group_send("job_events-1", {"type": "chat.message", "text": "hello"})
            assert await receive(connection) == "chat hello"

    async def test_without_the_option_the_consumer_handles_all(self, start: Start, stock: RedisChannelLayer) -> None:
        async with browser(start()) as connection:
            await command(connection, "join job_events-1")
            await stock.group_send("job_events-1", event("text"))
            assert await receive(connection) == "handled text"

    async def test_nothing_of_a_group_follows_the_reply_that_it_was_left(
        self, start: Start, stock: RedisChannelLayer
    ) -> None:
        port = start("--direct", "internal.message")
        stop = asyncio.Event()

        async def produce() -> None:
            number = 0
            while not stop.is_set():
                await stock.group_send("job_events-1", event(f"event {number}"))
                number += 1

        async with browser(port) as connection:
            producer = asyncio.create_task(produce())
            for _ in range(30):
                await connection.send("join job_events-1")
                while await receive(connection) != "done join":
                    pass
                await receive(connection)  # an event
                await connection.send("leave job_events-1")
                while await receive(connection) != "done leave":
                    pass
                with pytest.raises(TimeoutError):
                    async with asyncio.timeout(0.02):
                        await connection.recv()
            stop.set()
            await producer

    async def test_every_event_arrives_once_in_order_at_every_browser(
        self, start: Start, stock: RedisChannelLayer
    ) -> None:
        port = start("--direct", "internal.message")
        stock.capacity = 10_000
        async with contextlib.AsyncExitStack() as stack:
            browsers = [await stack.enter_async_context(browser(port)) for _ in range(10)]
            for connection in browsers:
                await command(connection, "join job_events-1")
            for number in range(300):
                await stock.group_send("job_events-1", event(str(number)))
            for connection in browsers:
                assert [await receive(connection) for _ in range(300)] == list(map(str, range(300)))


class TestConsumers:
    async def test_browsers_chat_over_the_layer(self, start: Start, stock: RedisChannelLayer) -> None:
        port = start()
        theirs = await stock.new_channel()
        await stock.group_add("room", theirs)
        async with browser(port) as first, browser(port) as second:
            for connection in (first, second):
                await command(connection, "join room")
            await first.send("send room hello")
            assert {await receive(first), await receive(first)} == {"done send", "chat hello"}
            assert await receive(second) == "chat hello"
        async with asyncio.timeout(HANG):
            assert await stock.receive(theirs) == {"type": "chat.message", "text": "hello"}
        await stock.group_discard("room", theirs)

    async def test_sync_consumer_joins_its_class_groups(self, start: Start, stock: RedisChannelLayer) -> None:
        port = start()
        async with browser(port, "sync/") as connection:
            await stock.group_send("everybody", {"type": "chat.message", "text": "hello"})
            assert await receive(connection) == "sync hello"

    async def test_pings_are_answered_while_the_consumer_is_200_messages_behind(self, start: Start) -> None:
        async with browser(start("--application-close-timeout", "1")) as connection:
            await connection.send("wait 600")
            for number in range(200):
                await connection.send(f"number {number}")
            async with asyncio.timeout(HANG):
                await (await connection.ping())

    async def test_consumer_that_fails_leaves_no_name_in_redis(self, start: Start, redis_server: RedisServer) -> None:
        port = start()
        async with browser(port) as connection:
            await command(connection, "join room")
            assert redis_server.client().exists("asgi:group:room")
            await connection.send("fail")
            with pytest.raises(ConnectionClosed):
                await receive(connection)
            assert connection.close_code == 1011
        await eventually(lambda: not redis_server.client().exists("asgi:group:room"))

    async def test_browser_that_goes_leaves_its_groups(self, start: Start, redis_server: RedisServer) -> None:
        port = start("--direct", "internal.message")
        async with browser(port) as connection:
            await command(connection, "join room")
        await eventually(lambda: not redis_server.client().exists("asgi:group:room"))
