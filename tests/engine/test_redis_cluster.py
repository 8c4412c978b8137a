"""The carrier over a real cluster of six servers that stays whole."""

import asyncio
import logging
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest
from awxfast.engine.cluster_map import find_slot
from awxfast.engine.redis_cluster import MOST_BYTES
from carrier_traffic import Traffic, until
from certificates import SelfSigned
from engine.cluster_traffic import CHANNELS, RIGHTS, carrying, two_nodes
from redis_cluster import RedisCluster
from redis_servers import HANG, RedisServer, free_port


class TestWhileAllIsWell:
    async def test_each_message_comes_once_and_in_order(self, traffic: Traffic) -> None:
        for _ in range(20):
            traffic.send(20)
            await asyncio.sleep(0)
        await traffic.arrived()
        traffic.assert_in_order()
        assert traffic.count_missing() == {}
        assert not traffic.sent.lost
        assert not traffic.heard.cut

    async def test_figures_count_what_was_carried(self, traffic: Traffic) -> None:
        traffic.send(3)
        await traffic.arrived()
        await until(lambda: traffic.sender.figures().published == traffic.count * len(CHANNELS), "not all are answered")
        figures = traffic.sender.figures()
        assert (figures.up, figures.published_bytes, figures.queued, figures.queued_bytes) == (
            True,
            traffic.count * len(CHANNELS) * 100,
            0,
            0,
        )

    async def test_largest_message_arrives(self, traffic: Traffic) -> None:
        traffic.sender.publish(CHANNELS[0], bytes(MOST_BYTES), 1)
        await until(lambda: len(traffic.heard.messages) == 1, "it does not come")
        assert traffic.heard.messages == [(CHANNELS[0], bytes(MOST_BYTES))]

    async def test_nothing_is_heard_of_what_was_unsubscribed(self, cluster: RedisCluster) -> None:
        async with carrying(cluster.url) as (carrier, heard):
            await carrier.subscribe(CHANNELS)
            carrier.unsubscribe(CHANNELS[1:])
            for channel in reversed(CHANNELS):
                carrier.publish(channel, b"x", 1)
            await until(lambda: bool(heard.messages), "nothing comes")
            assert heard.messages == [(CHANNELS[0], b"x")]
            assert carrier.figures().subscribed == 1

    async def test_channels_can_be_wanted_again(self, cluster: RedisCluster) -> None:
        async with carrying(cluster.url) as (carrier, heard):
            for _ in range(3):
                await asyncio.wait_for(carrier.subscribe(CHANNELS), HANG)
                carrier.unsubscribe(CHANNELS)
            await asyncio.wait_for(carrier.subscribe(CHANNELS), HANG)
            for channel in CHANNELS:
                carrier.publish(channel, b"x", 1)
            await until(lambda: len(heard.messages) == len(CHANNELS), "not all come")

    async def test_ten_thousand_channels(self, cluster: RedisCluster) -> None:
        async with carrying(cluster.url) as (carrier, _):
            await asyncio.wait_for(carrier.subscribe([f"a:{number}" for number in range(10_000)]), HANG)
            assert carrier.figures().subscribed == 10_000


class TestShortTroubles:
    async def test_short_freeze_loses_nothing(self, cluster: RedisCluster, traffic: Traffic) -> None:
        async with traffic.flowing():
            await traffic.all_channels_flow()
            cluster.nodes[0].freeze()
            await asyncio.sleep(0.3)
            cluster.nodes[0].thaw()
            await traffic.all_channels_flow()
        await traffic.arrived()
        traffic.assert_in_order()
        traffic.assert_losses_told()
        if not traffic.heard.cut:  # on a busy machine a short freeze may seem a long one
            assert traffic.count_missing() == {}

    async def test_subscriptions_come_back(self, cluster: RedisCluster, traffic: Traffic) -> None:
        async with traffic.flowing():
            await traffic.all_channels_flow()
            for _ in range(3):
                for node in cluster.nodes[:3]:
                    node.ask("CLIENT", "KILL", "TYPE", "PUBSUB")
                await until(lambda: bool(traffic.heard.cut), "it is not told")
                await traffic.all_channels_flow()
        await traffic.arrived()
        traffic.assert_in_order()
        traffic.assert_losses_told()
        assert set(traffic.heard.cut) == set(CHANNELS)

    async def test_what_was_on_its_way_out_is_told(self, cluster: RedisCluster, traffic: Traffic) -> None:
        async with traffic.flowing(0.001):
            await traffic.all_channels_flow()
            for _ in range(5):
                for node in cluster.nodes[:3]:
                    node.ask("CLIENT", "KILL", "TYPE", "NORMAL")
                await traffic.all_channels_flow()
        await traffic.arrived()
        traffic.assert_in_order()
        traffic.assert_losses_told()
        assert traffic.sender.figures().reconnects > 0


class TestSlotsThatMove:
    async def test_messages_follow(self, cluster: RedisCluster, traffic: Traffic) -> None:
        async with traffic.flowing(0.002):
            await traffic.all_channels_flow()
            for node in (*cluster.nodes[:3], cluster.nodes[0]):
                for slot in {find_slot(channel.encode()) for channel in CHANNELS[::2]}:
                    await asyncio.to_thread(cluster.move_slot, slot, node)
                await traffic.all_channels_flow()
        await traffic.arrived()
        traffic.assert_in_order()
        traffic.assert_losses_told()
        if not traffic.sender.figures().reconnects:  # on a busy machine a server may seem to be frozen
            assert not traffic.sent.lost


