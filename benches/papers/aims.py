"""The project's goals, held against what a run gave."""

import statistics
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass

from papers.tables import Runs, better, collect, markdown, spread
from papers.two_workers import by_one, where_there_is_room

Results = Mapping[str, Runs]
CLIENTS_AT_EQUAL_FRAMES = (100, 1000, 9000)

ECHOES = {
    site: [f"echo-{site}-{size}-{pace}" for size in ("64b", "4k") for pace in ("flood", "one")]
    for site in ("bare", "django")
}
"""Workloads of messages to an application."""


@dataclass(frozen=True)
class Aim:
    """One goal; `found` gives the values of all runs, none where its workload was not run."""

    words: str
    found: Callable[[Results], Sequence[float]]
    least: float | None = None
    most: float | None = None

    def asked(self) -> str:
        """The goal in figures."""
        if self.least is not None:
            return f"{self.least:,g} or more"
        return "0" if self.most == 0 else f"{self.most:,g} or less" if self.most is not None else "as it is"

    def verdict(self, values: Sequence[float]) -> str:
        """What the aim says of these values, by their median."""
        median = statistics.median(values)
        if self.least is None and self.most is None:
            return ""
        held = (self.least is None or median >= self.least) and (self.most is None or median <= self.most)
        return "yes" if held else "**no**"


def got(name: str, workload: str, server: str = "awxfast") -> Callable[[Results], list[float]]:
    """A figure as it is."""
    return lambda results: collect(name, results.get(workload, {}).get(server, ()))


def times(name: str, workload: str, server: str = "awxfast") -> Callable[[Results], list[float]]:
    """How many times better than the base of its table."""

    def ratios(results: Results) -> list[float]:
        runs = results.get(workload, {})
        return better(name, runs, server) if server in runs else []

    return ratios


def beside(name: str, peer: str, *workloads: str, server: str = "hosted") -> Callable[[Results], list[float]]:
    """A figure of which more is better, by a peer's in the same round; of several workloads the worst."""

    def ratios(results: Results) -> list[float]:
        rounds = []
        for workload in workloads:
            runs = results.get(workload, {})
            pairs = zip(collect(name, runs.get(server, ())), collect(name, runs.get(peer, ())), strict=False)
            rounds.append([ours / theirs for ours, theirs in pairs if theirs])
        return [min(round_) for round_ in zip(*rounds, strict=False)]

    return ratios


def spread_of_costs(results: Results) -> list[float]:
    """The dearest frame by the cheapest, whatever the number of clients; by round."""
    costs = [got("cpu_s_per_m", f"equal-{clients}")(results) for clients in CLIENTS_AT_EQUAL_FRAMES]
    return [max(round_) / min(round_) for round_ in zip(*costs, strict=False)]


def worst(name: str, *workloads: str) -> Callable[[Results], list[float]]:
    """A figure of awxfast's, of several workloads together."""
    return lambda results: [value for workload in workloads for value in got(name, workload)(results)]


