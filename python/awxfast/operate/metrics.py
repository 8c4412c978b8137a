"""Prometheus metrics: the ledger and the rooms' counters under the names of docs/monitoring.md."""

import math
from collections.abc import Callable, Iterator, Mapping, Sequence
from typing import Any, TypeVar

from prometheus_client import CollectorRegistry, generate_latest
from prometheus_client.core import CounterMetricFamily, GaugeMetricFamily, HistogramMetricFamily, Metric
from prometheus_client.registry import Collector

from awxfast.figures import EngineFigures, GonePeers, PeerFigures, Place, ProcessFigures
from awxfast.operate.view import View

GONE = "gone"
"""Stands for all peers that are shown no more."""
Label = TypeVar("Label")
CONTENT_TYPE = "text/plain; version=0.0.4; charset=utf-8"


class ViewCollector(Collector):
    """All metrics of what was seen at one moment, so that what belongs together is taken together."""

    def __init__(self, view: View) -> None:
        self._figures = view.figures
        self._place = view.place
        self._are_several = bool(view.workers)

    def collect(self) -> Iterator[Metric]:
        """All of their names start with `awxfast_`."""
        figures, ledger = self._figures, self._figures.ledger()
        yield from collect_events(ledger["events"])
        yield from collect_frames(ledger["frames"])
        yield from collect_gaps(ledger["gaps"])
        yield labelled_gauge("awxfast_ledger_balance", "What does not add up; always 0.", "of", ledger["balance"])
        yield GaugeMetricFamily("awxfast_clients", "Browsers, until their socket is gone.", ledger["clients"])
        yield GaugeMetricFamily("awxfast_groups", "Groups that somebody is subscribed to.", ledger["groups"])
        yield from collect_fanout(figures.fanout())
        yield from self._collect_intake()
        yield labelled_pairs(
            "awxfast_handshakes", "Handshakes by result and reason.", ["result", "reason"], figures.handshakes()
        )
        yield labelled_pairs("awxfast_closes", "Websockets closed.", ["by", "code"], figures.closes())
        yield labelled_counter("awxfast_faults", "Closed for what they did wrong.", "reason", figures.faults())
        if (unserved := figures.unserved()) is not None:
            yield GaugeMetricFamily("awxfast_unserved_bytes", "Sent by browsers, and not served yet.", unserved)
        yield labelled_counter("awxfast_command_errors", "Error replies.", "reason", figures.command_errors())
        yield from collect_peers(figures.peers(), figures.gone_peers())
        if (engine := figures.engine()) is not None:
            yield from collect_engine(engine)
        yield from collect_place(self._place)
        if (most := figures.max_clients()) is not None:
            yield GaugeMetricFamily("awxfast_clients_limit", "Browsers that are let in.", most)
        if (plain := figures.plain_connections()) is not None:
            yield GaugeMetricFamily("awxfast_plain_connections", "Connections that are no websockets.", plain.open)
            yield GaugeMetricFamily("awxfast_unanswered_bytes", "Sent by clients without an answer.", plain.unanswered)
            yield labelled_counter("awxfast_plain_connections_ended", "Ended for want of places.", "what", plain.ended)
        yield labelled_counter(
            "awxfast_log_lines_dropped", "Lines whose reader was too slow.", "stream", figures.log_lines_dropped()
        )
        yield from collect_processes(figures.processes(), are_several=self._are_several)

    def _collect_intake(self) -> Iterator[Metric]:
        intake = self._figures.intake()
        if intake is None:
            return
        up = "awxfast_redis_up", "1 while Redis answers."
        depth = "awxfast_intake_depth", "Events waiting in Redis at the last look."
        if intake.hosts:
            yield labelled_gauge(*up, "redis", {address: int(host.up) for address, host in intake.hosts.items()})
            yield labelled_gauge(*depth, "redis", {address: host.depth for address, host in intake.hosts.items()})
        else:
            yield GaugeMetricFamily(*up, int(intake.redis_up))
            yield GaugeMetricFamily(*depth, intake.depth)
        yield CounterMetricFamily(
            "awxfast_registrations_repaired", "Registrations found missing and renewed.", intake.registrations_repaired
        )


def metrics_text(view: View) -> bytes:
    """All metrics in Prometheus' text format, apart from the global registry."""
    registry = CollectorRegistry(auto_describe=False)
    registry.register(ViewCollector(view))
    return generate_latest(registry)


LOST_BY_ENGINE = (
    "Dialler: events of its Redis that did not reach the engine, by reason. "
    "Server: events of other nodes that did not reach it (missed), or its browsers (behind)."
)