class TestPrefix:
    @pytest.mark.parametrize(("query", "said"), [("", "connected"), ("?prefix=site", "connected, prefix site")])
    async def test_log_names_one_that_others_may_not_have(
        self, cluster: RedisCluster, caplog: pytest.LogCaptureFixture, query: str, said: str
    ) -> None:
        caplog.set_level(logging.INFO)
        async with carrying(f"{cluster.url}{query}") as (carrier, _):
            await until(lambda: f"{carrier.address}: {said}" in " ".join(caplog.messages), "it is not told")
        assert caplog.messages[-1].endswith(f": {said}")


class TestBeforeThereIsACluster:
    async def test_log_says_it_once_without_the_password(self, caplog: pytest.LogCaptureFixture) -> None:
        ports = free_port(), free_port()
        servers = ",".join(f"127.0.0.1:{port}" for port in ports)
        async with carrying(f"redis-cluster://relay:secret@{servers}") as (carrier, _):
            await until(lambda: "refused" in caplog.text, "it is not told")
            await asyncio.sleep(2)
            assert not carrier.needs_change
        (line,) = caplog.messages
        assert line.startswith(f"engine: redis-cluster at {servers}: Redis at redis-cluster://127.0.0.1:")
        assert line.endswith(": connection refused (is Redis running?); trying again")
        assert "secret" not in caplog.text

    async def test_server_without_tls_is_told_with_the_scheme(self, start_redis: Callable[..., RedisServer]) -> None:
        port = free_port()
        start_redis("--port", str(port), url=f"redis://127.0.0.1:{port}")
        async with carrying(f"rediss-cluster://127.0.0.1:{port}?ssl_cert_reqs=none") as (carrier, _):
            await until(lambda: "if not, redis-cluster://)" in carrier.trouble, carrier.trouble)

    async def test_what_is_wanted_is_had_once_it_is_there(self) -> None:
        async with carrying(f"redis-cluster://127.0.0.1:{free_port()}") as (carrier, _):
            wanting = asyncio.create_task(carrier.subscribe(CHANNELS))
            await until(lambda: "refused" in carrier.trouble, "the trouble is not told")
            assert not carrier.up
            wanting.cancel()

    async def test_queue_is_bounded(self) -> None:
        async with carrying(f"redis-cluster://127.0.0.1:{free_port()}") as (carrier, hearing):
            for number in range(10_500):
                carrier.publish(f"a:{number % 50}", b"x", 2)
            assert carrier.figures().queued == 10_000
            assert hearing.lost == {"queue_full": 1_000}
        assert hearing.lost == {"queue_full": 1_000, "stopped": 20_000}

    async def test_server_without_cluster_is_told(self, start_redis: Callable[..., RedisServer]) -> None:
        port = free_port()
        start_redis("--port", str(port), url=f"redis://127.0.0.1:{port}")
        async with carrying(f"redis-cluster://127.0.0.1:{port}") as (carrier, _):
            told = "cluster support disabled: it is no Redis Cluster"
            await until(lambda: carrier.trouble.endswith(told), carrier.trouble)
            assert carrier.needs_change


class TestWaysIn:
    @pytest.fixture
    def guarded(self, cluster: RedisCluster) -> Iterator[RedisCluster]:
        """Nobody else may use a channel."""
        for node in cluster.nodes:
            node.ask("ACL", "SETUSER", "relay", "on", ">a/b@c", "resetchannels", "&awxfast:*", *RIGHTS)
            node.ask("ACL", "SETUSER", "default", "resetchannels")
        yield cluster
        for node in cluster.nodes:
            node.ask("ACL", "SETUSER", "default", "allchannels")

    async def test_user_and_password(self, guarded: RedisCluster) -> None:
        async with two_nodes(f"redis-cluster://relay:a%2Fb%40c@{guarded.servers}") as traffic:
            await traffic.arrived()
            traffic.sender.publish("other:channel", b"x", 3)
            await until(lambda: traffic.sent.lost == {"refused": 3}, "the refusal is not told")

    async def test_wrong_password_is_told_without_it(self, guarded: RedisCluster) -> None:
        async with carrying(f"redis-cluster://relay:secret@{guarded.servers}") as (carrier, _):
            await until(lambda: "WRONGPASS" in carrier.trouble, "the refusal is not told")
            assert carrier.needs_change
            assert "secret" not in carrier.trouble

    async def test_tls_with_a_certificate_of_ours(self, tmp_path: Path) -> None:
        certificate, key = SelfSigned(tmp_path).files
        running = RedisCluster(
            None,
            *("--tls-cert-file", certificate, "--tls-key-file", key, "--tls-ca-cert-file", certificate),
            *("--tls-auth-clients", "yes"),
            tls=True,
        )
        try:
            query = f"ssl_ca_certs={certificate}"
            ours = f"&ssl_certfile={certificate}&ssl_keyfile={key}"
            async with two_nodes(f"rediss-cluster://{running.servers}?{query}{ours}") as traffic:
                await traffic.arrived()
            async with carrying(f"rediss-cluster://{running.servers}?{query}") as (carrier, _):
                await until(lambda: "certificate" in carrier.trouble, "the refusal is not told")
        finally:
            running.close()
