"""All peers of this node that are dialled: who they are at present, and what goes to them."""

import asyncio
import logging
import time
from collections.abc import Iterable, Mapping, Sequence
from typing import Any

from awxfast._rust import LinkBundle
from awxfast.broadcast.dialled_peer import DialledPeer
from awxfast.broadcast.link_counts import LinkCounts, add_counts, freeze_counts, read_counts
from awxfast.broadcast.own_node import OwnNode
from awxfast.broadcast.sharing import pause_for, send_bundle
from awxfast.broadcast.target import Member, Target
from awxfast.errors import ConfigurationError

log = logging.getLogger(__name__)

MAX_PEERS = 1000
"""More than any cluster has; a bound for what a database or a file may make this process do."""
LEFT = "left"
"""Why nothing is read of peers: another process takes it."""
KEPT_SECONDS = 60.0
"""How long the figures of a peer that is gone are still shown."""

Key = tuple[str, int]


class Dialler:
    """The peers, from several sources of members; the first source that knows a peer says where it lives.

    `by_trust`: the sources in the order in which their members count when there are too many.
    """

    def __init__(self, own_node: OwnNode, name: str, sources: Sequence[str], by_trust: Sequence[str] = ()) -> None:
        self._own_node = own_node
        self._name = name
        self._by_trust = by_trust or sources
        self._crowded = False
        self._members: dict[str, Mapping[Key, Member]] = {source: {} for source in sources}
        self._peers: dict[Key, DialledPeer] = {}
        self._tasks: dict[Key, asyncio.Task[None]] = {}
        self._leaving: set[asyncio.Task[None]] = set()
        self._gone: dict[Key, tuple[float, DialledPeer]] = {}
        self._refused: set[str] = set()
        self._notes = False
        self.total = LinkCounts()
        """What peers that are no longer shown had counted."""

    @property
    def joined(self) -> Mapping[str, int]:
        """The groups that some peer wants, with the number of peers."""
        return self._own_node.joined.groups

    @property
    def dials(self) -> Mapping[tuple[str, str], int]:
        """How dials ended: accepted or refused, and why."""
        return self._own_node.dials

    @property
    def peers(self) -> Sequence[DialledPeer]:
        """Those that are dialled."""
        return list(self._peers.values())

    @property
    def members(self) -> Mapping[str, Mapping[Key, Member]]:
        """Who is known, by the source that knows."""
        return self._members

    @property
    def shown(self) -> Sequence[DialledPeer]:
        """Those, and the ones that left less than a minute ago."""
        self._forget_gone()
        return [*self._peers.values(), *(peer for _, peer in self._gone.values())]

    def set_members(self, source: str, members: Iterable[Member]) -> None:
        """What one source knows from now on. Links to whoever stays are not touched."""
        self._members[source] = {member.key: member for member in members if self._is_peer(member)}
        self._reconcile()

    @property
    def pause(self) -> float:
        """Seconds that events wait for each other, by the number of peers."""
        return pause_for(len(self._peers))

    @property
    def needs_frames(self) -> bool:
        """Whether any peer may want events on its link."""
        return not all(peer.is_silent for peer in self._peers.values())

    def send(self, bundle: LinkBundle) -> None:
        """Gives every peer what it wants."""
        send_bundle(bundle, self._peers.values())

    def hold_reading(self, hold: bool) -> None:
        """This node's Redis takes less than peers send: they are read no more for a moment; or all is well again."""
        self._own_node.crowded = hold
        for peer in self._peers.values():
            peer.hold_reading(hold)

    # From one process to the next

    def begin_noting(self) -> None:
        """Another process is about to link beside this one: what comes from now on may come to it, too."""
        self._notes = True
        for peer in self._peers.values():
            peer.begin_noting()

    def go_on(self) -> None:
        """It does not take this one's place."""
        self._notes = False
        for peer in self._peers.values():
            peer.end_noting()
            peer.hold_reading(False, LEFT)

    def stop_reading(self) -> None:
        """What comes from now on is the other process's to take."""
        for peer in self._peers.values():
            peer.hold_reading(True, LEFT)

    def drop_received(self) -> None:
        """Another process has taken this one's place: what still comes is read for the end's sake alone."""
        for peer in self._peers.values():
            peer.drop_received()

    async def flush(self, seconds: float, among: Sequence[DialledPeer] | None = None) -> Sequence[DialledPeer]:
        """Waits for so long at most until peers have read what was sent to them; those that have. None: all peers."""
        peers = self.peers if among is None else among
        flushing = {asyncio.ensure_future(peer.flushed()): peer for peer in peers}
        if not flushing:
            return []
        try:
            done, _ = await asyncio.wait(flushing, timeout=seconds)
        finally:
            for one in flushing:
                one.cancel()
        return [peer for one, peer in flushing.items() if one in done]

    def freeze(self) -> dict[str, Any]:
        """What another process needs that is linked beside this one, as JSON has it."""
        total = LinkCounts()
        for counts in (self.total, *(peer.counts for _, peer in self._gone.values())):
            add_counts(total, counts)
        return {
            "peers": [peer.freeze() for peer in self._peers.values()],
            "total": freeze_counts(total),
            "dials": [[*kind, count] for kind, count in self.dials.items()],
        }

    def inherit(self, frozen: Mapping[str, Any]) -> None:
        """What `freeze` gave in the process before this one; from now on only this one's links count."""
        self._own_node.is_beside = False
        add_counts(self.total, read_counts(frozen["total"]))
        for result, reason, count in frozen["dials"]:
            self._own_node.dials[result, reason] += count
        for one in frozen["peers"]:
            name, port = one["key"]
            if (peer := self._peers.get((name, port))) is not None:
                peer.inherit(one)
            else:
                add_counts(self.total, read_counts(one["counts"]))
        for peer in self._peers.values():
            peer.end_waiting()

    async def stop(self) -> None:
        """Ends all links in order."""
        for key in list(self._peers):
            self._end(key)
        if self._leaving:
            await asyncio.wait(self._leaving)

    def _is_peer(self, member: Member) -> bool:
        """Whether it is somebody else who can be dialled."""
        if member.name == self._name:
            return False
        try:
            Target.of(self._own_node.caller.protocol, member.host, member.port)
        except ConfigurationError as error:
            if member.host not in self._refused and len(self._refused) < MAX_PEERS:
                self._refused.add(member.host)
                log.error("%s; it is left out", error)  # noqa: TRY400  the data's fault, not ours
            return False
        return True

    def _reconcile(self) -> None:
        self._forget_gone()
        keys = list(dict.fromkeys(key for source in self._by_trust for key in self._members[source]))
        self._note_crowd(len(keys))
        wanted = {key: self._find(key) for key in keys[:MAX_PEERS]}
        for key, peer in list(self._peers.items()):
            if wanted.get(key) != peer.member:
                log.info("%s is dialled no more: %s", peer.member, "it has moved" if key in wanted else "it has left")
                self._end(key)
        for key, member in wanted.items():
            if key not in self._peers:
                self._begin(key, member)

    def _find(self, key: Key) -> Member:
        return next(members[key] for members in self._members.values() if key in members)

    def _note_crowd(self, count: int) -> None:
        """Said once, until there are fewer."""
        crowded = count > MAX_PEERS
        if crowded and not self._crowded:
            log.error("%d peers are more than the %d that are dialled; the rest is left out", count, MAX_PEERS)
        self._crowded = crowded

    def _begin(self, key: Key, member: Member) -> None:
        """One that comes back, or moves, goes on counting where it was."""
        former = self._gone.pop(key, None)
        peer = self._peers[key] = DialledPeer(member, self._own_node, former[1].counts if former else None)
        if self._notes:
            peer.begin_noting()
        task = self._tasks[key] = asyncio.create_task(peer.run(), name=f"peer {member}")
        task.add_done_callback(self._notice_end)

    def _end(self, key: Key) -> None:
        peer, task = self._peers.pop(key), self._tasks.pop(key)
        self._gone[key] = (time.monotonic(), peer)
        self._leaving.add(task)
        task.cancel()

    def _notice_end(self, task: asyncio.Task[None]) -> None:
        self._leaving.discard(task)
        if not task.cancelled() and (error := task.exception()) is not None:
            log.critical("%s ended: %r", task.get_name(), error, exc_info=error)

    def _forget_gone(self) -> None:
        oldest = time.monotonic() - KEPT_SECONDS
        excess = len(self._gone) - MAX_PEERS
        for number, (key, (since, peer)) in enumerate(list(self._gone.items())):
            if since < oldest or number < excess:
                del self._gone[key]
                add_counts(self.total, peer.counts)
