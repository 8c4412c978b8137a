"""Connections that are no websockets, or not yet: how many there may be, and who goes when there are more.

Nobody can tell whose a connection is before its head is there: it may be a node's. So a newcomer is never turned away
for want of a place; the one that has been without a request for the longest goes instead, and looks again only when
what the newcomer has sent was read. Requests that are worked on leave some places to those whose head is to come.
"""

import collections
import errno
import logging
import os
import resource
import time
from collections.abc import Callable, Iterator
from typing import Protocol

from awxfast.http.request_memory import UnansweredBytes
from awxfast.late_timeouts import call_after_reading
from awxfast.quiet_log import QuietLog
from awxfast.system.descriptors import descriptor_limit

log = logging.getLogger(__name__)

PART = 4
"""One in so many descriptors may be a plain connection's."""
RESERVE = 32
"""Descriptors that no stranger's connection takes for long: for Redis, nodes, the admin listener, an application."""
NEWCOMERS = 32
"""Places that requests which are worked on leave to others, where there are enough; else a quarter of all."""
TLS_WEIGHT = 3
"""Descriptors of a connection behind TLS: its own, and both ends of the bridge."""
QUIET_SECONDS = 60.0


class PlainConnection(Protocol):
    """A connection that carries plain requests, as its bound sees it."""

    weight: int
    """How many descriptors it takes."""
    descriptor: int

    @property
    def awaits_body(self) -> bool:
        """Whether its request waits for its client."""

    @property
    def is_taken(self) -> bool:
        """Whether its client has all that was written."""

    def end_idle(self) -> None:
        """Its place is taken by somebody else."""


class PlainConnections:
    """The plain connections of one server.

    `most` is in descriptors, `reserve` the first number of the reserve (None: there is none).
    The kernel gives the lowest number that is free, so a high one says that all below it are in use. `ended` counts
    those that had to go: `idle` ones, requests that were `refused`, whoever keeps TLS busy, which is `cut_off`, and
    those that had sent the most when all of them had sent too much, for want of `memory`. `unanswered` is how much that
    is, of upgrades that wait for a decision too.
    """

    def __init__(self, most: int, reserve: int | None = None, now: Callable[[], float] = time.monotonic) -> None:
        self._most = max(2, most)
        self._most_busy = self._most - min(NEWCOMERS, self._most // 4 or 1)
        self._reserve = reserve
        self._waiting: collections.OrderedDict[PlainConnection, None] = collections.OrderedDict()
        """Without a request, in the order since when."""
        self._fresh: set[PlainConnection] = set()
        """Those of them that have not had one yet."""
        self._busy: dict[PlainConnection, None] = {}
        self._weight = self._busy_weight = 0
        self.ended = {"idle": 0, "refused": 0, "cut_off": 0, "memory": 0}
        self.unanswered = UnansweredBytes()
        self._log = QuietLog(log, now, QUIET_SECONDS)

    @classmethod
    def of_process(cls, now: Callable[[], float] = time.monotonic) -> "PlainConnections":
        """With the bound of a server that strangers may reach."""
        limit = descriptor_limit()
        return cls(limit // PART, limit - min(RESERVE, limit // 8), now)

    def __len__(self) -> int:
        return len(self._waiting) + len(self._busy)

    def add(self, connection: PlainConnection) -> None:
        """A new one. It is looked at when what it has sent was read."""
        self.wait(connection)
        self._fresh.add(connection)
        if self.is_full(connection):
            call_after_reading(lambda: self._look_at(connection))

    def is_full(self, newcomer: PlainConnection) -> bool:
        """Whether somebody has to go for one that has been added."""
        return self._weight > self._most or self._is_reserved(newcomer)

    @property
    def idle(self) -> int:
        """How many are without a request."""
        return len(self._waiting)

    @property
    def at_work(self) -> int:
        """How many have a request, or may be about to send their first."""
        return len(self._busy) + len(self._fresh)

    def wait(self, connection: PlainConnection) -> None:
        """It is without a request from now on: the last that will go."""
        self.leave(connection)
        self._waiting[connection] = None
        self._weight += connection.weight

    def work(self, connection: PlainConnection) -> bool:
        """It has a request, unless there are too many that have one."""
        if connection in self._busy:
            return True
        has_room = self._has_room(connection)
        if not has_room and (late := next((one for one in self._busy if one.awaits_body), None)):
            self._end(late)  # bytes that a client has yet to send are no work of ours
            has_room = self._has_room(connection)
        if not has_room or not self.has_descriptors(connection):
            self.ended["refused"] += 1
            self._say("requests are refused")
            return False
        self.leave(connection)
        self._busy[connection] = None
        self._weight += connection.weight
        self._busy_weight += connection.weight
        return True

    def leave(self, connection: PlainConnection) -> None:
        """It has ended, or is no plain one any more."""
        self._fresh.discard(connection)
        if connection in self._waiting:
            del self._waiting[connection]
            self._weight -= connection.weight
        elif connection in self._busy:
            del self._busy[connection]
            self._weight -= connection.weight
            self._busy_weight -= connection.weight

    def has_descriptors(self, connection: PlainConnection) -> bool:
        """Whether it may stay although there is something to do for it; others that are idle go for it."""
        return not self._is_reserved(connection) or self._end_oldest(but=connection)

    def cut_off(self, connection: PlainConnection) -> None:
        """Its client keeps TLS busy to no purpose."""
        self.ended["cut_off"] += 1
        self._log.warn("cut off", "A TLS client is cut off: it sends records without data, or takes no answers to them")
        connection.end_idle()

    def sweep(self) -> Iterator[bool]:
        """Called twice a second. Others may have taken all descriptors; what strangers hold idly is given back then."""
        try:
            os.close(os.dup(0))
        except OSError as error:
            if error.errno not in (errno.EMFILE, errno.ENFILE):
                return
            for _ in range(RESERVE):
                yield self._end_oldest()
            self._say("new connections are lost")

    def _look_at(self, newcomer: PlainConnection) -> None:
        if newcomer in self._waiting and self.is_full(newcomer):
            self._end_oldest(but=newcomer)

    def is_below_reserve(self, descriptor: int) -> bool:
        """Whether there are others enough."""
        return self._reserve is None or descriptor < self._reserve

    def _is_reserved(self, connection: PlainConnection) -> bool:
        return not self.is_below_reserve(connection.descriptor)

    def _has_room(self, connection: PlainConnection) -> bool:
        return self._busy_weight + connection.weight <= self._most_busy

    def _end_oldest(self, but: PlainConnection | None = None) -> bool:
        """Whether there was one. Those whose client is still taking a response go when there are no others."""
        others = (connection for connection in self._waiting if connection is not but)
        first = next(others, None)
        oldest = first if first is None or first.is_taken else next((one for one in others if one.is_taken), first)
        if oldest is None:
            return False
        self._end(oldest)
        return True

    def _end(self, connection: PlainConnection) -> None:
        self.leave(connection)
        self.ended["idle"] += 1
        connection.end_idle()
        self._say("those that have been idle for the longest are closed")

    def _say(self, consequence: str) -> None:
        soft, _ = resource.getrlimit(resource.RLIMIT_NOFILE)
        limit = "without limit" if soft == resource.RLIM_INFINITY else f"at most {soft}"
        text = f"{len(self)} connections that are no websockets leave no place for more (descriptors: {limit})"
        self._log.warn("full", f"{text}: {consequence}")
