"""The dialler's figures in the shape of the server's, so that the admin listener, its metrics and tools serve both."""

import collections
import dataclasses
import time
from collections.abc import Callable, Mapping, Sequence
from typing import Any

from awxfast import __version__
from awxfast.broadcast.dialled_peer import DialledPeer
from awxfast.broadcast.dialler import Dialler
from awxfast.broadcast.link_counts import LinkCounts, add_counts
from awxfast.broadcast.link_taker import LinkTaker
from awxfast.broadcast.local_redis import GroupSender
from awxfast.engine.publisher import Publisher
from awxfast.figures import About, EngineFigures, GonePeers, IntakeFigures, PeerFigures, SlowClient
from awxfast.intake.event_intake import EventIntake, describe_intake
from awxfast.printable import LINE, escape


class DiallerFigures:
    """The figures of a running dialler, as `figures.Figures` asks for them.

    It has no browsers: frames are those to other nodes.
    """

    def __init__(
        self,
        dialler: Dialler,
        taker: LinkTaker,
        intake: EventIntake,
        sender: GroupSender,
        statistics_failures: Callable[[], int],
        engine: Publisher | None = None,
    ) -> None:
        self._dialler = dialler
        self._taker = taker
        self._intake = intake
        self._sender = sender
        self._statistics_failures = statistics_failures
        self._engine = engine
        self._former_events: Mapping[str, Any] = {"in": 0, "routed": 0, "no_subscriber": 0, "rejected": {}}
        self._former_encodings = 0
        self._began = time.monotonic()

    def freeze(self) -> dict[str, Any]:
        """What was counted up to now, for the process after this one."""
        return {"events": self._events(), "encodings": self._count_encodings(), "gaps": self._taker.gaps}

    def inherit(self, frozen: Mapping[str, Any]) -> None:
        """What `freeze` gave in the process before this one: it is counted on."""
        self._former_events = frozen["events"]
        self._former_encodings = frozen["encodings"]
        for reason, counts in frozen["gaps"].items():
            self._taker.gaps[reason] = collections.Counter(counts)

    def about(self) -> About:
        """It listens nowhere: it dials."""
        redis = ", ".join(str(part.address) for part in self._intake.parts)
        engine = self._engine.carrier.address.describe() if self._engine is not None else None
        return About(__version__, time.monotonic() - self._began, (), redis, engine)

    def ledger(self) -> Mapping[str, Any]:
        """Events from this node's Redis and from peers; one that still waits for Redis is not in yet."""
        peers = self._dialler.peers
        frames = self._frames(peers)
        events = self._events()
        done = events["routed"] + events["no_subscriber"] + sum(events["rejected"].values())
        gone = sum(frames["shed"].values()) + frames["lost_at_close"]
        return {
            "events": events,
            "frames": frames,
            "balance": {
                "events": events["in"] - done,
                "frames": frames["queued"] - frames["written"] - gone - frames["pending"],
            },
            "gaps": {reason: {**counts} for reason, counts in self._taker.gaps.items()},
            "clients": 0,
            "groups": len(self._dialler.joined),
        }

    def _events(self) -> dict[str, Any]:
        relayed, sender = self._taker.encoder.counts(), self._sender
        rejected = collections.Counter(relayed["rejected"])
        rejected.update(sender.dropped)
        too_large = self._taker.too_large
        rejected.update({"too_large": too_large} if too_large else {})
        former = self._former_events
        rejected.update(former["rejected"])
        return {
            "in": relayed["received"] + too_large + sender.received - sender.pending + former["in"],
            "routed": relayed["encoded"] + sender.written + former["routed"],
            "no_subscriber": relayed["not_for_relay"] + relayed["no_group"] + sender.unheard + former["no_subscriber"],
            "rejected": dict(rejected),
        }

    def _count_encodings(self) -> int:
        return self._former_encodings + int(self._taker.encoder.counts()["encoded"])

    def _frames(self, peers: Sequence[DialledPeer]) -> dict[str, Any]:
        total = LinkCounts()
        for counts in (self._dialler.total, *(peer.counts for peer in self._dialler.shown)):
            add_counts(total, counts)
        dropped = dict(total.dropped)
        lost = dropped.pop("link_lost", 0)
        pending = sum(peer.queued for peer in peers)
        return {
            "queued": total.queued,
            "written": total.sent,
            "shed": dropped,
            "lost_at_close": lost,
            "pending": pending,
        }

    def fanout(self) -> Mapping[str, Any]:
        """Encodings, and bytes that wait for peers; events have no age here."""
        return {
            "encodings": self._count_encodings(),
            "writes": sum(peer.counts.writes for peer in self._dialler.shown) + self._dialler.total.writes,
            "queued_bytes": self._sender.queued_bytes + sum(peer.queued_bytes for peer in self._dialler.peers),
            "reply_bytes": 0,
            "event_age": {"bounds": [], "counts": [0], "sum": 0.0, "odd": 0},
        }

    def intake(self) -> IntakeFigures | None:
        """Whether this node's Redis takes and gives events, and how much waits."""
        figures = describe_intake(self._intake)
        return dataclasses.replace(figures, redis_up=figures.redis_up and self._sender.up)

    def handshakes(self) -> Mapping[tuple[str, str], int]:
        """Dials, by how they ended."""
        return self._dialler.dials

    def closes(self) -> Mapping[tuple[str, str], int]:
        """Links that are gone are peers' states."""
        return {}

    def faults(self) -> Mapping[str, int]:
        """Empty: peers that do wrong are `command_errors`."""
        return {}

    def unserved(self) -> None:
        """None: the dialler has no browsers."""

    def command_errors(self) -> Mapping[str, int]:
        """Messages of peers that are not the wire's, and statistics that could not be written."""
        skipped: collections.Counter[str] = collections.Counter(self._dialler.total.skipped)
        for peer in self._dialler.shown:
            skipped.update(peer.counts.skipped)
        failures = self._statistics_failures()
        return {**skipped, "statistics": failures} if failures else dict(skipped)

    def max_clients(self) -> None:
        """None: the dialler has no browsers to bound."""

    def plain_connections(self) -> None:
        """None: nobody connects to a dialler."""

    def slow_clients(self) -> Sequence[SlowClient]:
        """Empty: the dialler has no browsers."""
        return []

    def peers(self) -> Sequence[PeerFigures]:
        """Each that is dialled, or was within the last minute."""
        dialled = set(self._dialler.peers)
        return [show_peer(peer, peer in dialled) for peer in self._dialler.shown]

    def gone_peers(self) -> GonePeers:
        """Those that are shown no more."""
        total = self._dialler.total
        return GonePeers(total.received, total.sent, total.dropped, total.no_room)

    def engine(self) -> EngineFigures | None:
        """What carries events in place of links, or beside them."""
        return self._engine.figures() if self._engine is not None else None

    def unready_reasons(self) -> Sequence[str]:
        """Peers that are away are no reason: they come and go."""
        engine = self._engine
        is_away = engine is not None and not engine.is_well
        away = [f"the engine {engine.carrier.address}: {engine.trouble}"] if engine is not None and is_away else []
        return [*self._list_reasons_of_redis(), *away]

    def _list_reasons_of_redis(self) -> list[str]:
        if self._intake.ready and self._sender.up:
            return []
        parts = self._intake.parts
        names = [f" at {part.address}" if len(parts) > 1 else "" for part in parts]
        troubles = [f"{name} {part.trouble}" for name, part in zip(names, parts, strict=True) if part.trouble]
        return [f"this node's Redis{trouble}" for trouble in troubles or [" does not answer"]]


def show_peer(peer: DialledPeer, dialled: bool) -> PeerFigures:
    """The figures of one peer."""
    counts = peer.counts
    return PeerFigures(
        host=escape(f"{peer.member.name}:{peer.member.port}", LINE),
        state=peer.state if dialled else "gone",
        eras=[peer.era.name.lower()],
        links=int(peer.up),
        received=counts.received,
        received_bytes=counts.received_bytes,
        sent=counts.sent,
        sent_bytes=counts.sent_bytes,
        queued=peer.queued,
        lost=counts.dropped,
        clock_skew=peer.clock_skew,
        old_secret=False,
        last_error=escape(peer.last_error),
        groups_waiting=peer.waiting,
        groups_refused=counts.no_room,
        silent=peer.is_silent,
    )
