"""What passes over the links to one peer, counted, and added up for all peers."""

import collections
import dataclasses
from collections.abc import Mapping
from typing import Any


@dataclasses.dataclass(slots=True)
class LinkCounts:
    """What passed between us and one peer, over all its links. `queued`: frames for it; `dropped`: by reason.

    `no_room`: groups that its browsers asked for when it had as many as it may have.
    """

    received: int = 0
    received_bytes: int = 0
    queued: int = 0
    sent: int = 0
    sent_bytes: int = 0
    writes: int = 0
    no_room: int = 0
    skipped: collections.Counter[str] = dataclasses.field(default_factory=collections.Counter)
    dropped: collections.Counter[str] = dataclasses.field(default_factory=collections.Counter)


def add_counts(total: LinkCounts, counts: LinkCounts) -> None:
    """So that totals over all peers never go down."""
    total.received += counts.received
    total.received_bytes += counts.received_bytes
    total.queued += counts.queued
    total.sent += counts.sent
    total.writes += counts.writes
    total.no_room += counts.no_room
    total.sent_bytes += counts.sent_bytes
    total.skipped.update(counts.skipped)
    total.dropped.update(counts.dropped)


def freeze_counts(counts: LinkCounts) -> dict[str, Any]:
    """As JSON has them, for another process."""
    frozen = {field.name: getattr(counts, field.name) for field in dataclasses.fields(counts)}
    return {**frozen, "skipped": dict(counts.skipped), "dropped": dict(counts.dropped)}


def read_counts(frozen: Mapping[str, Any]) -> LinkCounts:
    """What `freeze_counts` gave in the process before this one."""
    counters = {name: collections.Counter(frozen[name]) for name in ("skipped", "dropped")}
    return LinkCounts(**{**frozen, **counters})
