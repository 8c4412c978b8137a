"""One link of either era, over real sockets and a real Redis."""

import asyncio
import json

import aiohttp
import pytest
from channels_redis.core import RedisChannelLayer
from node_server import Dialler, StartNode, eventually, relayed, sign
from raw_browser import RawBrowser
from redis_servers import RedisServer
from running import Running

BACKPLANE_KEY = "asgi:group:broadcast-group_send"


async def has_joined_backplane(producer: RedisChannelLayer) -> None:
    """Returns when somebody is in the backplane's group."""
    await eventually(lambda: producer.connection(0).exists(BACKPLANE_KEY), 1)


async def receive_close(link: aiohttp.ClientWebSocketResponse) -> int | None:
    """The code that a link is closed with."""
    async for _ in link:
        pass
    return link.close_code


class TestBroadcastEra:
    async def test_every_link_gets_each_message_once(
        self, node: Running, dialler: Dialler, producer: RedisChannelLayer
    ) -> None:
        links = [await dialler.dial(node, "broadcast") for _ in range(3)]
        await has_joined_backplane(producer)
        texts = [json.dumps({"group": "job_events-42", "message": f'{{"id": {number}}}'}) for number in range(20)]
        for text in texts:
            await producer.group_send("broadcast-group_send", {"type": "internal.message", "text": text})
        for link in links:
            assert [await link.receive_str() for _ in texts] == texts
        ledger = await node.ledger()
        assert ledger["events"] == {"in": 20, "routed": 20, "no_subscriber": 0, "rejected": {}}
        assert ledger["clients"] == 0

    async def test_notices_are_not_for_these_links(
        self, node: Running, dialler: Dialler, producer: RedisChannelLayer
    ) -> None:
        link = await dialler.dial(node, "broadcast")
        await has_joined_backplane(producer)
        browser = await dialler.subscribe(node, job_events=[42])
        await producer.group_send("broadcast-group_send", {"type": "internal.message", "text": "after"})
        assert await link.receive_str() == "after"
        await browser.close()

    async def test_group_is_left_with_the_last_link(
        self, node: Running, dialler: Dialler, producer: RedisChannelLayer
    ) -> None:
        link = await dialler.dial(node, "broadcast")
        await has_joined_backplane(producer)
        await link.close()
        await eventually(lambda: producer.connection(0).exists(BACKPLANE_KEY), 0)


class TestBadFrames:
    @pytest.mark.parametrize(
        "text",
        [
            "no json",
            "",
            "[]",
            '{"group": "job_events-42"}',
            '{"group": "job_events-42", "message": "of the other era"}',
            '{"group": 1, "message": {"type": "internal.message", "text": "x"}}',
            '{"group": "job_events-42", "message": {"type": "internal.message"}}',
            '{"group": "job_events-42", "message": {"type": "internal.message", "text": "\\ud800"}}',
        ],
    )
    async def test_frame_that_is_not_the_wires_closes_the_link_with_1007(
        self, node: Running, dialler: Dialler, text: str
    ) -> None:
        browser = await dialler.subscribe(node, job_events=[42])
        link = await dialler.dial(node)
        await link.send_str(relayed("job_events-42", "before"))
        await link.send_str(text)
        assert await receive_close(link) == 1007
        assert await browser.receive_str() == "before"
        (peer,) = await node.peers()
        assert peer["last_error"] == "it sent a frame that is not the wire's"

    @pytest.mark.parametrize("era", ["relay", "broadcast"])
    async def test_binary_frame_closes_the_link_with_1003(self, node: Running, dialler: Dialler, era: str) -> None:
        link = await dialler.dial(node, era)
        await link.send_bytes(b"{}")
        assert await receive_close(link) == 1003

    async def test_limit_is_the_backplanes_own(self, start_node: StartNode, dialler: Dialler) -> None:
        node = await start_node(backplane_max_message_size=2_000_000, websocket_max_message_size=1_000)
        browser = await dialler.subscribe(node, job_events=[42])
        link = await dialler.dial(node)
        frame = relayed("job_events-42", "")
        text = "x" * (2_000_000 - len(frame))
        await link.send_str(relayed("job_events-42", text))
        assert await browser.receive_str() == text
        await link.send_str(relayed("job_events-42", text + "x"))
        assert await receive_close(link) == 1009


