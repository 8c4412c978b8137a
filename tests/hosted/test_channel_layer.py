"""The hosted layer beside the stock one: the same calls, the same observations."""

import asyncio
import threading
from collections.abc import Callable
from typing import Any

import pytest
from channels.exceptions import ChannelFull
from channels_redis.core import RedisChannelLayer
from hosted_layers import Hosted
from redis.exceptions import ConnectionError as RedisConnectionError
from redis_servers import HANG, RedisServer

Layer = RedisChannelLayer
MESSAGE = {"type": "chat.message", "text": "Привет", "numbers": [1, -2, 2**40, 1.5, None, True], "raw": b"\x00\xff"}


@pytest.fixture(params=["hosted", "stock"])
def layer(request: pytest.FixtureRequest) -> Layer:
    """Each test runs with both."""
    found = request.getfixturevalue(request.param)
    return found.layer if isinstance(found, Hosted) else found


async def receive(layer: Layer, channel: str) -> dict[str, Any]:
    async with asyncio.timeout(HANG):
        message: dict[str, Any] = await layer.receive(channel)
        return message


async def assert_silent(layer: Layer, *channels: str) -> None:
    """Nothing waits: what is sent now comes first."""
    for channel in channels:
        await layer.send(channel, {"type": "end"})
        assert await receive(layer, channel) == {"type": "end"}


class TestSend:
    async def test_own_channel_receives_what_was_sent_in_order(self, layer: Layer) -> None:
        channel = await layer.new_channel()
        for number in range(20):
            await layer.send(channel, MESSAGE | {"number": number})
        assert [await receive(layer, channel) for _ in range(20)] == [MESSAGE | {"number": n} for n in range(20)]

    async def test_channels_of_one_process_are_kept_apart(self, layer: Layer) -> None:
        first, second = await layer.new_channel(), await layer.new_channel()
        await layer.send(first, {"type": "a"})
        await layer.send(second, {"type": "b"})
        assert await receive(layer, second) == {"type": "b"}
        assert await receive(layer, first) == {"type": "a"}

    async def test_plain_name_is_a_queue_for_whoever_asks(self, layer: Layer) -> None:
        await layer.send("worker", MESSAGE)
        assert await receive(layer, "worker") == MESSAGE

    async def test_full_channel_raises(self, layer: Layer) -> None:
        layer.capacity = 3
        for _ in range(3):
            await layer.send("worker", {"type": "a"})
        with pytest.raises(ChannelFull):
            await layer.send("worker", {"type": "a"})

    async def test_receiver_that_waits_is_woken(self, layer: Layer) -> None:
        channel = await layer.new_channel()
        waiting = asyncio.create_task(receive(layer, channel))
        await asyncio.sleep(0)
        await layer.send(channel, MESSAGE)
        assert await waiting == MESSAGE

    async def test_receiver_that_gives_up_costs_no_message(self, layer: Layer) -> None:
        channel = await layer.new_channel()
        waiting = asyncio.create_task(layer.receive(channel))
        await asyncio.sleep(0.05)
        waiting.cancel()
        await asyncio.gather(waiting, return_exceptions=True)
        await layer.send(channel, MESSAGE)
        assert await receive(layer, channel) == MESSAGE

    async def test_channel_of_another_prefix_works(self, layer: Layer) -> None:
        channel = await layer.new_channel("reply")
        assert channel.startswith("reply.")
        await layer.send(channel, MESSAGE)
        assert await receive(layer, channel) == MESSAGE


