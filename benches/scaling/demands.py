"""What a load takes of each part of a cluster, beside what that part has. Carriers are those of `workloads.clusters`.

What is assumed stands in `ASSUMPTIONS`, which `scale.py` prints.
"""

from collections.abc import Iterator
from dataclasses import dataclass

from workloads.clusters import MESH, NATS, REDIS_CLUSTER

from scaling.loads import Load
from scaling.unit_costs import CarrierCosts, UnitCosts

NODE_CORES = 8
ENGINE_CORES = 8
NETWORK = 1.25e9
"""Bytes a second: 10 Gbit/s, of a node and of an engine's server, each way."""
MEMORY = 16 * 2**30
MOST_PEERS = 1_000
REDIS_CLIENTS = 10_000
"""`maxclients` of a Redis that says nothing of it."""
NATS_CLIENTS = 65_536
DESCRIPTORS = 65_536
MOST_WHOS, MOST_PAIRS, MOST_GROUPS = 2_000, 2_000_000, 200_000
"""What a publisher remembers of who wants what through an engine; and different groups, which it joins."""
MOST_GROUPS_OF_A_PEER = 100_000
BEAT_S = 5.0
PING_S = 20.0
CONTROL_BYTES = 300
"""Of a want with one group, a beat."""
GROUP_BYTES = 24
"""Of each further group."""
GATHER_S, LONGEST_GATHER_S, MANY = 0.1, 0.5, 10
"""How long a server gathers changes before it tells them through an engine, and how many make that longer."""

ASSUMPTIONS = f"""\
- All nodes are alike. Producers, browsers and those that watch one event are spread over them evenly and by chance.
- Costs are those of one machine with everything on it; events of 4 KiB. What an event costs a process follows its rate:
  measured at 100, 1,000 and flat out, between these by the logarithm, past them as at the end.
- A mesh's sender pays for each node that wants an event (a line through 3 and 8 nodes), an engine's sender once. Who
  receives pays the same, whoever sent it; what a link brings also goes into its Redis. An engine's servers pay for each
  subscriber, NATS also for each route.
- A dialler, a server's loop and a master of Redis have one core, a server of NATS {ENGINE_CORES}, a node {NODE_CORES}
  and 16 GiB; nodes and engine's servers 10 Gbit/s each way. Groups spread evenly over masters, whose replicas get a
  copy of each event; the control channel has one master.
- A browser looks at one group and, after the time that it stays, at another. A node tells the others when it was the
  only one there: by a frame on each link for each change, or through an engine, to all that listen to the control
  channel, what it has gathered for {GATHER_S:g} to {LONGEST_GATHER_S:g} s. Who hears that pays for each group as for a
  message, the engine for each message and for {GROUP_BYTES} bytes of each further group.
- Idle links are pinged every {PING_S:g} s; who uses an engine says every {BEAT_S:g} s that it lives, and all hear it.
- Not in it: latency, bursts, failures, TLS, kernel buffers, joins of groups in a node's Redis, databases, nginx."""


MASTER, CONTROL = "a master's core: events", "the control channel's master"
NATS_EVENTS, NATS_WANTS = "a NATS server: events", "a NATS server: who wants what"
ENGINE_NETWORK = "an engine's server: network, out"
ENGINE_PARTS = frozenset({MASTER, CONTROL, NATS_EVENTS, NATS_WANTS, ENGINE_NETWORK})


@dataclass(frozen=True)
class Demand:
    """One part's: `used` of `limit`, in `unit`."""

    part: str
    used: float
    limit: float
    unit: str

    @property
    def share(self) -> float:
        return self.used / self.limit


def list_demands(costs: UnitCosts, carrier: str, load: Load) -> list[Demand]:
    """Of everything that can give way."""
    own = costs.carriers[carrier]
    sender = own.sender.at(load.sent, load.wanting) * load.sent
    receiver = own.receiver.at(load.received) * load.received
    redis = own.redis.at(load.events / load.nodes) * load.events / load.nodes
    told, telling = hear_everybody(costs, carrier, load), tell_links(own, carrier, load)
    browsers = max(0.0, load.frames - load.received) * costs.frame_us
    onward = own.onward.at(load.received) * load.received
    node = sender + receiver + redis + onward + told + telling + browsers
    return [
        Demand("a dialler's core: events", sender / 1e6, 1, "cores"),
        Demand("a dialler's core: who wants what", told / 1e6, 1, "cores"),
        Demand("a server's loop: events", receiver / 1e6, 1, "cores"),
        Demand("a server's loop: who wants what", telling / 1e6, 1, "cores"),
        Demand("a node's Redis", redis / 1e6, 1, "cores"),
        Demand("a node's cores, browsers and all", node / 1e6, NODE_CORES, "cores"),
        Demand("a node's network, out", node_bytes_out(carrier, load), NETWORK, "bytes/s"),
        Demand("a server's memory", server_memory(costs, load), MEMORY, "bytes"),
        Demand("a server's descriptors", 2 * load.browsers / load.nodes, DESCRIPTORS, "descriptors"),
        *(mesh_demands(costs, load) if carrier == MESH else engine_demands(costs, carrier, own, load)),
    ]


