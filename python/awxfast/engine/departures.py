"""What leaves for an engine of the groups of this node's Redis: events with numbers, and marks of the last one."""

import collections
import dataclasses
import time
from collections.abc import Callable, Mapping
from typing import Any

from awxfast.engine.carrier import Carrier
from awxfast.wire.engine_packets import HEADER_BYTES, PACKET_BYTES, Origin, encode_events, encode_mark

MOST_GROUPS = 100_000
"""Groups that are counted at a time; past it the one that is quiet for longest is forgotten."""
MARKS = (1.0, 2.0, 4.0, 8.0, 16.0, 32.0, 64.0)
"""Seconds after a group's last event at which others are told its number: who was cut learns of a lost tail."""
IDLE_SECONDS = 120.0
"""After so long a group is forgotten; when it has events again, it counts from 1 in a new epoch."""
REASONS = ("too_large", "queue_full", "connection_broken", "refused", "stopped")
"""Why events do not leave. All are shown from the start: what has grown from nothing is no increase for Prometheus."""
MOST_MARKS = 1_000
"""In one look: after a cut they are due for all groups at once."""


@dataclasses.dataclass(slots=True)
class Count:
    """A group's events up to now. `last`: when the newest left (monotonic); `stage`: how many marks followed it."""

    origin: Origin
    number: int
    last: float
    stage: int = 0


class Departures:
    """Numbers of each group, counted as they leave. Plain attributes are for figures.

    `redis` says the fingerprint of this node's Redis, which changes with its restarts.
    """

    def __init__(
        self,
        carrier: Carrier,
        publisher: str,
        redis: Callable[[], str],
        now: Callable[[], float] = time.monotonic,
    ) -> None:
        self._carrier = carrier
        self._names = carrier.names
        self.publisher = publisher
        self._redis = redis
        self._now = now
        self._counts: dict[str, Count] = {}
        self._stages: list[collections.OrderedDict[str, Count]] = [
            collections.OrderedDict() for _ in range(len(MARKS) + 1)
        ]
        """Groups by the marks that they have had, the one that is quiet for longest first."""
        self._may_miss = False
        """Whether receivers may have missed what left, so that all marks are due again."""
        self.events = 0
        self.dropped = collections.Counter(dict.fromkeys(REASONS, 0))
        """Events that did not leave, or did not arrive, by reason."""

    @property
    def groups(self) -> int:
        """How many are counted."""
        return len(self._counts)

    @property
    def most_bytes(self) -> int:
        """Of texts that may leave in one packet, unless one alone is longer."""
        return max(1, min(self._carrier.most_bytes, PACKET_BYTES) - HEADER_BYTES)

    def publish(self, group: str, count: int, body: bytes) -> None:
        """Sends texts of a group. What is too large for the engine has numbers all the same: receivers miss it."""
        counted = self._count(group)
        first = counted.number + 1
        counted.number += count
        message = encode_events(counted.origin, first, count, body)
        if len(message) > self._carrier.most_bytes:
            self.dropped["too_large"] += count
            return
        self.events += count
        self._carrier.publish(self._names.of(group), message, count)

    def note_lost(self, events: int, reason: str) -> None:
        """The carrier could not send so many."""
        if events:
            self.dropped[reason] += events
            self._may_miss = True

    def note_cut(self) -> None:
        """What was sent may not have arrived."""
        self._may_miss = True

    def send_marks(self) -> None:
        """Those that are due, and forgets groups that are quiet for long; while nothing can be sent they wait."""
        if not self._carrier.up:
            self._may_miss = True
            return
        if self._may_miss:
            self._may_miss = False
            self._begin_marks_anew()
        now, room = self._now(), MOST_MARKS
        for stage, after in enumerate(MARKS):
            room -= self._send_stage(stage, now - after, room)
        self._forget_idle(now - IDLE_SECONDS)

    def freeze(self) -> dict[str, Any]:
        """As JSON has it, for the process that goes on with it."""
        counts = [[group, one.origin.epoch, one.number] for group, one in self._counts.items()]
        return {"counts": counts, "events": self.events, "dropped": dict(self.dropped)}

    def inherit(self, frozen: Mapping[str, Any]) -> None:
        """What `freeze` gave in the process before this one. Marks are due again for all."""
        now = self._now()
        for group, epoch, number in frozen["counts"]:
            self._add(group, Count(Origin(self._redis(), self.publisher, epoch), number, now))
        self.events += frozen["events"]
        self.dropped.update(frozen["dropped"])

    def _count(self, group: str) -> Count:
        """What there is of a group that has an event now."""
        counted = self._counts.get(group)
        redis = self._redis()
        if counted is None:
            epoch = time.time_ns() // 1000
            counted = self._add(group, Count(Origin(redis, self.publisher, epoch), 0, self._now()))
        elif counted.stage:
            self._move(group, counted, 0)
        else:
            self._stages[0].move_to_end(group)
        counted.last = self._now()
        if counted.origin.redis != redis:
            counted.origin = dataclasses.replace(counted.origin, redis=redis)
        return counted

    def _add(self, group: str, counted: Count) -> Count:
        if len(self._counts) >= MOST_GROUPS:
            self._forget(next(stage for stage in reversed(self._stages) if stage))
        self._counts[group] = self._stages[0][group] = counted
        return counted

    def _move(self, group: str, counted: Count, stage: int) -> None:
        del self._stages[counted.stage][group]
        counted.stage = stage
        self._stages[stage][group] = counted

    def _begin_marks_anew(self) -> None:
        now = self._now()
        for group, counted in self._counts.items():
            counted.last = now
            self._move(group, counted, 0)

    def _send_stage(self, stage: int, last: float, room: int) -> int:
        """Marks of groups whose last event is as old as that; how many."""
        waiting, sent = self._stages[stage], 0
        while sent < room and waiting:
            group, counted = next(iter(waiting.items()))
            if counted.last > last:
                break
            self._move(group, counted, stage + 1)
            self._carrier.publish(self._names.of(group), encode_mark(counted.origin, counted.number), 0)
            sent += 1
        return sent

    def _forget_idle(self, last: float) -> None:
        quiet = self._stages[-1]
        while quiet and next(iter(quiet.values())).last <= last:
            self._forget(quiet)

    def _forget(self, stage: collections.OrderedDict[str, Count]) -> None:
        group, _ = stage.popitem(last=False)
        del self._counts[group]
