"""What peers send: to sockets at once, on to other members in Redis, metrics into keys."""

import json
from collections.abc import Sequence

import pytest
from awxfast.intake.caught_up import CaughtUp
from awxfast.nodes.ingest import Ingest
from awxfast.nodes.takers import RelayedEvent
from channels_redis.core import RedisChannelLayer
from node_server import Dialler, eventually, relayed
from running import Running
from serving import until


class TestRelayedEvents:
    async def test_browser_gets_them_in_order(self, node: Running, dialler: Dialler) -> None:
        browser = await dialler.subscribe(node, job_events=[42])
        link = await dialler.dial(node)
        texts = [f'{{"id": {number}, "stdout": "\\u001b[0m é"}}' for number in range(300)]
        for text in texts:
            await link.send_str(relayed("job_events-42", text))
        assert [await browser.receive_str() for _ in texts] == texts
        ledger = await node.ledger()
        assert ledger["events"] == {"in": 300, "routed": 300, "no_subscriber": 0, "rejected": {}}
        assert ledger["balance"] == {"events": 0, "frames": 0}

    async def test_other_members_in_redis_get_them_once(
        self, node: Running, dialler: Dialler, producer: RedisChannelLayer
    ) -> None:
        channel = await producer.new_channel()
        await producer.group_add("job_events-42", channel)
        browser = await dialler.subscribe(node, job_events=[42])
        link = await dialler.dial(node)
        for text in ("one", "two"):
            await link.send_str(relayed("job_events-42", text))
            assert await browser.receive_str() == text
            assert await producer.receive(channel) == {"type": "internal.message", "text": text}
        assert (await node.figure("events"))["in"] == 2

    async def test_event_that_only_another_process_wants_is_routed(
        self, node: Running, dialler: Dialler, producer: RedisChannelLayer
    ) -> None:
        channel = await producer.new_channel()
        await producer.group_add("job_events-7", channel)
        link = await dialler.dial(node)
        await link.send_str(relayed("job_events-7", "for it"))
        await link.send_str(relayed("job_events-8", "for nobody"))
        assert (await producer.receive(channel))["text"] == "for it"
        wanted = {"in": 2, "routed": 1, "no_subscriber": 1, "rejected": {}}
        await eventually(lambda: node.figure("events"), wanted)

    @pytest.mark.parametrize("group", ["broadcast-group_send", "no group", "", "x" * 100])
    async def test_group_that_is_none_or_the_backplanes_is_rejected(
        self, node: Running, dialler: Dialler, group: str
    ) -> None:
        browser = await dialler.subscribe(node, job_events=[42])
        link = await dialler.dial(node)
        await link.send_str(relayed(group, "never"))
        await link.send_str(relayed("job_events-42", "after"))
        assert await browser.receive_str() == "after"
        assert (await node.figure("events"))["rejected"] == {"group": 1}

    async def test_other_types_are_not_let_through(self, node: Running, dialler: Dialler) -> None:
        browser = await dialler.subscribe(node, job_events=[42])
        link = await dialler.dial(node)
        await link.send_json({"group": "job_events-42", "message": {"type": "websocket.close", "code": 1000}})
        await link.send_str(relayed("job_events-42", "after"))
        assert await browser.receive_str() == "after"
        assert (await node.figure("events"))["rejected"] == {"unknown_type": 1}


class TestMetrics:
    @pytest.mark.parametrize(
        ("more", "key"),
        [
            ({}, "awx_metrics_instance_node-1"),
            ({"metrics_namespace": "dispatcher"}, "awx_metrics-dispatcher_instance_node-1"),
        ],
    )
    async def test_they_are_stored_and_are_no_events(
        self, node: Running, dialler: Dialler, producer: RedisChannelLayer, more: dict[str, str], key: str
    ) -> None:
        link = await dialler.dial(node)
        text = json.dumps({"instance": "node-1", "metrics": '{"a": 1}', **more})
        await link.send_str(relayed("metrics", text))
        await eventually(lambda: producer.connection(0).get(key), b'{"a": 1}')
        assert await producer.connection(0).ttl(key) == -1
        assert (await node.figure("events"))["in"] == 0

    @pytest.mark.parametrize("text", ["no json", '{"instance": "a b", "metrics": "{}"}', '{"instance": "a"}'])
    async def test_those_that_are_not_awxs_are_counted(self, node: Running, dialler: Dialler, text: str) -> None:
        link = await dialler.dial(node)
        await link.send_str(relayed("metrics", text))
        await eventually(lambda: node.figure("gaps"), {"peer_metrics": {"times": 1, "at_most": 0}})


class Takers:
    """A fan-out and what is behind it, as slow as the test says."""

    def __init__(self) -> None:
        self.is_busy = self.is_full = False
        self.offered: list[tuple[str, bytes, bool]] = []

    def publish_relayed(self, payloads: list[bytes]) -> tuple[bool, list[str], list[RelayedEvent]]:
        return False, [], [("a", payload, False, None) for payload in payloads]

    def wait_time(self) -> float:
        return 0.001 * self.is_busy

    def count_gap(self, reason: str, at_most: int) -> None:
        raise AssertionError(reason)

    def offer(self, events: Sequence[tuple[str, bytes, bool]]) -> None:
        self.offered += events

    def store(self, key: str, value: str) -> None:
        raise AssertionError(key)


class Source:
    """A link that may be told to wait."""

    def __init__(self) -> None:
        self.is_reading = True

    def pause_reading(self) -> None:
        self.is_reading = False

    def resume_reading(self) -> None:
        self.is_reading = True


class TestHoldingBack:
    @pytest.mark.parametrize("slow", ["is_busy", "is_full"])
    async def test_links_wait_until_all_have_caught_up(self, slow: str) -> None:
        takers, sources, caught_up = Takers(), [Source(), Source(), Source()], CaughtUp()
        ingest = Ingest(takers, takers, None, caught_up)
        setattr(takers, slow, True)
        for source in sources[:2]:
            assert ingest.receive([b"x"], source)
        assert [source.is_reading for source in sources] == [False, False, True]
        ingest.forget(sources[1])
        setattr(takers, slow, False)
        caught_up.tell()
        await until(lambda: sources[0].is_reading)
        assert not sources[1].is_reading
        assert len(takers.offered) == 2

    async def test_nobody_waits_for_takers_that_keep_up(self) -> None:
        takers, source = Takers(), Source()
        assert Ingest(takers, takers, None, CaughtUp()).receive([b"x"], source)
        assert source.is_reading