def collect_engine(engine: EngineFigures) -> Iterator[Metric]:
    """What carries events between nodes."""
    yield GaugeMetricFamily("awxfast_engine_up", "1 while the engine is connected and refuses nothing.", int(engine.up))
    for name, documentation, label, values in (
        ("awxfast_engine_events", "Events by result.", "result", engine.events),
        ("awxfast_engine_lost", LOST_BY_ENGINE, "reason", engine.lost),
        ("awxfast_engine_faults", "Messages that are not the wire's.", "reason", engine.faults),
        ("awxfast_engine_no_room", "What was not kept.", "what", engine.no_room),
        ("awxfast_engine_carried", "Messages, bytes and connections.", "what", engine.own),
    ):
        yield labelled_counter(name, documentation, label, values)
    yield labelled_gauge("awxfast_engine_present", "What there is at present.", "what", engine.present)


def collect_place(place: Place) -> Iterator[Metric]:
    """What main knows of the processes that served, and serve."""
    yield GaugeMetricFamily("awxfast_generation", "How many processes served before this one.", place.generation)
    yield labelled_counter("awxfast_reloads", "Reloads by result.", "result", place.reloads)
    yield GaugeMetricFamily("awxfast_draining_processes", "Earlier ones that still serve.", place.draining)


def collect_processes(processes: Mapping[int, ProcessFigures], *, are_several: bool = False) -> Iterator[Metric]:
    """The processes that serve, under the names and with the meaning of Prometheus' client library."""
    if not processes:
        return
    labels = ["worker"] if are_several else []
    limits = GaugeMetricFamily("awxfast_descriptors_limit", "Descriptors it may have.", labels=[*labels, "limit"])
    families = [type_of(name, documentation, labels=labels) for type_of, name, documentation, _ in PROCESS]
    for number, one in sorted(processes.items()):
        values = [str(number)] if are_several else []
        for name, limit in one.limits.items():
            limits.add_metric([*values, name], math.inf if limit is None else limit)
        for family, (*_, read) in zip(families, PROCESS, strict=True):
            family.add_metric(values, read(one))
    yield limits
    yield from families


PROCESS: Sequence[tuple[Any, str, str, Callable[[ProcessFigures], float]]] = (
    (GaugeMetricFamily, "awxfast_busy_threads", "Threads in synchronous code now.", lambda one: one.busy_threads),
    (GaugeMetricFamily, "awxfast_process_virtual_memory_bytes", "Address space.", lambda one: one.virtual_memory),
    (GaugeMetricFamily, "awxfast_process_resident_memory_bytes", "Memory.", lambda one: one.resident_memory),
    (GaugeMetricFamily, "awxfast_process_start_time_seconds", "Its start, in Unix time.", lambda one: one.started),
    (CounterMetricFamily, "awxfast_process_cpu_seconds", "CPU time.", lambda one: one.cpu_seconds),
    (GaugeMetricFamily, "awxfast_process_open_fds", "Open descriptors.", lambda one: one.descriptors),
    (
        GaugeMetricFamily,
        "awxfast_process_max_fds",
        "The most it may have.",
        lambda one: math.inf if one.limits["soft"] is None else one.limits["soft"],
    ),
)
"""What each process has one of."""


def collect_events(events: Mapping[str, Any]) -> Iterator[Metric]:
    """Each event once, by what became of it."""
    rejected: Mapping[str, int] = events["rejected"]
    results = {
        "routed": events["routed"],
        "no_subscriber": events["no_subscriber"],
        "rejected": sum(rejected.values()),
    }
    yield labelled_counter("awxfast_events", "Events by result.", "result", results)
    yield labelled_counter("awxfast_events_rejected", "Events that were rejected, by reason.", "reason", rejected)


def collect_frames(frames: Mapping[str, Any]) -> Iterator[Metric]:
    """Each frame queued to a client once, by what became of it; those without a result are pending."""
    shed: Mapping[str, int] = frames["shed"]
    results = {"written": frames["written"], "shed": sum(shed.values()), "lost_at_close": frames["lost_at_close"]}
    yield labelled_counter("awxfast_frames", "Frames by result.", "result", results)
    yield labelled_counter("awxfast_frames_shed", "Frames that were shed, by reason.", "reason", shed)
    yield CounterMetricFamily("awxfast_frames_queued", "Frames queued to clients.", frames["queued"])
    yield GaugeMetricFamily("awxfast_frames_pending", "Frames that wait.", frames["pending"])