class TestGroup:
    async def test_members_receive_and_others_do_not(self, layer: Layer) -> None:
        first, second, other = [await layer.new_channel() for _ in range(3)]
        await layer.group_add("room", first)
        await layer.group_add("room", second)
        await layer.group_send("room", MESSAGE)
        assert await receive(layer, first) == MESSAGE
        assert await receive(layer, second) == MESSAGE
        await assert_silent(layer, first, second, other)

    async def test_joining_twice_is_joining_once(self, layer: Layer) -> None:
        channel = await layer.new_channel()
        await layer.group_add("room", channel)
        await layer.group_add("room", channel)
        await layer.group_send("room", MESSAGE)
        assert await receive(layer, channel) == MESSAGE
        await assert_silent(layer, channel)
        await layer.group_discard("room", channel)
        await layer.group_send("room", MESSAGE)
        await assert_silent(layer, channel)

    async def test_who_left_receives_nothing_more(self, layer: Layer) -> None:
        left, stays = await layer.new_channel(), await layer.new_channel()
        for channel in (left, stays):
            await layer.group_add("room", channel)
        await layer.group_discard("room", left)
        await layer.group_discard("room", left)
        await layer.group_send("room", MESSAGE)
        assert await receive(layer, stays) == MESSAGE
        await assert_silent(layer, left, stays)

    async def test_group_may_be_joined_again(self, layer: Layer) -> None:
        channel = await layer.new_channel()
        for number in range(5):
            await layer.group_add("room", channel)
            await layer.group_send("room", MESSAGE | {"number": number})
            assert (await receive(layer, channel))["number"] == number
            await layer.group_discard("room", channel)

    async def test_group_without_members_takes_a_message(self, layer: Layer) -> None:
        await layer.group_send("nobody", MESSAGE)

    async def test_group_of_the_longest_name_works(self, layer: Layer) -> None:
        channel = await layer.new_channel()
        await layer.group_add("g" * 99, channel)
        await layer.group_send("g" * 99, MESSAGE)
        assert await receive(layer, channel) == MESSAGE

    async def test_members_do_not_share_what_they_receive(self, hosted: Hosted) -> None:
        """The stock layer gives all of them one dictionary."""
        channels = [await hosted.layer.new_channel() for _ in range(2)]
        for channel in channels:
            await hosted.layer.group_add("room", channel)
        await hosted.layer.group_send("room", {"type": "a"})
        first, second = [await receive(hosted.layer, channel) for channel in channels]
        first.clear()
        assert second == {"type": "a"}

    async def test_flush_empties_groups(self, layer: Layer) -> None:
        channel = await layer.new_channel()
        await layer.group_add("room", channel)
        await layer.send("worker", {"type": "a"})
        await layer.flush()
        await layer.group_send("room", {"type": "lost"})
        await layer.send("worker", {"type": "b"})
        assert await receive(layer, "worker") == {"type": "b"}
        await assert_silent(layer, channel)

    async def test_who_joins_right_after_a_flush_misses_nothing(self, layer: Layer) -> None:
        await layer.group_add("room", await layer.new_channel())
        await layer.flush()
        channel = await layer.new_channel()
        await layer.group_add("room", channel)
        await layer.group_send("room", MESSAGE)
        assert await receive(layer, channel) == MESSAGE

    async def test_who_joins_during_a_flush_is_a_member_after_it(self, hosted: Hosted) -> None:
        layer = hosted.layer
        channels = [await layer.new_channel() for _ in range(20)]
        joins = [layer.group_add(f"room-{number}", channel) for number, channel in enumerate(channels)]
        await asyncio.gather(*joins[:10], layer.flush(), *joins[10:])
        for number, channel in enumerate(channels):
            await layer.group_add(f"room-{number}", channel)
            await layer.group_send(f"room-{number}", MESSAGE)
            assert await receive(layer, channel) == MESSAGE

    async def test_own_flush_is_no_loss_and_nobody_is_blamed(
        self, hosted: Hosted, caplog: pytest.LogCaptureFixture, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        monkeypatch.setattr("awxfast.intake.registration.CHECK_INTERVAL", 0.02)
        await asyncio.sleep(1.1)  # the pause before the first quick look
        for _ in range(5):
            await hosted.layer.group_add("room", await hosted.layer.new_channel())
            await hosted.layer.flush()
            await asyncio.sleep(0.1)
        assert hosted.intake.registration.repaired == 0
        assert not hosted.fanout.ledger()["gaps"]
        assert caplog.messages == []


class TestValidity:
    BAD_CHANNELS = ("", "a b", "ä", "a:b", "x" * 100, "a!b!c", None, 7)
    BAD_GROUPS = ("", "a b", "ä", "a!b", "x" * 100, None, 7)

    @pytest.mark.parametrize("name", BAD_CHANNELS)
    async def test_bad_channel_raises_type_error(self, layer: Layer, name: Any) -> None:
        for call in (layer.send(name, {"type": "a"}), layer.receive(name), layer.group_add("g", name)):
            with pytest.raises(TypeError):
                await call
        with pytest.raises(TypeError):
            await layer.group_discard("g", name)

    @pytest.mark.parametrize("name", BAD_GROUPS)
    async def test_bad_group_raises_type_error(self, layer: Layer, name: Any) -> None:
        channel = await layer.new_channel()
        for call in (layer.group_send(name, {"type": "a"}), layer.group_add(name, channel)):
            with pytest.raises(TypeError):
                await call
        with pytest.raises(TypeError):
            await layer.group_discard(name, channel)

    async def test_channel_of_another_process_can_not_be_received_from(self, layer: Layer) -> None:
        with pytest.raises(AssertionError):
            await layer.receive("specific.00ff!abc")

    async def test_new_channel_has_the_stock_form(self, layer: Layer) -> None:
        prefix, dot, rest = (await layer.new_channel()).partition(".")
        process, mark, own = rest.partition("!")
        assert (prefix, dot, mark, len(process), len(own)) == ("specific", ".", "!", 32, 32)
        assert layer.extensions == ["groups", "flush"]


class TestBesideStock:
    async def test_stock_process_sends_to_our_channel_and_we_to_its(self, hosted: Hosted, stock: Layer) -> None:
        ours, theirs = await hosted.layer.new_channel(), await stock.new_channel()
        await stock.send(ours, MESSAGE)
        await hosted.layer.send(theirs, MESSAGE)
        assert await receive(hosted.layer, ours) == MESSAGE
        assert await receive(stock, theirs) == MESSAGE

    async def test_group_reaches_both_processes(self, hosted: Hosted, stock: Layer) -> None:
        ours, theirs = await hosted.layer.new_channel(), await stock.new_channel()
        await hosted.layer.group_add("room", ours)
        await stock.group_add("room", theirs)
        await stock.group_send("room", MESSAGE | {"from": "stock"})
        await hosted.layer.group_send("room", MESSAGE | {"from": "hosted"})
        for layer, channel in ((hosted.layer, ours), (stock, theirs)):
            assert [(await receive(layer, channel))["from"] for _ in range(2)] == ["stock", "hosted"]

    async def test_we_add_and_discard_their_channel(self, hosted: Hosted, stock: Layer) -> None:
        theirs = await stock.new_channel()
        await hosted.layer.group_add("room", theirs)
        await hosted.layer.group_send("room", MESSAGE)
        assert await receive(stock, theirs) == MESSAGE
        await hosted.layer.group_discard("room", theirs)
        await hosted.layer.group_send("room", MESSAGE)
        await assert_silent(stock, theirs)

    async def test_they_add_our_channel_and_we_discard_it(self, hosted: Hosted, stock: Layer) -> None:
        ours = await hosted.layer.new_channel()
        await stock.group_add("room", ours)
        await stock.group_send("room", MESSAGE)
        assert await receive(hosted.layer, ours) == MESSAGE
        await hosted.layer.group_discard("room", ours)
        await stock.group_send("room", MESSAGE)
        await assert_silent(hosted.layer, ours)

    async def test_member_added_by_both_receives_once(self, hosted: Hosted, stock: Layer) -> None:
        ours = await hosted.layer.new_channel()
        await stock.group_add("room", ours)
        await hosted.layer.group_add("room", ours)
        await stock.group_send("room", MESSAGE)
        assert await receive(hosted.layer, ours) == MESSAGE
        await assert_silent(hosted.layer, ours)
        assert hosted.fanout.ledger()["events"]["routed"] == 2

    async def test_a_process_has_one_name_in_a_group(self, hosted: Hosted, redis_server: RedisServer) -> None:
        for _ in range(10):
            await hosted.layer.group_add("room", await hosted.layer.new_channel())
        names = redis_server.client().zrange("asgi:group:room", 0, -1)
        assert names == [f"specific.{hosted.intake.names.token}!g.room".encode()]


class TestLoops:
    async def test_thread_with_a_loop_of_its_own_uses_the_layer(self, hosted: Hosted) -> None:
        """As a background thread of an application does."""
        received: list[dict[str, Any]] = []

        async def work() -> None:
            channel = await hosted.layer.new_channel()
            await hosted.layer.group_add("room", channel)
            await hosted.layer.group_send("room", MESSAGE)
            received.append(await receive(hosted.layer, channel))
            await hosted.layer.group_discard("room", channel)
            await hosted.layer.close_pools()

        thread = threading.Thread(target=lambda: asyncio.run(work()))
        thread.start()
        await asyncio.to_thread(thread.join)
        assert received == [MESSAGE]


class TestBounds:
    async def test_oldest_messages_go_when_nobody_receives(self, start_hosted: Callable[..., Any]) -> None:
        hosted: Hosted = await start_hosted(capacity=10)
        slow, other = await hosted.layer.new_channel(), await hosted.layer.new_channel()
        for number in range(25):
            await hosted.layer.send(slow, {"number": number})
            await hosted.layer.send(other, {})
            await receive(hosted.layer, other)  # so that the queue in Redis is empty again
        assert [(await receive(hosted.layer, slow))["number"] for _ in range(10)] == list(range(15, 25))


class TestRedisAway:
    async def test_join_waits_and_goes_on(self, hosted: Hosted, redis_server: RedisServer) -> None:
        channel = await hosted.layer.new_channel()
        redis_server.kill()
        joining = asyncio.create_task(hosted.layer.group_add("room", channel))
        await asyncio.sleep(0.2)
        assert not joining.done()
        redis_server.start()
        async with asyncio.timeout(HANG):
            await joining
        await hosted.layer.group_send("room", MESSAGE)
        assert await receive(hosted.layer, channel) == MESSAGE

    async def test_join_raises_as_stock_when_redis_stays_away(
        self, hosted: Hosted, redis_server: RedisServer, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        monkeypatch.setattr("awxfast.hosted.channel_table.JOIN_PATIENCE", 0.1)
        channel = await hosted.layer.new_channel()
        redis_server.kill()
        with pytest.raises(RedisConnectionError):
            await hosted.layer.group_add("room", channel)
        monkeypatch.undo()
        redis_server.start()
        await hosted.layer.group_add("other", channel)
        assert hosted.intake.groups.held == 1


class TestEncryptedAndJson:
    @pytest.mark.parametrize(
        ("keys", "options"),
        [
            ([b"new", b"old"], {}),
            ([], {"serializer_format": "json"}),
            ([b"new"], {"serializer_format": "json", "random_prefix_length": 0}),
            ([], {"random_prefix_length": 3}),
        ],
    )
    async def test_hosted_and_stock_processes_hear_each_other(
        self, start_hosted: Callable[..., Any], redis_server: RedisServer, keys: list[bytes], options: dict[str, Any]
    ) -> None:
        hosted = await start_hosted(keys=keys, **options)
        stock = RedisChannelLayer(hosts=[redis_server.url], symmetric_encryption_keys=keys, **options)
        ours, theirs = await hosted.layer.new_channel(), await stock.new_channel()
        for layer, channel in ((hosted.layer, ours), (stock, theirs)):
            await layer.group_add("room", channel)
        message = {"type": "chat.message", "text": "Привет 🚀", "numbers": [1, 2**40, 1.5, None]}
        for sender in (hosted.layer, stock):
            await sender.group_send("room", message)
            assert await receive(hosted.layer, ours) == message
            assert await receive(stock, theirs) == message
        await stock.send(ours, message)
        assert await receive(hosted.layer, ours) == message
        await stock.close_pools()

    async def test_other_keys_count_for_both_ways_at_once(
        self, start_hosted: Callable[..., Any], redis_server: RedisServer
    ) -> None:
        hosted = await start_hosted(keys=[b"old"])
        stock = RedisChannelLayer(hosts=[redis_server.url], symmetric_encryption_keys=["new"])
        ours, theirs = await hosted.layer.new_channel(), await stock.new_channel()
        hosted.entry_format.accept_keys([b"new", b"old"])
        hosted.layer.use_keys([b"new", b"old"])
        await stock.send(ours, {"type": "a"})
        assert await receive(hosted.layer, ours) == {"type": "a"}
        await hosted.layer.send(theirs, {"type": "b"})
        assert await receive(stock, theirs) == {"type": "b"}
        await stock.close_pools()
