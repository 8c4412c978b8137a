"""Publishes in a cluster: what waits goes out in batches, one on its way to each server, the next behind its answers.

So a server that is gone takes one batch with it at most, and what a server redirects keeps its where before the rest.
"""

import asyncio
import collections
from collections.abc import Callable, Sequence
from typing import Any

from awxfast.engine.carrier import Listener
from awxfast.engine.cluster_map import Redirection, find_slot, read_redirection
from awxfast.engine.cluster_server import ClusterServer
from awxfast.engine.cluster_topology import ClusterTopology
from awxfast.engine.slot_queues import SlotQueue, SlotQueues, Taken, Waiting
from awxfast.errors import RedisReplyError

BATCH_MESSAGES = 1_000
BATCH_BYTES = 1_048_576
"""In one write to one server."""

KNOWN_CHANNELS = 20_000
"""Whose slots are kept in mind."""

NOT_NOW = ("CLUSTERDOWN", "TRYAGAIN", "LOADING", "MASTERDOWN", "BUSY", "READONLY", "UNBLOCKED")
"""First words of answers after which the same may work a little later, there or elsewhere."""

_ASKING = b"*1\r\n$6\r\nASKING\r\n"


class ClusterPublisher:
    """`note_refusal`: told in Redis' words what it refuses."""

    def __init__(self, topology: ClusterTopology, listener: Listener, note_refusal: Callable[[str], None]) -> None:
        self._topology = topology
        self._listener = listener
        self._note_refusal = note_refusal
        self.queues = SlotQueues(topology.find_owner)
        self._heads: dict[str, tuple[int, bytes]] = {}
        self._flushes = False
        self._lost: collections.Counter[str] = collections.Counter()
        self._finished: asyncio.Future[None] | None = None
        self.published = 0
        self.published_bytes = 0

    def publish(self, channel: str, message: bytes, events: int) -> None:
        """Goes out at the end of this turn of the loop, if it can."""
        slot, head = self._heads.get(channel) or self._learn(channel)
        if dropped := self.queues.add(slot, head, message, events):
            self._listener.note_lost(dropped, "queue_full")
        if not self._flushes:
            self._flushes = True
            asyncio.get_running_loop().call_soon(self.flush)

    def flush(self) -> None:
        """Sends what can be sent."""
        self._flushes = False
        for where in self.queues.destinations():
            if where is not None and (server := self._topology.server(where)) is not None:
                self.flush_to(server)

    def flush_to(self, server: ClusterServer) -> None:
        """The next batch to this server, unless one is on its way."""
        if server.commands is None or server.commands.lost.done() or server.is_publishing:
            return
        batch = self.queues.take(server.where, BATCH_MESSAGES, BATCH_BYTES)
        if not batch:
            return
        names, packed = pack_batch(batch)
        replies: list[Any] = []
        server.is_publishing = True
        answered = server.commands.packed(names, packed, replies)
        answered.add_done_callback(lambda future: self._settle(server, batch, replies, future))

    def regroup(self) -> None:
        """Slots have other owners, or it is time to try again."""
        self.queues.regroup()
        self.flush()

    async def finish(self) -> None:
        """Returns when nothing waits any more, and nothing is on its way."""
        if not self.queues.is_empty:
            self._finished = asyncio.get_running_loop().create_future()
            await self._finished

    def _learn(self, channel: str) -> tuple[int, bytes]:
        name = channel.encode()
        if len(self._heads) >= KNOWN_CHANNELS:
            self._heads.clear()
        known = find_slot(name), b"*3\r\n$8\r\nSPUBLISH\r\n$%d\r\n%s\r\n$" % (len(name), name)
        self._heads[channel] = known
        return known

    def _settle(
        self, server: ClusterServer, batch: Sequence[Taken], replies: list[Any], future: asyncio.Future[list[Any]]
    ) -> None:
        server.is_publishing = False
        if not future.cancelled():
            future.exception()  # the server tells it
        at = 0
        for queue, taken in batch:
            width = 2 if queue.detour is not None else 1
            answers = replies[at : at + width * len(taken)][width - 1 :: width]
            at += width * len(taken)
            self._settle_slot(server, queue, taken, answers)
        self._tell_lost()
        self.flush()
        if self._finished is not None and self.queues.is_empty and not self._finished.done():
            self._finished.set_result(None)

    def _settle_slot(self, server: ClusterServer, queue: SlotQueue, taken: list[Waiting], answers: list[Any]) -> None:
        """Those without an answer may have been published or not: they are not sent again."""
        good = [at for at, answer in enumerate(answers) if type(answer) is int]
        self.published += len(good)
        self.published_bytes += sum(len(taken[at].message) for at in good)
        slot = taken[0].slot
        if len(good) == len(taken):
            self.queues.settle(slot)
            return
        self._lost["connection_broken"] += sum(waiting.events for waiting in taken[len(answers) :])
        self._settle_errors(server, slot, taken, answers)

    def _settle_errors(self, server: ClusterServer, slot: int, taken: list[Waiting], answers: list[Any]) -> None:
        back: list[Waiting] = []
        detour = None
        hold = False
        for waiting, answer in zip(taken, answers, strict=False):
            if not isinstance(answer, RedisReplyError):
                self._lost["refused"] += sum(one.events for one in back)  # a later one has overtaken them
                back.clear()
            elif redirection := read_redirection(answer, server.where):
                back.append(waiting)
                detour, hold = self._follow(server, slot, redirection)
            elif answer.code in NOT_NOW:
                back.append(waiting)
                hold = True
                self._topology.look_soon()
            else:
                self._lost["refused"] += waiting.events
                self._note_refusal(str(answer))
        self._lost["queue_full"] += self.queues.settle(slot, back, hold=hold, detour=detour)

    def _follow(
        self, server: ClusterServer, slot: int, redirection: Redirection
    ) -> tuple[tuple[str, int] | None, bool]:
        """Where to go once, and whether to wait before."""
        is_of_use = redirection.slot == slot and redirection.where != server.where
        if not (is_of_use and self._topology.admit(redirection.where)):
            self._topology.look_soon()
            return None, True
        if redirection.once:
            return redirection.where, False
        self._topology.follow(redirection)
        return None, False

    def _tell_lost(self) -> None:
        lost, self._lost = self._lost, collections.Counter()
        for reason, events in lost.items():
            if events:
                self._listener.note_lost(events, reason)


def pack_batch(batch: Sequence[Taken]) -> tuple[list[str], bytes]:
    """The commands' names and bytes."""
    names: list[str] = []
    pieces: list[bytes] = []
    for queue, taken in batch:
        asking = queue.detour is not None
        for waiting in taken:
            if asking:
                names.append("ASKING")
                pieces.append(_ASKING)
            names.append("SPUBLISH")
            pieces += (waiting.head, b"%d\r\n" % len(waiting.message), waiting.message, b"\r\n")
    return names, b"".join(pieces)
