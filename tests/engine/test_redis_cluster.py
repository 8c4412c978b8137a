"""The carrier over real clusters of six servers, and what happens to those."""

import asyncio
import contextlib
from collections.abc import AsyncIterator, Callable, Iterator
from pathlib import Path

import pytest
import pytest_asyncio
from awxfast.engine.address import EngineAddress
from awxfast.engine.cluster_map import find_slot
from awxfast.engine.redis_cluster import MOST_BYTES, RedisClusterCarrier
from carrier_traffic import Hearing, Traffic, until
from certificates import SelfSigned
from redis_cluster import ClusterNode, RedisCluster
from redis_servers import HANG, RedisServer, binary_of, free_port

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
        yield Traffic(sender, sent, heard, CHANNELS)


@pytest.fixture
def cluster() -> Iterator[RedisCluster]:
    """Of the installed Redis."""
    running = RedisCluster()
    yield running
    running.close()


@pytest_asyncio.fixture
async def traffic(cluster: RedisCluster) -> AsyncIterator[Traffic]:
    async with two_nodes(cluster.url) as traffic:
        yield traffic


@pytest.fixture(params=["8.2", "valkey"])
def other_cluster(request: pytest.FixtureRequest) -> Iterator[RedisCluster]:
    running = RedisCluster(binary_of(request.param))
    yield running
    running.close()


def channels_of(node: ClusterNode, cluster: RedisCluster) -> list[str]:
    return [channel for channel in CHANNELS if cluster.owner(find_slot(channel.encode())) is node]


async def wait_until(cluster: RedisCluster, holds: Callable[[], bool], what: str) -> None:
    await asyncio.to_thread(cluster.wait_until, holds, what)


async def wait_for_failover(cluster: RedisCluster, node: ClusterNode) -> None:
    await wait_until(cluster, lambda: cluster.owner(0) is not node, "no replica takes over")


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


class TestServersThatGoAway:
    async def test_messages_flow_again_when_a_master_is_killed(
        self,
        cluster: RedisCluster,
        traffic: Traffic,
    ) -> None:
        channels = channels_of(cluster.nodes[0], cluster)
        async with traffic.flowing():
            await traffic.all_channels_flow()
            cluster.nodes[0].kill()
            await wait_for_failover(cluster, cluster.nodes[0])
            async with asyncio.timeout(5):  # the issue of a failover is the cluster's; what follows is ours
                await traffic.all_channels_flow()
        await traffic.arrived()
        traffic.assert_in_order()
        traffic.assert_losses_told()
        assert set(channels) <= set(traffic.heard.cut)

    @pytest.mark.parametrize("end", [ClusterNode.kill, ClusterNode.freeze])
    async def test_traffic_goes_on_when_a_replica_goes_away(
        self, cluster: RedisCluster, traffic: Traffic, end: Callable[[ClusterNode], None]
    ) -> None:
        async with traffic.flowing():
            await traffic.all_channels_flow()
            end(cluster.nodes[4])
            await asyncio.sleep(2)
            await traffic.all_channels_flow()
        await traffic.arrived()
        traffic.assert_in_order()
        traffic.assert_losses_told()

    async def test_frozen_master_is_noticed_and_its_replica_taken(
        self,
        cluster: RedisCluster,
        traffic: Traffic,
    ) -> None:
        async with traffic.flowing():
            await traffic.all_channels_flow()
            cluster.nodes[0].freeze()
            await wait_for_failover(cluster, cluster.nodes[0])
            async with asyncio.timeout(5):
                await traffic.all_channels_flow()
            cluster.nodes[0].thaw()
            await wait_until(
                cluster, lambda: b"role:slave" in cluster.nodes[0].ask("INFO", "replication"), "it stays a master"
            )
            await traffic.all_channels_flow()
        await traffic.arrived()
        traffic.assert_in_order(late=sum(traffic.sent.lost.values()))
        traffic.assert_losses_told()

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

    async def test_all_masters_away_and_back(self, cluster: RedisCluster, traffic: Traffic) -> None:
        async with traffic.flowing(0.02):
            await traffic.all_channels_flow()
            for node in cluster.nodes[:3]:
                node.freeze()
            await until(lambda: not traffic.sender.up, "nobody notices")
            await asyncio.sleep(1)
            assert traffic.sender.trouble
            for node in cluster.nodes[:3]:
                node.thaw()
            async with asyncio.timeout(HANG):
                await traffic.all_channels_flow()
        await traffic.arrived()
        traffic.assert_in_order(late=sum(traffic.sent.lost.values()))
        traffic.assert_losses_told()
        assert traffic.sender.trouble == ""

    async def test_all_servers_killed_and_started_again(self, cluster: RedisCluster, traffic: Traffic) -> None:
        traffic.send(5)
        await traffic.arrived()
        for node in cluster.nodes:
            node.kill()
        await until(lambda: not traffic.sender.up, "nobody notices")
        traffic.send()  # waits
        for node in cluster.nodes:
            node.start()
        async with traffic.flowing():
            await traffic.all_channels_flow()
        await traffic.arrived()
        traffic.assert_in_order()
        traffic.assert_losses_told()


class TestConnectionsThatBreak:
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

    async def test_planned_failover(self, cluster: RedisCluster, traffic: Traffic) -> None:
        async with traffic.flowing():
            await traffic.all_channels_flow()
            cluster.nodes[3].ask("CLUSTER", "FAILOVER")
            await wait_for_failover(cluster, cluster.nodes[0])
            await traffic.all_channels_flow()
            await until(lambda: traffic.sender.up, "the sender does not come up")
        await traffic.arrived()
        traffic.assert_in_order()
        traffic.assert_losses_told()


class TestOtherServers:
    async def test_killed_master_and_moved_slot(self, other_cluster: RedisCluster) -> None:
        async with two_nodes(other_cluster.url) as traffic:
            async with traffic.flowing():
                await traffic.all_channels_flow()
                slot = find_slot(CHANNELS[0].encode())
                target = next(node for node in other_cluster.nodes[1:3] if node is not other_cluster.owner(slot))
                await asyncio.to_thread(other_cluster.move_slot, slot, target)
                await traffic.all_channels_flow()
                other_cluster.nodes[0].kill()
                await wait_for_failover(other_cluster, other_cluster.nodes[0])
                await traffic.all_channels_flow()
            await traffic.arrived()
            traffic.assert_in_order()
            traffic.assert_losses_told()


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
            await until(lambda: "cluster support disabled" in carrier.trouble, carrier.trouble)
            assert carrier.needs_change


class TestWaysIn:
    @pytest.fixture
    def guarded(self) -> Iterator[RedisCluster]:
        running = RedisCluster(None, "--user", "relay", "on", ">a/b@c", "resetchannels", "&awxfast:*", *RIGHTS)
        yield running
        running.close()

    async def test_user_and_password(self, guarded: RedisCluster) -> None:
        for node in guarded.nodes:
            node.ask("ACL", "SETUSER", "default", "resetkeys", "resetchannels", "+ping")
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
