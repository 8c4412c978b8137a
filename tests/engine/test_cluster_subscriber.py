"""Channels that are subscribed to in a cluster, without its servers."""

import asyncio
from collections.abc import Collection
from typing import Any

import pytest
from awxfast.engine.address import HostPort
from awxfast.engine.cluster_subscriber import TURN_CHANNELS, ClusterSubscriber
from carrier_traffic import Hearing

COUNT = 20


class Pushes:
    """A connection that notes what is asked for in each turn."""

    def __init__(self) -> None:
        self.asked: list[Collection[bytes]] = []
        self.listener: Any = None

    def begin(self, listener: Any) -> None:
        self.listener = listener

    def subscribe(self, keys: Collection[bytes]) -> None:
        self.asked.append(keys)

    def confirm_all(self) -> None:
        for keys in self.asked:
            for key in keys:
                self.listener.confirm(key)


class Server:
    """One whose connection that subscribes comes and goes as a test says."""

    def __init__(self, where: HostPort) -> None:
        self.where = where
        self.pushes: Pushes | None = None

    def want_pushes(self) -> Pushes | None:
        return self.pushes


class Topology:
    """So many servers, each with the slots of its number; counts how often an owner is looked for."""

    is_known = True

    def __init__(self, count: int) -> None:
        self.servers = {("h", number): Server(("h", number)) for number in range(count)}
        self.looked_for = 0

    def find_owner(self, slot: int) -> HostPort:
        self.looked_for += 1
        return ("h", slot % len(self.servers))

    def server(self, where: HostPort) -> Server:
        return self.servers[where]


class Cluster:
    """`subscriber` wants channels of it."""

    def __init__(self, count: int) -> None:
        self.topology: Any = Topology(count)
        self.subscriber = ClusterSubscriber(self.topology, Hearing(), lambda: None)

    async def want(self, channels: int) -> None:
        self._wanting = asyncio.create_task(self.subscriber.subscribe([f"group:{at}" for at in range(channels)]))
        await let_turns_pass()

    def come_up(self, server: Any) -> Pushes:
        server.pushes = Pushes()
        self.subscriber.pushes_up(server)
        return server.pushes  # type: ignore[no-any-return]

    def go_down(self, server: Any) -> None:
        server.pushes = None
        self.subscriber.pushes_down(server)


async def let_turns_pass() -> None:
    for _ in range(COUNT * 2):
        await asyncio.sleep(0)


async def test_server_that_comes_up_or_goes_costs_its_own_channels_only() -> None:
    cluster = Cluster(COUNT)
    await cluster.want(2_000)
    cluster.topology.looked_for = 0
    for server in cluster.topology.servers.values():
        cluster.come_up(server)
        await let_turns_pass()
    assert cluster.topology.looked_for == 2_000
    assert sum(len(keys) for server in cluster.topology.servers.values() for keys in server.pushes.asked) == 2_000
    for server in cluster.topology.servers.values():
        cluster.go_down(server)
    assert cluster.topology.looked_for == 4_000
    cluster.subscriber.clear()


async def test_many_channels_of_a_server_that_comes_up_are_asked_for_in_turns() -> None:
    cluster = Cluster(1)
    await cluster.want(5 * TURN_CHANNELS + 1)
    pushes = cluster.come_up(cluster.topology.servers["h", 0])
    await let_turns_pass()
    assert [len(keys) for keys in pushes.asked] == [*[TURN_CHANNELS] * 5, 1]
    pushes.confirm_all()
    assert cluster.subscriber.trouble == ""


async def test_channel_that_is_unwanted_before_its_turn_is_not_asked_for() -> None:
    cluster = Cluster(1)
    await cluster.want(2)
    pushes = cluster.come_up(cluster.topology.servers["h", 0])
    cluster.subscriber.unsubscribe(["group:0"])
    await let_turns_pass()
    assert pushes.asked == [[b"group:1"]]


@pytest.mark.parametrize("order", ["goes first", "comes first"])
async def test_channels_of_a_server_that_was_left_are_asked_for_in_its_next_life(order: str) -> None:
    cluster = Cluster(1)
    await cluster.want(1)
    old = cluster.topology.servers["h", 0]
    first = cluster.come_up(old)
    await let_turns_pass()
    first.confirm_all()
    assert cluster.subscriber.subscribed == 1
    new = cluster.topology.servers["h", 0] = Server(("h", 0))
    if order == "goes first":
        cluster.go_down(old)
        pushes = cluster.come_up(new)
    else:
        pushes = cluster.come_up(new)
        cluster.go_down(old)
    assert cluster.subscriber.subscribed == 0
    await let_turns_pass()
    pushes.confirm_all()
    assert cluster.subscriber.subscribed == 1
