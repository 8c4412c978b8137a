"""All nodes that dial this one: their endpoint, what they send, and what operators see of them."""

import dataclasses
import logging
import os
from collections.abc import Awaitable, Callable, Mapping, Sequence
from typing import Any

from awxfast._rust import Fanout, LinkFigures
from awxfast.engine.arrivals import ConsumerTaker
from awxfast.errors import ConfigurationError
from awxfast.figures import GonePeers, PeerFigures
from awxfast.intake.announcements import SPEAKER
from awxfast.intake.event_intake import EventIntake
from awxfast.nodes.endpoint import ClosedEndpoint, NodeEndpoint
from awxfast.nodes.engine_feed import EngineFeed, NoEngine
from awxfast.nodes.ingest import Ingest
from awxfast.nodes.link import LinkSession
from awxfast.nodes.onward import Onward
from awxfast.nodes.peers import Peer
from awxfast.nodes.plan import NodePlan
from awxfast.printable import LINE, escape
from awxfast.sockets.clients import Clients
from awxfast.sockets.node_seat import NodeSeat
from awxfast.wire.secret_sources import find_secrets

log = logging.getLogger(__name__)


def build_mesh(
    plan: NodePlan,
    fanout: Fanout,
    intake: EventIntake,
    consumers: ConsumerTaker | None,
    engine: EngineFeed | NoEngine | None = None,
) -> "Nodes | NoNodes":
    """Whoever answers. `consumers`: those of an application. `engine`: what brings other nodes' events as well."""
    if plan.answers != "native":
        return NoNodes(plan)
    return Nodes(plan, fanout, intake, consumers, engine or NoEngine())


class NoNodes:
    """Nodes are refused, or the application's affair: then `endpoint` is None."""

    def __init__(self, plan: NodePlan) -> None:
        self.endpoint = ClosedEndpoint(plan.paths) if plan.answers == "off" else None
        self.has_secret = bool(plan.secrets)
        self.gone = GonePeers()

    def start(self) -> None:
        """There is nothing to start."""

    async def stop(self) -> None:
        """There is nothing to stop."""

    def reload(self) -> None:
        """Nobody's secret is checked here."""

    def share_used_headers(self, used: Sequence[str], report: Callable[[str], None]) -> None:
        """Nobody's header is looked at here."""

    def claim_headers_by(self, claim: Callable[[str], Awaitable[bool]]) -> None:
        """Nor for other processes."""

    async def rest(self) -> None:
        """There is nothing that could be on its way."""

    def end_rest(self) -> None:
        """There was nothing to hold back."""

    def freeze(self) -> None:
        """There is nothing to leave."""

    def inherit(self, frozen: Mapping[str, Any] | None) -> None:
        """There is nothing to go on with."""

    def take_seat(self, clients: Clients, frozen: Mapping[str, Any], figures: LinkFigures | None) -> Clients:
        """A node's link that the process before this one had is served like a browser's connection to its end."""
        return clients

    def begin_again(self, frozen: Mapping[str, Any]) -> LinkSession | None:
        """Nobody speaks over it any more."""

    def figures(self) -> Sequence[PeerFigures]:
        """Empty: no node is answered here."""
        return []


