"""The ledger of a server, looked at all the time: it must be sound whatever becomes of serving processes."""

import asyncio
import contextlib
import itertools
from collections.abc import Mapping
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


class Watching:
    """Looks at the ledger all the time; each must be sound, and none behind the one before."""

    def __init__(self, relay: AwxfastServer) -> None:
        self.ledgers: list[dict[str, Any]] = []
        self._relay = relay
        self._task = asyncio.ensure_future(self._run())

    async def _run(self) -> None:
        while True:
            self.ledgers.append(await asyncio.to_thread(self._relay.ledger))

    async def end(self) -> None:
        self._task.cancel()
        await asyncio.wait([self._task])
        with contextlib.suppress(asyncio.CancelledError):
            self._task.result()
        assert len(self.ledgers) > 5
        assert [ledger for ledger in self.ledgers if ledger["balance"] != BALANCED] == []
        for before, after in itertools.pairwise(map(list_counters, self.ledgers)):
            assert all(after[name] >= count for name, count in before.items()), (before, after)
