"""The carrier over real clusters of six servers, some of which go away."""

import asyncio
from collections.abc import Callable, Iterator

import pytest
from awxfast.engine.cluster_map import find_slot
from carrier_traffic import Traffic, until
from engine.cluster_traffic import CHANNELS, two_nodes
from redis_cluster import ClusterNode, RedisCluster
from redis_servers import HANG, binary_of


@pytest.fixture
def cluster(own_cluster: RedisCluster) -> RedisCluster:
    return own_cluster


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
