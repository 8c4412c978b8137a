"""The paths on which other nodes dial in: `/websocket/broadcast/` and `/websocket/relay/`."""

import asyncio
import logging
import time
from collections.abc import Callable, Iterator, Mapping
from typing import Any

from awxfast._rust import LinkFigures
from awxfast.http.plain_answers import NOT_FOUND
from awxfast.intake.event_intake import EventIntake
from awxfast.nodes.engine_feed import EngineFeed, NoEngine
from awxfast.nodes.ingest import Ingest
from awxfast.nodes.link import LinkSession
from awxfast.nodes.peers import Peer, Peers
from awxfast.nodes.refusal_log import RefusalLog, name_reason
from awxfast.nodes.secret_gate import Gate, Verdict
from awxfast.sockets.clients import Clients
from awxfast.sockets.node_seat import NodeSeat
from awxfast.sockets.opening import Opening
from awxfast.wire.backplane import REDIS_HEADER
from awxfast.wire.engine_handshake import ENGINE_HEADER, read_offer
from awxfast.wire.handshake import UPGRADE_REQUIRED, Headers, Refusal
from awxfast.wire.paths import PathKind, Paths
from awxfast.wire.request import UNIX_SOCKET

log = logging.getLogger(__name__)

REFUSED = "This path is for the nodes of the cluster."
"""The same whatever is wrong."""
NO_ENGINE = Refusal(503, "access", "The engine was not there yet.", ((b"retry-after", b"1"),))
NO_REDIS = Refusal(503, "access", "Redis was not there yet.", ((b"retry-after", b"1"),))


class ClosedEndpoint:
    """Nobody answers nodes here."""

    plain = NOT_FOUND

    def __init__(self, paths: Paths) -> None:
        self._paths = paths

    def owns(self, path: str) -> bool:
        """Whether the path is for nodes."""
        return self._paths.is_for_nodes(path)

    def decide(self, opening: Opening) -> None:
        """As if there were no such path."""
        opening.refuse(NOT_FOUND)

    def sweep(self) -> Iterator[bool]:
        """There is nothing to look after."""
        yield from ()