class Nodes:
    """The server's end of all links."""

    def __init__(
        self,
        plan: NodePlan,
        fanout: Fanout,
        intake: EventIntake,
        consumers: ConsumerTaker | None,
        engine: EngineFeed | NoEngine,
    ) -> None:
        settings = plan.settings
        group = plan.application.group
        fanout.set_backplane(group, [part.names.non_local for part in intake.parts], SPEAKER)
        self._plan = plan
        hosts = [(part.address, part.outages, part.names.non_local) for part in intake.parts]
        tell, is_joined = intake.caught_up.tell, intake.parts[0].groups.has_joined
        self._onward = Onward(settings, intake.entry_format, hosts, fanout, tell, is_joined)
        self._ingest = Ingest(fanout, self._onward, consumers, intake.caught_up)
        self.endpoint = NodeEndpoint(
            plan.paths,
            group=group,
            backplane=intake,
            ingest=self._ingest,
            redis_name=lambda: intake.redis_name,
            engine=engine,
            max_message_size=settings.backplane_max_message_size,
            tolerance=settings.nonce_tolerance,
        )
        self.endpoint.gate = plan.make_gate()

    def start(self) -> None:
        """What nodes send is passed on from now on."""
        if self.endpoint.gate is not None:
            self._onward.start()

    async def stop(self) -> None:
        """No link is left."""
        self.endpoint.stop()
        self._ingest.stop()
        await self._onward.stop()

    def reload(self) -> None:
        """Reads the secrets again; links stay. Raises `ConfigurationError`."""
        plan = self._plan
        had_secrets = bool(plan.secrets)
        secrets = find_secrets(plan.settings.secret_files, os.environ, plan.application.secret)
        if bool(secrets) != had_secrets:
            raise ConfigurationError("--secret-file: from no secret to one, or back, takes a restart")
        self._plan = dataclasses.replace(plan, secrets=secrets)
        if self.endpoint.gate is not None:
            self.endpoint.gate.accept_secrets(secrets)

    def share_used_headers(self, used: Sequence[str], report: Callable[[str], None]) -> None:
        """What other processes of this server, before us and after us, must not accept a second time."""
        if self.endpoint.gate is not None:
            self.endpoint.gate.share_used(used, report)

    def claim_headers_by(self, claim: Callable[[str], Awaitable[bool]]) -> None:
        """What other processes of this server, beside us, must not accept a second time."""
        if self.endpoint.gate is not None:
            self.endpoint.gate.claim = claim

    # From one process to the next

    async def rest(self) -> None:
        """Returns when nothing that nodes sent is on its way to Redis; the rest stays here until `end_rest`."""
        await self._onward.rest()

    def end_rest(self) -> None:
        """What nodes sent is passed on again."""
        self._onward.end_rest()

    def freeze(self) -> dict[str, Any] | None:
        """What another process needs besides the links, as JSON has it; nothing changes here."""
        return {**self.endpoint.freeze(), "onward": self._onward.freeze()}

    def inherit(self, frozen: Mapping[str, Any] | None) -> None:
        """What `freeze` gave in the process before this one."""
        if frozen is not None:
            self.endpoint.inherit(frozen)
            self._onward.inherit(frozen["onward"])

    def take_seat(self, clients: Clients, frozen: Mapping[str, Any], figures: LinkFigures | None) -> NodeSeat:
        """The seat of a link which the process before this one had."""
        return self.endpoint.take_seat(clients, frozen, figures)

    def begin_again(self, frozen: Mapping[str, Any]) -> LinkSession | None:
        """Who spoke over it there, if it has not ended."""
        return self.endpoint.begin_again(frozen)

    # Figures

    @property
    def has_secret(self) -> bool:
        """Whether the nodes' shared secret is known."""
        return bool(self._plan.secrets)

    @property
    def gone(self) -> GonePeers:
        """What nodes that are shown no more had."""
        peers = self.endpoint.peers
        return GonePeers(peers.received, peers.sent, peers.lost)

    def figures(self) -> Sequence[PeerFigures]:
        """Every node that is linked, was a minute ago, or was refused although it has the secret."""
        return [describe_peer(peer) for peer in self.endpoint.peers]


def describe_peer(peer: Peer) -> PeerFigures:
    """What operators see of a node."""
    written = peer.written()
    return PeerFigures(
        host=escape(peer.host, LINE),
        state=peer.state,
        eras=peer.eras,
        links=peer.links,
        received=peer.received,
        received_bytes=peer.received_bytes,
        sent=written.frames,
        sent_bytes=written.bytes,
        queued=written.pending,
        lost=written.lost,
        clock_skew=peer.skew,
        old_secret=peer.old_secret,
        last_error=escape(peer.last_error),
    )
