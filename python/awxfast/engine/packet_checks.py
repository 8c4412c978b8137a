"""Looks at each message of a group's channel: is it a packet, does it come another way, is something missing before it.

What a message says is anybody's, so whatever is wrong with one costs that message, and is counted.
"""

import collections
import dataclasses
import logging
from collections.abc import Callable, Mapping
from typing import Any

from awxfast.engine.numbers import Numbers
from awxfast.quiet_log import QuietLog
from awxfast.wire.engine_packets import (
    MOST_NUMBER,
    EventPacket,
    Mark,
    Origin,
    PacketFault,
    encode_texts,
    read_packet,
    split_texts,
)

log = logging.getLogger(__name__)

MOST_ORIGINS = 2_000
"""Publishers that are counted by themselves."""
OTHERS = "others"
"""Stands for those beyond it."""


@dataclasses.dataclass(slots=True)
class OriginCounts:
    """What one publisher sent for this process, in events: those that came, that never did, and that came again."""

    redis: str
    events: int = 0
    missed: int = 0
    doubles: int = 0
    node: str = ""
    """Where it is, or was, as it said last."""


class PacketChecks:
    """`count_gap` counts losses by reason.

    Packets of a publisher whose Redis `is_own` are left out, and of one that `is_linked` and brings the same over a
    link; how far that one has come is noted all the same.
    """

    def __init__(
        self,
        count_gap: Callable[[str, int], None],
        is_own: Callable[[str], bool],
        is_linked: Callable[[str], bool],
    ) -> None:
        self.count_gap = count_gap
        self._is_own = is_own
        self._is_linked = is_linked
        self._log = QuietLog(log)
        self.numbers = Numbers()
        self.faults: collections.Counter[str] = collections.Counter()
        """Messages that are no packets, by reason."""
        self.events: collections.Counter[str] = collections.Counter()
        """What became of those that came: `taken`, `double`, or left to another way, `own_redis` or `linked`."""
        self.lost = collections.Counter({"missed": 0, "behind": 0})
        """Those that never came, `missed`, or found no room here, `behind`."""
        self.origins: dict[str, OriginCounts] = {}
        self.ignores_doubles = False
        """Whether what came before is no surprise: another process has taken it."""

    def check(self, group: str, message: bytes) -> bytes | None:
        """The texts that are new in a message, as they stand in a packet; None: there are none."""
        packet = read_packet(message)
        match packet:
            case PacketFault():
                self._count_fault(packet, group)
            case Mark(origin, number):
                self._count(group, origin, number + 1, number)
            case EventPacket(origin, number, count, body):
                doubles = self._count(group, origin, number, number + count - 1)
                if doubles is not None and doubles < count:
                    return encode_texts(split_texts(body)[doubles:]) if doubles else body
        return None

    def name(self, publisher: str, node: str) -> None:
        """Where one is whose events may be counted here: so it is known, too, when that is gone."""
        if (counts := self.origins.get(publisher)) is not None:
            counts.node = node

    def lose(self, group: str, message: bytes) -> None:
        """A message is dropped unused, since takers are behind: what was new in it is a gap."""
        packet = read_packet(message)
        if not isinstance(packet, EventPacket):
            return
        doubles = self._count(group, packet.origin, packet.number, packet.number + packet.count - 1)
        if doubles is not None and doubles < packet.count:
            lost = packet.count - doubles
            self.events["taken"] -= lost
            self._count_origin(packet.origin).events -= lost
            self.lost["behind"] += lost
            self.count_gap("engine_behind", lost)

    def _count(self, group: str, origin: Origin, first: int, last: int) -> int | None:
        """How many of these events are known already; None: all come another way."""
        events = last - first + 1
        if self._is_own(origin.redis):
            self.events["own_redis"] += events
            return None
        missed, doubles = self.numbers.take(group, origin, first, last)
        if self._is_linked(origin.publisher):
            self.events["linked"] += events
            return None
        counts = self._count_origin(origin)
        counts.events += events - doubles
        self.events["taken"] += events - doubles
        if missed:
            counts.missed = min(counts.missed + missed, MOST_NUMBER)
            self.lost["missed"] = min(self.lost["missed"] + missed, MOST_NUMBER)  # each may be anybody's invention
            self.count_gap("engine_missed", missed)
        if doubles and not self.ignores_doubles:
            counts.doubles += doubles
            self.events["double"] += doubles
        return doubles

    def _count_origin(self, origin: Origin) -> OriginCounts:
        counts = self.origins.get(origin.publisher)
        if counts is None:
            has_room = len(self.origins) < MOST_ORIGINS
            key, redis = (origin.publisher, origin.redis) if has_room else (OTHERS, "")
            counts = self.origins.setdefault(key, OriginCounts(redis))
        return counts

    def _count_fault(self, fault: PacketFault, group: str) -> None:
        self.faults[fault] += 1
        self._log.warn(fault, f"the engine brought a message that is no packet ({fault}), for group {group}")

    def freeze(self) -> dict[str, Any]:
        """How far all counts have come, and what was counted here, as JSON has it."""
        origins = {publisher: dataclasses.astuple(counts) for publisher, counts in self.origins.items()}
        counts = {"events": self.events, "lost": self.lost, "faults": self.faults}
        return {"numbers": self.numbers.freeze(), "origins": origins, **counts}

    def inherit(self, frozen: Mapping[str, Any]) -> None:
        """What `freeze` gave in the process before this one."""
        self.numbers.inherit(frozen["numbers"])
        for publisher, counts in frozen["origins"].items():
            self.origins[publisher] = OriginCounts(*counts)
        self.events.update(frozen["events"])
        self.lost.update(frozen["lost"])
        self.faults.update(frozen["faults"])
