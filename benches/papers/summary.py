"""The short tables: a line for what matters most of each workload, and the few of README.md."""

from collections.abc import Sequence
from dataclasses import dataclass

from papers.aims import Results
from papers.tables import better, collect, markdown, spread


@dataclass(frozen=True)
class Row:
    """One figure of one workload; what README.md shows too says in its own words what it is of."""

    words: str
    workload: str
    figure: str
    glance: bool = False


RELAY_COLUMNS = ("daphne", "awxfast")
RELAY_ROWS = (
    Row("as fast as it goes, 100 clients x 1 KiB: frames a second", "flat-out-100", "frames_per_s"),
    Row(
        "as fast as it goes, 100 clients x 1 KiB: frames a CPU second", "flat-out-100", "frames_per_cpu_s", glance=True
    ),
    Row("the same, 1,000 clients", "flat-out-1000", "frames_per_cpu_s"),
    Row("the same, 1,000 groups of 1 to 3 clients", "groups-1000", "frames_per_cpu_s"),
    Row("10 events/s to 100 clients: p50 in ms", "rate-10", "p50_ms", glance=True),
    Row("10 events/s to 100 clients: p99 in ms", "rate-10", "p99_ms", glance=True),
    Row("50 events/s to 100 clients: p50 in ms", "rate-50", "p50_ms"),
    Row("50 events/s to 100 clients: p99 in ms", "rate-50", "p99_ms", glance=True),
    Row("1,000 events/s to 100 clients: p50 in ms", "rate-1000", "p50_ms"),
    Row("1,000 events/s to 100 clients: p99 in ms", "rate-1000", "p99_ms", glance=True),
    Row("15,000 events/s x 100 clients x 1 KiB: frames not delivered", "rate-15000-1k", "missing"),
    Row("the same: % of the server's core", "rate-15000-1k", "server_cpu_percent"),
    Row("15,000 events/s of 4 KiB to 50 clients: events/s made", "rate-15000-50", "made_per_s"),
    Row("the same: frames not delivered", "rate-15000-50", "missing"),
    Row("the same: p99 in ms", "rate-15000-50", "p99_ms"),
    Row("the same, to 100 clients: events/s made", "rate-15000", "made_per_s"),
    Row("the same: frames not delivered", "rate-15000", "missing"),
    Row("the same: p99 in ms", "rate-15000", "p99_ms"),
    Row("the same: % of the server's core", "rate-15000", "server_cpu_percent"),
    Row("events of 512 KiB to 100 clients: p99 in ms", "large-event", "p99_ms"),
    Row("twice its best rate: % of the best rate delivered", "past-the-edge", "share_percent"),
    Row("10 clients that never read: frames that 100 others miss", "slow-readers", "missing"),
    Row("an idle, subscribed client: KiB of memory", "idle-1000", "rss_kib_a_client", glance=True),
    Row("handshakes a second", "storm", "handshakes_per_s", glance=True),
)
GLANCE_ROWS = tuple(row for row in RELAY_ROWS if row.glance)
HOSTED_COLUMNS = ("daphne", "hosted", "direct")
HOSTED_ROWS = (
    *(
        Row(f"{clients:,} client{'s' * (clients > 1)}, flat out: frames a CPU second", f"hosted-{clients}", figure)
        for clients in (1, 10, 100, 500, 1000)
        for figure in ("frames_per_cpu_s",)
    ),
    Row("handshakes a second, a bare ASGI application", "hosted-storm-bare", "handshakes_per_s"),
    Row("the same, a Channels consumer", "hosted-storm-channels", "handshakes_per_s"),
    Row("the same, 1,000 clients that also subscribe", "hosted-idle", "handshakes_per_s"),
    Row("the same, each looked up in a database", "hosted-signed-in", "handshakes_per_s"),
    Row("an idle client: KiB of RSS", "hosted-idle", "rss_kib_a_client"),
)


def summary_table(results: Results, columns: Sequence[str], rows: Sequence[Row]) -> str:
    """Markdown; rows whose workload was not run are left out. Empty without any."""
    ours = columns[1:]
    lines = [["workload", *columns, *(f"{server}: times better" for server in ours)]]
    for row in rows:
        runs = results.get(row.workload, {})
        cells = [spread(collect(row.figure, runs.get(server, ()))) for server in columns]
        if any(cells):
            ratios = [spread(better(row.figure, runs, server)) if server in runs else "" for server in ours]
            lines.append([row.words, *cells, *ratios])
    return markdown(lines) if len(lines) > 1 else ""
