"""`--status`: the links as `awx-manage run_wsbroadcast --status` prints them, from the statistics in Redis."""

import dataclasses
import datetime
import re
from collections.abc import Iterable, Iterator, Mapping, Sequence

from prometheus_client.parser import text_string_to_metric_families

from awxfast.broadcast.statistics import HELP, safe_name
from awxfast.errors import StartError
from awxfast.printable import escape

GREEN, RED, PLAIN = "\033[92m", "\033[91m", "\033[0m"
NOT_AVAILABLE = "N/A"
GAP = 5
"""Spaces after a column's widest cell."""

_COLOUR = re.compile(r"\033\[\d+m")


@dataclasses.dataclass(slots=True)
class HostStatus:
    """One host's row, both tables."""

    host: str
    state: str = NOT_AVAILABLE
    start: float | None = None
    total: int = 0
    per_minute: int = 0


def read_statistics(text: str) -> dict[str, HostStatus]:
    """The rows by the host's name as it stands in metrics. Raises `StartError` for what is not Prometheus text."""
    rows: dict[str, HostStatus] = {}
    try:
        families = {family.name: family for family in text_string_to_metric_families(text)}
    except ValueError as error:
        raise StartError(f"the statistics in Redis are not readable: {escape(str(error))}") from error
    for name, family in families.items():
        found = re.fullmatch(r"awx_(\w+)_messages_received", name)
        if found and family.samples:
            host = family.documentation.removeprefix(HELP) if family.documentation.startswith(HELP) else found[1]
            rows[found[1]] = HostStatus(host, total=int(family.samples[0].value))
    for name, row in rows.items():
        read_link(row, f"awx_{name}", families)
    return rows


def read_link(row: HostStatus, prefix: str, families: Mapping[str, object]) -> None:
    """The other four metrics of a host."""
    samples = {
        name: getattr(families.get(f"{prefix}_{name}"), "samples", [])
        for name in ("connection", "connection_start", "messages_received_per_minute")
    }
    for sample in samples["connection"]:
        if sample.value == 1.0:
            row.state = sample.labels.get(f"{prefix}_connection", NOT_AVAILABLE)
    if row.state == "connected" and samples["connection_start"]:
        row.start = samples["connection_start"][0].value
    if samples["messages_received_per_minute"]:
        row.per_minute = int(samples["messages_received_per_minute"][0].value)


def choose_rows(text: str, hosts: Iterable[str]) -> list[HostStatus]:
    """A row for each of `hosts`, with or without data; where none are known, for each that there is data of."""
    known = read_statistics(text)
    chosen = [known.get(safe_name(host), HostStatus(host)) for host in hosts]
    for host, row in zip(hosts, chosen, strict=True):
        row.host = host
    return chosen or list(known.values())


def format_status(era: str, name: str, rows: Sequence[HostStatus], now: float) -> Iterator[str]:
    """Both tables' lines. `era` is `Broadcast` or `Relay`, `now` Unix time."""
    yield f'{era} websocket connection status from "{escape(name)}" to:'
    heading = ["hostname", "state", "start time", "duration (sec)"]
    yield from align(
        [heading, *([escape(row.host), colour(escape(row.state)), *format_start(row, now)] for row in rows)]
    )
    yield ""
    yield f'{era} websocket connection stats from "{escape(name)}" to:'
    heading = ["hostname", "total", "per minute"]
    yield from align([heading, *([escape(row.host), str(row.total), str(row.per_minute)] for row in rows)])


def format_start(row: HostStatus, now: float) -> tuple[str, str]:
    """Start, in local time, and duration of a link."""
    if row.start is None:
        return NOT_AVAILABLE, NOT_AVAILABLE
    return str(datetime.datetime.fromtimestamp(row.start)), str(int(now - row.start))


def colour(state: str) -> str:
    """Green where all is well."""
    return f"{GREEN if state == 'connected' else RED}{state}{PLAIN}"


def align(rows: Sequence[Sequence[str]]) -> Iterator[str]:
    """Columns as wide as their widest cell and a gap; colours take no room."""
    widths = [max(width(cell) for cell in column) + GAP for column in zip(*rows, strict=True)]
    for row in rows:
        yield "".join(cell + " " * (wide - width(cell)) for cell, wide in zip(row, widths, strict=True))


def width(cell: str) -> int:
    """Columns that a cell takes on the screen."""
    return len(_COLOUR.sub("", cell))