class NodeEndpoint(ClosedEndpoint):
    """Decides about nodes' handshakes. Without a gate nobody is let in, since no secret is known.

    `redis_name` says which Redis this node uses, None before it was there: a link could carry nothing then, and its
    ends would not know whether they use the same.
    """

    plain = UPGRADE_REQUIRED

    def __init__(
        self,
        paths: Paths,
        *,
        group: str,
        backplane: EventIntake,
        ingest: Ingest,
        redis_name: Callable[[], str | None],
        engine: EngineFeed | NoEngine,
        max_message_size: int,
        tolerance: int,
        now: Callable[[], float] = time.monotonic,
    ) -> None:
        super().__init__(paths)
        self._group = group
        self._backplane = backplane
        self._ingest = ingest
        self._redis_name = redis_name
        self._engine = engine
        self._max_message_size = max_message_size
        self._log = RefusalLog(tolerance, now)
        self._relays: set[LinkSession] = set()
        self._asking: set[asyncio.Task[None]] = set()
        self.gate: Gate | None = None
        self.peers = Peers(now)

    def decide(self, opening: Opening) -> None:
        """At once: nothing but the header is looked at. Only other processes of this server may have to be asked."""
        request, gate = opening.request, self.gate
        host = request.client[0] if request.client else UNIX_SOCKET
        verdict = gate.check(request, host) if gate is not None else Verdict("no_secret")
        if gate is None or gate.claim is None or verdict.refused or verdict.repeated:
            self._answer(opening, host, verdict)
            return
        asking = asyncio.get_running_loop().create_task(self._ask_others(opening, host, gate, verdict))
        self._asking.add(asking)
        asking.add_done_callback(self._asking.discard)

    async def _ask_others(self, opening: Opening, host: str, gate: Gate, verdict: Verdict) -> None:
        self._answer(opening, host, await gate.check_others(opening.request, verdict))

    def stop(self) -> None:
        """Nobody is let in any more."""
        for asking in self._asking:
            asking.cancel()

    def _answer(self, opening: Opening, host: str, verdict: Verdict) -> None:
        if verdict.refused:
            self._refuse(opening, host, verdict)
        else:
            self._accept(opening, host, verdict)

    def _refuse(self, opening: Opening, host: str, verdict: Verdict) -> None:
        self._log.refuse(host, opening.request.path, verdict)
        if verdict.skew is not None and (peer := self.peers.find(host)) is not None:  # the secret is right
            peer.skew = verdict.skew
            peer.refuse(self._log.describe(verdict))
        opening.refuse(Refusal(403, name_reason(verdict), REFUSED), "")

    def _accept(self, opening: Opening, host: str, verdict: Verdict) -> None:
        if self._redis_name() is None:
            opening.refuse(NO_REDIS)
            return
        offer = read_offer(b",".join(opening.request.values(ENGINE_HEADER.encode())).decode("latin-1"))
        if offer is not None and self._engine.is_early_for(offer):
            opening.refuse(NO_ENGINE)
            return
        if verdict.first_from is not None:
            self._log.repeat(host, verdict)
        peer = self.peers.at(host)
        peer.skew = verdict.skew
        peer.old_secret = verdict.old_secret
        relays = self._paths.find(opening.request.path) is PathKind.RELAY
        taker = self._engine.name_for(offer) if offer is not None else None
        publisher = offer.publisher if relays and offer is not None and not taker else None
        session = self._begin(peer, PathKind.RELAY if relays else PathKind.BROADCAST, publisher)
        kind = "node_repeated" if verdict.repeated else "node"
        headers = [*self._name_redis(), *([(ENGINE_HEADER.encode(), taker.encode())] if taker else [])]
        opening.accept_node(session, kind, headers, notices=relays, max_message_size=self._max_message_size)

    def _begin(self, peer: Peer, era: PathKind, publisher: str | None) -> LinkSession:
        """`publisher`: who dials, if it sends here what it publishes in the engine as well, as in the relay era."""
        ingest = self._ingest if era is PathKind.RELAY else None
        session = LinkSession(peer, era.value, self._group, self._backplane, ingest, publisher, self._engine)
        if ingest is not None:
            self._relays.add(session)
        return session

    # From one process to the next

    def begin_again(self, frozen: Mapping[str, Any]) -> LinkSession:
        """The session of which `LinkSession.freeze` told in the process before this one; `resume` must follow."""
        return self._begin(self.peers.at(frozen["host"]), PathKind(frozen["era"]), frozen.get("publisher"))

    def take_seat(self, clients: Clients, frozen: Mapping[str, Any], figures: LinkFigures | None) -> NodeSeat:
        """The seat of which `NodeSeat.freeze` told in the process before this one."""
        return NodeSeat.take_over(clients, frozen, figures, self._max_message_size)

    def freeze(self) -> dict[str, Any]:
        """Who may link and who did, as JSON has it."""
        return {"gate": self.gate.freeze() if self.gate is not None else None, "peers": self.peers.freeze()}

    def inherit(self, frozen: Mapping[str, Any]) -> None:
        """What `freeze` gave in the process before this one."""
        self.peers.inherit(frozen["peers"])
        if self.gate is not None and frozen["gate"] is not None:
            self.gate.inherit(frozen["gate"])

    def _name_redis(self) -> Headers:
        name = self._redis_name()
        return [(REDIS_HEADER.encode(), name.encode())] if name else []

    def sweep(self) -> Iterator[bool]:
        """Forgets peers that are long gone, and restarts links that missed notices."""
        yield from self.peers.sweep()
        for session in list(self._relays):
            is_past = session.is_over or session.has_shed
            if is_past:
                self._relays.discard(session)
                session.restart()
            yield is_past
