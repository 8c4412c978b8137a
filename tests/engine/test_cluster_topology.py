"""How many servers of a cluster are connected to, and when."""

import asyncio
import itertools
from typing import Any

import pytest
from awxfast.engine import cluster_topology
from awxfast.engine.address import EngineAddress, HostPort
from awxfast.engine.cluster_map import SLOTS, ClusterView
from awxfast.engine.cluster_options import read_access
from awxfast.engine.cluster_topology import BEGIN_INTERVAL, LOOKS_UNNEEDED, ClusterTopology

MOST = 6


class Server:
    """One that goes when the test lets it."""

    may_go = asyncio.Event()
    commands = None
    reconnects = 0

    def __init__(self, *arguments: Any) -> None:
        self.begin = arguments[-1]

    async def retire(self) -> None:
        await self.may_go.wait()


@pytest.fixture
def topology(monkeypatch: pytest.MonkeyPatch) -> ClusterTopology:
    monkeypatch.setattr(cluster_topology, "MOST_SERVERS", MOST)
    monkeypatch.setattr(cluster_topology, "ClusterServer", Server)
    monkeypatch.setattr(Server, "may_go", asyncio.Event())
    address = EngineAddress.parse("redis-cluster://h:1")
    return ClusterTopology(read_access(address), address.servers, object(), lambda: None)  # type: ignore[arg-type]


def name(host: str, count: int) -> list[HostPort]:
    return [(host, port) for port in range(1, count + 1)]


def believe(topology: ClusterTopology, owners: list[HostPort]) -> None:
    told = tuple(owners[slot % len(owners)] for slot in range(SLOTS))
    topology._believe(ClusterView(1, told, frozenset(owners)))


def connect(topology: ClusterTopology, places: list[HostPort]) -> int:
    return sum(topology.server(where) is not None for where in places)


async def test_cluster_that_replaces_all_its_servers_gets_through_within_the_bound(topology: ClusterTopology) -> None:
    old, new = name("old", 4), name("new", 4)
    believe(topology, old)
    assert connect(topology, old) == 4
    for _ in range(LOOKS_UNNEEDED):
        believe(topology, new)
        assert connect(topology, new) == MOST - 4
    Server.may_go.set()
    for _ in range(3):
        await asyncio.sleep(0)
    assert connect(topology, new) == 4
    assert set(topology.servers) == set(new)


async def test_servers_that_others_merely_name_leave_room_for_owners(topology: ClusterTopology) -> None:
    believe(topology, name("owner", 4))
    assert [topology.admit(where) for where in name("named", 4)] == [True, True, False, False]
    assert connect(topology, name("owner", 4)) == 4


async def test_owner_that_another_server_names_is_let_in(topology: ClusterTopology) -> None:
    owners = name("owner", MOST)
    believe(topology, owners)
    assert connect(topology, owners[1:]) == MOST - 1
    assert topology.admit(owners[0]) and topology.admit(owners[1])


async def test_servers_that_are_named_at_once_are_connected_to_one_after_the_other(topology: ClusterTopology) -> None:
    servers: list[Any] = [topology.server(where) for where in name("owner", MOST)]
    begins = [server.begin for server in servers]
    assert all(later - earlier >= 0.99 * BEGIN_INTERVAL for earlier, later in itertools.pairwise(begins))
