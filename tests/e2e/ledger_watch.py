"""The ledger and the metrics of a server, looked at all the time: sound whatever becomes of serving processes."""

import asyncio
import contextlib
import re
from collections.abc import Iterable, Mapping
from typing import Any

from servers import AwxfastServer

BALANCED = {"events": 0, "frames": 0}


def list_counters(ledger: Mapping[str, Any]) -> dict[str, int]:
    """What may never go down."""
    events, frames = ledger["events"], ledger["frames"]
    return {
        **{name: events[name] for name in ("in", "routed", "no_subscriber")},
        **{name: frames[name] for name in ("queued", "written", "lost_at_close")},
        "shed": sum(frames["shed"].values()),
    }


def read_counters(metrics: str) -> dict[str, float]:
    """Samples of what may never go down; a process's seconds begin anew with the next one."""
    counters = re.findall(r"^# TYPE (\w+) (?:counter|histogram)$", metrics, re.MULTILINE)
    samples = [line.rsplit(" ", 1) for line in metrics.splitlines() if line.startswith(tuple(counters))]
    return {name: float(value) for name, value in samples if not name.startswith("awxfast_process_")}


class Watching:
    """Looks at ledger and metrics all the time; each must be sound, and none behind the one before."""

    def __init__(self, relay: AwxfastServer) -> None:
        self.ledgers: list[dict[str, Any]] = []
        self.metrics: list[dict[str, float]] = []
        self._relay = relay
        self._task = asyncio.ensure_future(self._run())

    async def _run(self) -> None:
        while True:
            self.ledgers.append(await asyncio.to_thread(self._relay.ledger))
            self.metrics.append(read_counters(await asyncio.to_thread(self._relay.ask, "/metrics")))

    async def end(self) -> None:
        self._task.cancel()
        await asyncio.wait([self._task])
        with contextlib.suppress(asyncio.CancelledError):
            self._task.result()
        assert len(self.ledgers) > 5
        assert [ledger for ledger in self.ledgers if ledger["balance"] != BALANCED] == []
        assert_rising(map(list_counters, self.ledgers))
        assert_rising(self.metrics)


def assert_rising(all_counts: Iterable[Mapping[str, float]]) -> None:
    """None is behind what it was. Where nobody serves, nobody knows a histogram's bounds: it is not there then."""
    last: dict[str, float] = {}
    for counts in all_counts:
        fallen = {name: (last[name], count) for name, count in counts.items() if count < last.get(name, 0)}
        assert fallen == {}, fallen
        last |= counts
