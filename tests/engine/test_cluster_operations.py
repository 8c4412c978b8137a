"""What operators do to a cluster of Redis while events flow: failovers, limits, rights."""

import asyncio
import contextlib
from collections.abc import AsyncIterator

import pytest
import redis
from awxfast.engine.cluster_map import find_slot
from carrier_traffic import Traffic, until
from engine.cluster_traffic import CHANNELS, RIGHTS, two_nodes
from redis_cluster import ClusterNode, RedisCluster, is_whole

USER = ("on", ">secret", "resetchannels", "&awxfast:*", *RIGHTS)
SLOT = find_slot(CHANNELS[0].encode())


@contextlib.asynccontextmanager
async def flowing(cluster: RedisCluster, *, once: bool = True) -> AsyncIterator[Traffic]:
    """By a user who may do what is needed. At the end all flows again soon, and what is missing was told.

    `once`: nothing comes again. Between two servers that are both master for a moment the cluster passes on what one
    of them has brought already; whoever numbers what is in a message tells that by the number.
    """
    to_all(cluster, "ACL", "SETUSER", "awxfast", *USER)
    async with two_nodes(f"redis-cluster://awxfast:secret@{cluster.servers}") as traffic:
        async with traffic.flowing():
            await traffic.all_channels_flow()
            yield traffic
            async with asyncio.timeout(5):
                await traffic.all_channels_flow()
        await traffic.arrived()
        if once:
            traffic.assert_in_order()
        traffic.assert_losses_told()


def to_all(cluster: RedisCluster, *words: str) -> None:
    for node in cluster.nodes:
        node.ask(*words)


def master_and_replica(cluster: RedisCluster) -> tuple[ClusterNode, ClusterNode]:
    """Those of the first channel's slot."""
    cluster.wait_until(lambda: all(is_whole(node) for node in cluster.nodes), "it does not become whole")
    master = cluster.owner(SLOT)
    return master, next(node for node in cluster.nodes if node.ask("ROLE")[2] == master.port)


class TestLimits:
    async def test_server_that_lets_nobody_more_in_is_named(self, cluster: RedisCluster) -> None:
        async with flowing(cluster) as traffic:
            master, _ = await asyncio.to_thread(master_and_replica, cluster)
            with redis.Redis(port=master.port, single_connection_client=True) as operator:
                operator.config_set("maxclients", 1)
                await traffic.all_channels_flow()
                operator.execute_command("CLIENT", "KILL", "TYPE", "pubsub")
                await until(lambda: "max number of clients" in traffic.taker.trouble, "it is not named")
                operator.config_set("maxclients", 10_000)


class TestRights:
    async def test_channels_are_taken_away_and_given_back(self, cluster: RedisCluster) -> None:
        async with flowing(cluster) as traffic:
            to_all(cluster, "ACL", "SETUSER", "awxfast", "resetchannels")
            await until(lambda: bool(traffic.sent.lost) and not traffic.taker.up, "nobody notices")
            to_all(cluster, "ACL", "SETUSER", "awxfast", "&awxfast:*")

    async def test_user_is_deleted_and_made_again(self, cluster: RedisCluster) -> None:
        async with flowing(cluster) as traffic:
            to_all(cluster, "ACL", "DELUSER", "awxfast")
            await until(lambda: "WRONGPASS" in traffic.sender.trouble, "it is not named")
            assert "secret" not in traffic.sender.trouble
            to_all(cluster, "ACL", "SETUSER", "awxfast", *USER)

    async def test_password_is_changed_and_connections_stay(self, cluster: RedisCluster) -> None:
        async with flowing(cluster) as traffic:
            to_all(cluster, "ACL", "SETUSER", "awxfast", ">other", "<secret")
            await traffic.all_channels_flow()
            assert not traffic.heard.cut and not traffic.sent.lost
            to_all(cluster, "ACL", "SETUSER", "awxfast", ">secret")


class TestFailover:
    @pytest.mark.parametrize("how", ["", "FORCE", "TAKEOVER"])
    async def test_replica_takes_over_as_it_is_told(self, cluster: RedisCluster, how: str) -> None:
        async with flowing(cluster, once=not how) as traffic:
            _, replica = await asyncio.to_thread(master_and_replica, cluster)
            replica.ask("CLUSTER", "FAILOVER", *how.split())
            await asyncio.to_thread(cluster.wait_until, lambda: cluster.owner(SLOT) is replica, "it does not take over")
            async with asyncio.timeout(5):
                await traffic.all_channels_flow()