def collect_gaps(gaps: Mapping[str, Mapping[str, int]]) -> Iterator[Metric]:
    """Losses that can't be counted as events."""
    times = {reason: gap["times"] for reason, gap in gaps.items()}
    at_most = {reason: gap["at_most"] for reason, gap in gaps.items()}
    yield labelled_counter("awxfast_gaps", "Gaps, by reason.", "reason", times)
    yield labelled_counter("awxfast_gap_events_at_most", "Upper bound of the events lost in gaps.", "reason", at_most)


def collect_fanout(fanout: Mapping[str, Any]) -> Iterator[Metric]:
    """The fan-out's own figures."""
    yield CounterMetricFamily(
        "awxfast_encodings", "Frames encoded: one an event, however many clients.", fanout["encodings"]
    )
    yield CounterMetricFamily("awxfast_writes", "System calls that wrote to clients.", fanout["writes"])
    yield GaugeMetricFamily("awxfast_queued_bytes", "Bytes queued, shared ones counted once.", fanout["queued_bytes"])
    yield GaugeMetricFamily("awxfast_reply_bytes", "Bytes of replies and applications' frames.", fanout["reply_bytes"])
    age = fanout["event_age"]
    yield HistogramMetricFamily(
        "awxfast_event_age_seconds",
        "From the producer's clock to the write.",
        buckets=cumulative_buckets(age["bounds"], age["counts"]),
        sum_value=age["sum"],
    )
    yield CounterMetricFamily("awxfast_event_age_unknown", "Events whose score is no time.", age["odd"])


def collect_peers(peers: Sequence[PeerFigures], gone: GonePeers) -> Iterator[Metric]:
    """Other nodes. Those that are gone for long are one peer, so that sums over all don't go down."""
    yield labelled_gauge(
        "awxfast_peer_up", "1 while the node is linked.", "peer", {peer.host: int(peer.links > 0) for peer in peers}
    )
    known = [peer for peer in peers if peer.links or peer.received or peer.sent]
    events = {(peer.host, "received"): peer.received for peer in known}
    events |= {(peer.host, "sent"): peer.sent for peer in known}
    events |= drop_zeros({(GONE, "received"): gone.received, (GONE, "sent"): gone.sent})
    yield labelled_pairs("awxfast_peer_events", "Frames of other nodes.", ["peer", "direction"], events)
    yield labelled_gauge(
        "awxfast_peer_clock_skew_seconds",
        "The node's clock less ours, at its last handshake.",
        "peer",
        {peer.host: peer.clock_skew for peer in peers if peer.clock_skew is not None},
    )
    lost = {(peer.host, reason): count for peer in peers for reason, count in peer.lost.items()}
    lost |= {(GONE, reason): count for reason, count in gone.lost.items()}
    yield labelled_pairs("awxfast_peer_lost", "Frames that the node did not get.", ["peer", "reason"], drop_zeros(lost))
    waiting = drop_zeros({peer.host: peer.groups_waiting for peer in peers})
    yield labelled_gauge("awxfast_peer_groups_waiting", "Groups that wait for room.", "peer", waiting)
    refused = drop_zeros({**{peer.host: peer.groups_refused for peer in peers}, GONE: gone.groups_refused})
    yield labelled_counter("awxfast_peer_groups_refused", "Groups that found no room.", "peer", refused)


def drop_zeros(counts: Mapping[Label, int]) -> dict[Label, int]:
    """Without what has not happened: there are up to a thousand nodes."""
    return {label: count for label, count in counts.items() if count}


def cumulative_buckets(bounds: list[float], counts: list[int]) -> list[tuple[str, float]]:
    """Prometheus' buckets from counts for each range; the last count is that of all above the last bound."""
    buckets: list[tuple[str, float]] = []
    total = 0
    for bound, count in zip([*map(str, bounds), "+Inf"], counts, strict=True):
        total += count
        buckets.append((bound, total))
    return buckets


def labelled_pairs(name: str, documentation: str, labels: list[str], values: Mapping[tuple[str, str], int]) -> Metric:
    """A counter with two labels."""
    family = CounterMetricFamily(name, documentation, labels=labels)
    for pair, count in sorted(values.items()):
        family.add_metric(pair, count)
    return family


def labelled_counter(name: str, documentation: str, label: str, values: Mapping[str, int]) -> Metric:
    """A counter with one label."""
    family = CounterMetricFamily(name, documentation, labels=[label])
    for value, count in sorted(values.items()):
        family.add_metric([value], count)
    return family


def labelled_gauge(name: str, documentation: str, label: str, values: Mapping[str, float]) -> Metric:
    """A gauge with one label."""
    family = GaugeMetricFamily(name, documentation, labels=[label])
    for value, count in sorted(values.items()):
        family.add_metric([value], count)
    return family