class TestNotices:
    async def test_link_is_told_what_is_wanted_and_then_every_change(self, node: Running, dialler: Dialler) -> None:
        first = await dialler.subscribe(node, job_events=[1], jobs=["status_changed"])
        link = await dialler.dial(node)
        snapshot = await link.receive_json()
        speaker = snapshot["origin_channel"]
        groups = ["job_events-1", "jobs-status_changed"]
        assert snapshot == {"type": "consumer.subscribe", "groups": groups, "origin_channel": speaker}
        second = await dialler.subscribe(node, job_events=[2])
        text = await link.receive_str()
        assert text == f'{{"type": "consumer.subscribe", "groups": ["job_events-2"], "origin_channel": "{speaker}"}}'
        await second.close()
        text = await link.receive_str()
        assert text == f'{{"type": "consumer.unsubscribe", "groups": ["job_events-2"], "origin_channel": "{speaker}"}}'
        await first.close()
        assert set((await link.receive_json())["groups"]) == set(groups)

    async def test_second_browser_in_a_group_changes_nothing(self, node: Running, dialler: Dialler) -> None:
        first = await dialler.subscribe(node, job_events=[1])
        link = await dialler.dial(node)
        assert (await link.receive_json())["groups"] == ["job_events-1"]
        second = await dialler.subscribe(node, job_events=[1])
        await first.close()
        third = await dialler.subscribe(node, job_events=[3])
        assert (await link.receive_json())["groups"] == ["job_events-3"]
        await second.close()
        await third.close()

    async def test_links_of_another_process_on_this_redis_hear_of_all(
        self, start_node: StartNode, dialler: Dialler
    ) -> None:
        one, other = await start_node(), await start_node()
        before = await dialler.subscribe(one, job_events=[1])
        link = await dialler.dial(other)
        snapshots = [await link.receive_json() for _ in range(2)]
        assert sorted(snapshot["groups"] for snapshot in snapshots) == [[], ["job_events-1"]]
        assert len({snapshot["origin_channel"] for snapshot in snapshots}) == 2
        after = await dialler.subscribe(one, job_events=[2])
        assert (await link.receive_json())["groups"] == ["job_events-2"]
        await one.stop()
        heard = await link.receive_json()
        assert heard["type"] == "consumer.unsubscribe"
        assert set(heard["groups"]) <= {"job_events-1", "job_events-2"}
        await before.close()
        await after.close()

    async def test_stock_consumers_notices_are_passed_on(
        self, node: Running, dialler: Dialler, producer: RedisChannelLayer
    ) -> None:
        link = await dialler.dial(node)
        assert (await link.receive_json())["groups"] == []
        notice = {"type": "consumer.subscribe", "groups": ["job_events-9"], "origin_channel": "specific.x!y"}
        await producer.group_send("broadcast-group_send", notice)
        assert await link.receive_json() == notice
        assert (await node.figure("events"))["in"] == 0

    async def test_all_is_announced_again_when_redis_has_forgotten(
        self, node: Running, dialler: Dialler, redis_server: RedisServer
    ) -> None:
        browser = await dialler.subscribe(node, job_events=[1])
        link = await dialler.dial(node)
        assert (await link.receive_json())["groups"] == ["job_events-1"]
        redis_server.kill()
        redis_server.start()
        async with asyncio.timeout(20):
            while (await link.receive_json())["groups"] != ["job_events-1"]:
                pass
        await browser.close()


class TestSlowNode:
    async def test_node_that_missed_a_notice_is_closed_to_be_told_all_again(
        self, start_node: StartNode, dialler: Dialler, producer: RedisChannelLayer
    ) -> None:
        node = await start_node(queue_frames=8, send_buffer=4096)
        lines = [f"{name}: {value}" for name, value in sign().items()]
        address = node.sock.getsockname()
        slow = await RawBrowser.open(address, *lines, path="/websocket/relay/", receive_buffer=4096)
        await has_joined_backplane(producer)
        groups = [f"job_events-{number}" for number in range(2_000)]
        for _ in range(20):
            notice = {"type": "consumer.subscribe", "groups": groups, "origin_channel": "specific.x!y"}
            await producer.group_send("broadcast-group_send", notice)
        await eventually(lambda: node.peer("last_error"), "it did not keep up and missed notices of subscriptions")
        again = await dialler.dial(node)
        assert (await again.receive_json())["type"] == "consumer.subscribe"
        await again.close()
        await slow.close()


class TestFromOneProcessToTheNext:
    async def test_node_that_was_not_told_of_all_is_told_again(self, start_node: StartNode, dialler: Dialler) -> None:
        node, other = await start_node(), await start_node()
        browser = await dialler.subscribe(other, job_events=[1])
        link = await dialler.dial(node)
        assert len([await link.receive_json() for _ in range(2)]) == 2
        relay = node.control.relay
        (connection,) = relay._server.websockets
        frozen = connection.session.freeze()
        assert (frozen["era"], frozen["told"], frozen["frames"]) == ("relay", True, [])
        session = relay._feed.nodes.begin_again(frozen)
        session.resume(connection, {**frozen, "told": False, "frames": [relayed("job_events-1", "held")]})
        assert await browser.receive_str() == "held"
        again = [await link.receive_json() for _ in range(2)]
        assert sorted(notice["groups"] for notice in again) == [[], ["job_events-1"]]
        await browser.close()