def first_to_give_way(costs: UnitCosts, carrier: str, load: Load) -> Demand:
    return max(list_demands(costs, carrier, load), key=lambda demand: demand.share)


def hear_everybody(costs: UnitCosts, carrier: str, load: Load) -> float:
    """CPU microseconds a second of whoever hears what all the others want, and that they live."""
    others = (load.nodes - 1) / load.nodes
    if carrier == MESH:
        return costs.notice_us * (load.changes * others + (load.nodes - 1) / PING_S)
    return costs.want_us * (load.changes * others + 2 * load.nodes / BEAT_S)


def tellings(load: Load) -> float:
    """Messages a second of all servers with what they want: fewer than the changes where these come close together."""
    changes = load.changes / load.nodes
    gathered = LONGEST_GATHER_S if changes * GATHER_S > MANY else GATHER_S
    return load.nodes * min(changes, 1 / gathered)


def tell_links(own: CarrierCosts, carrier: str, load: Load) -> float:
    """CPU microseconds a second of a server that tells each dialler by a frame, at what a link costs a sender."""
    if carrier != MESH:
        return 0.0
    changes = load.changes / load.nodes
    return changes * own.sender.at(changes, load.nodes - 1)


def mesh_demands(costs: UnitCosts, load: Load) -> Iterator[Demand]:
    links = load.nodes - 1
    yield Demand("peers of a dialler", links, MOST_PEERS, "links")
    yield Demand("groups of one peer", load.wanted_pairs / load.nodes, MOST_GROUPS_OF_A_PEER, "groups")
    yield Demand("a dialler's memory", costs.process_mib * 2**20 + links * costs.link_kib * 1024, MEMORY, "bytes")


def engine_demands(costs: UnitCosts, carrier: str, own: CarrierCosts, load: Load) -> Iterator[Demand]:
    """Each node is two of the engine's clients: the dialler and the server."""
    assert own.engine is not None
    clients, servers, published = 2 * load.nodes, load.engine_servers, load.events * load.wanted_elsewhere
    messages = tellings(load)
    control = (messages + clients / BEAT_S) * clients
    routes = min(servers - 1, load.wanting) if carrier == NATS else 0
    events = published * own.engine.at(published, load.wanting + routes) / servers / 1e6
    copies = published * (load.wanting + routes + (carrier == REDIS_CLUSTER)) / servers
    if carrier == REDIS_CLUSTER:
        yield Demand(MASTER, events, 1, "cores")
        yield Demand(CONTROL, control * costs.control_us / 1e6, 1, "cores")
        yield Demand("clients of a master", clients, REDIS_CLIENTS, "connections")
    else:
        yield Demand(NATS_EVENTS, events, ENGINE_CORES, "cores")
        yield Demand(NATS_WANTS, control * costs.control_us / servers / 1e6, ENGINE_CORES, "cores")
        yield Demand("clients of a NATS server", clients / servers, NATS_CLIENTS, "connections")
    bytes_told = control * CONTROL_BYTES + (load.changes - messages) * GROUP_BYTES * clients
    channel = bytes_told / (servers if carrier == NATS else 1)
    yield Demand(ENGINE_NETWORK, copies * load.size + channel, NETWORK, "bytes/s")
    yield Demand("who a publisher remembers", clients, MOST_WHOS, "clients")
    yield Demand("wants that a publisher remembers", load.wanted_pairs, MOST_PAIRS, "groups of nodes")
    yield Demand("groups that a publisher joins", load.groups, MOST_GROUPS, "groups")


def node_bytes_out(carrier: str, load: Load) -> float:
    """Copies to peers or one to the engine, and browsers' frames."""
    between = load.received if carrier == MESH else load.sent
    return (between + load.frames) * load.size


def server_memory(costs: UnitCosts, load: Load) -> float:
    return costs.process_mib * 2**20 + load.browsers / load.nodes * costs.browser_kib * 1024