AIMS = (
    Aim("frames per CPU second through Redis, flat out, 100 clients x 1 KiB: times daphne's",
        times("frames_per_cpu_s", "flat-out-100"), least=300),
    Aim("the same, 1,000 clients", times("frames_per_cpu_s", "flat-out-1000"), least=500),
    Aim("fan-out alone / raw limit (32 frames a send), frames/s: 1 KiB, 100 clients",
        times("frames_per_s", "alone-100-1k", "fan-out"), least=0.9),
    Aim("the same, 1,000 clients", times("frames_per_s", "alone-1000-1k", "fan-out"), least=0.95),
    Aim("the same, 4 KiB, 100 clients", times("frames_per_s", "alone-100-4k", "fan-out"), least=0.8),
    Aim("the same, 4 KiB, 1,000 clients", times("frames_per_s", "alone-1000-4k", "fan-out"), least=0.8),
    Aim("15,000 events/s of 4 KiB to 100 clients: events/s made", got("made_per_s", "rate-15000"), least=14_900),
    Aim("the same: frames not delivered", got("missing", "rate-15000"), most=0),
    Aim("the same: % of the server's core", got("server_cpu_percent", "rate-15000"), most=80),
    Aim("the same: p99 in ms", got("p99_ms", "rate-15000"), most=5),
    Aim("4 KiB to 10 clients: highest rate without loss, events/s", got("lossless_per_s", "search-100000")),
    Aim("the same: CPU us an event of producer, Redis, server and clients together",
        got("all_us_an_event", "search-100000")),
    Aim("past the edge: % of the best rate delivered", got("share_percent", "past-the-edge"), least=90),
    Aim("the same: seconds until it is back", got("back_s", "past-the-edge"), most=2),
    Aim("the same: frames missing that nobody counted", got("uncounted", "past-the-edge"), most=0),
    Aim("10 events/s x 100 clients: daphne's p50 / p50", times("p50_ms", "rate-10"), least=10),
    Aim("the same: p99", times("p99_ms", "rate-10"), least=15),
    Aim("50 events/s x 100 clients: daphne's p50 / p50", times("p50_ms", "rate-50"), least=10),
    Aim("the same: p99", times("p99_ms", "rate-50"), least=15),
    Aim("1,000 events/s x 100 clients: p50 in ms", got("p50_ms", "rate-1000"), most=1),
    Aim("the same: p99 in ms", got("p99_ms", "rate-1000"), most=2),
    Aim("an idle client, native: KiB", got("rss_kib_a_client", "idle-1000"), most=4),
    Aim("the same: CPU us a client with its first subscription", got("cpu_us_a_client", "idle-1000"), most=180),
    Aim("an idle client of a hosted consumer: KiB", got("rss_kib_a_client", "idle-1000", "direct"), most=20),
    Aim("handshakes/s, native: times daphne's", times("handshakes_per_s", "storm"), least=10),
    Aim("handshakes/s, a hosted application: times daphne's", times("handshakes_per_s", "storm", "direct"), least=3),
    Aim("the same of a bare ASGI application", times("handshakes_per_s", "hosted-storm-bare", "hosted"), least=3),
    Aim("the same of a Channels consumer", times("handshakes_per_s", "hosted-storm-channels", "hosted"), least=3),
    Aim("requests/s of a Django view: times uvicorn's", beside("requests_per_s", "uvicorn", "requests-django"),
        least=0.9),
    Aim("requests/s of a bare ASGI application: times uvicorn's", beside("requests_per_s", "uvicorn", "requests-bare")),
    Aim("messages/s to a bare ASGI application, the worst of four: times uvicorn's",
        beside("messages_per_s", "uvicorn", *ECHOES["bare"]), least=1.5),
    Aim("the same: times daphne's", beside("messages_per_s", "daphne", *ECHOES["bare"]), least=5),
    Aim("messages/s to a Channels consumer, the worst of four: times uvicorn's",
        beside("messages_per_s", "uvicorn", *ECHOES["django"]), least=1.6),
    Aim("the same: times daphne's", beside("messages_per_s", "daphne", *ECHOES["django"]), least=3),
    Aim("two workers on two cores, consumers where the load leaves room: frames/s, times one's",
        where_there_is_room("frames_per_s", "hosted-workers-events"), least=1.7),
    Aim("the same, else: CPU a frame by one's", by_one("cpu_s_per_m", "hosted-workers-events"), most=1.15),
    Aim("the same: handshakes/s, times one's", by_one("handshakes_per_s", "hosted-workers-storm")),
    Aim("the same: CPU a handshake by one's", by_one("cpu_us_a_client", "hosted-workers-storm"), most=1.15),
    Aim("the same where the load leaves room: plain requests/s, times one's",
        where_there_is_room("requests_per_s", "hosted-workers-requests"), least=1.7),
    Aim("the same, else: CPU a request by one's", by_one("cpu_us_a_request", "hosted-workers-requests"), most=1.15),
    Aim("group_send AWX's way with awxfast.layer: times as many a second",
        times("made_per_s", "producers", "layer"), least=5),
    Aim("the same: times fewer Redis CPU seconds", times("redis_us_an_event", "producers", "layer"), least=4),
    Aim("a layer with three Redis: frames a CPU second, by those of one",
        beside("frames_per_cpu_s", "awxfast", "hosts-100", server="hosts"), least=0.9),
    Aim("a layer whose queues are lists: frames a CPU second, by those of a usual one",
        beside("frames_per_cpu_s", "awxfast", "lists-100", server="lists"), least=0.9),
    Aim("a pub/sub layer: frames a CPU second, by those of a usual one",
        beside("frames_per_cpu_s", "awxfast", "pubsub-100", server="pubsub"), least=0.9),
    Aim("CPU a frame, dearest / cheapest of 100, 1,000 and 9,000 clients at equal frames/s", spread_of_costs, most=1.3),
    Aim("slow readers: frames that the others miss beyond what was shed from the slow",
        got("missing", "slow-readers"), most=0),
    Aim("awxfast's ledger, all workloads with slow or late clients: off by",
        worst("balance", "slow-readers", "past-the-edge", "rate-15000"), most=0),
)  # fmt: skip


def aims_table(results: Results) -> str:
    """Markdown; goals whose workload was not run say so."""
    lines = [["goal", "asked", "min / median / max", "held"]]
    for aim in AIMS:
        values = aim.found(results)
        cells = [spread(values), aim.verdict(values)] if values else ["not measured", ""]
        lines.append([aim.words, aim.asked(), *cells])
    return markdown(lines)
