"""Channels that are subscribed to in a cluster, each on the server that has its slot, wherever that moves.

Messages of a channel are taken from one server alone, so none comes twice; what may have been missed while the slot
moved, or its server was gone, is told once the channel is subscribed to again.
"""

import asyncio
from collections.abc import Callable, Collection, Iterable, Sequence

from awxfast.engine.address import HostPort
from awxfast.engine.carrier import Listener
from awxfast.engine.cluster_channel import ClusterChannel, release
from awxfast.engine.cluster_map import read_redirection
from awxfast.engine.cluster_server import ClusterServer
from awxfast.engine.cluster_topology import ClusterTopology
from awxfast.errors import RedisReplyError
from awxfast.redis.cluster_push_connection import ClusterPushConnection

TURN_CHANNELS = 500
"""Asked for in one turn of the loop."""

DOUBT_SECONDS = 1.0
"""How long the cluster must name another owner before a subscription that its server keeps is moved there: just after
a change some servers still tell of the time before it."""

MOST_HOPS = 5
"""Redirections in a row after which a channel waits for the next look at the cluster."""


class ClusterSubscriber:
    """Asks again for what is not confirmed, for ever. `note_mended`: called when the listener was told of some."""

    def __init__(self, topology: ClusterTopology, listener: Listener, note_mended: Callable[[], None]) -> None:
        self._topology = topology
        self._note_mended = note_mended
        self._listener = listener
        self._refusal = ""
        self._channels: dict[bytes, ClusterChannel] = {}
        self._missing: set[ClusterChannel] = set()
        self._by_server: dict[HostPort, set[ClusterChannel]] = {}
        """By what they await: a server that comes or goes costs its own channels only."""
        self._due: set[ClusterChannel] = set()
        """To be asked for in the next turns of the loop."""
        self._mended: list[str] = []
        self.received = 0
        self.received_bytes = 0

    @property
    def subscribed(self) -> int:
        """Channels that are confirmed at this moment."""
        return len(self._channels) - len(self._missing)

    @property
    def trouble(self) -> str:
        """Why some are not; empty: all are."""
        if not self._missing:
            return ""
        return f"some channels are not subscribed to yet: {self._refusal or 'the cluster has not confirmed them'}"

    async def subscribe(self, names: Collection[str]) -> None:
        """Returns when all are confirmed, or not wanted any more."""
        waiters: list[asyncio.Future[None]] = []
        listed = list(names)
        for first in range(0, len(listed), TURN_CHANNELS):
            waiters += self._want(listed[first : first + TURN_CHANNELS])
            await asyncio.sleep(0)
        for waiter in waiters:
            await waiter

    def _want(self, names: Sequence[str]) -> list[asyncio.Future[None]]:
        """Asks for those that are new; what is done when each is confirmed."""
        loop = asyncio.get_running_loop()
        waiters = []
        new = []
        for name in names:
            channel = self._channels.get(name.encode())
            if channel is None:
                channel = ClusterChannel(name)
                self._channels[channel.key] = channel
                self._missing.add(channel)
                new.append(channel)
            if not channel.confirmed:
                waiter: asyncio.Future[None] = loop.create_future()
                channel.waiters.append(waiter)
                waiters.append(waiter)
        self._ask(new)
        return waiters

    def unsubscribe(self, names: Collection[str]) -> None:
        """Of those that are wanted."""
        leaving: dict[HostPort, list[bytes]] = {}
        for name in names:
            channel = self._channels.pop(name.encode(), None)
            if channel is None:
                continue
            self._missing.discard(channel)
            self._due.discard(channel)
            self._await(channel, None)
            release(channel)
            if channel.where is not None:
                leaving.setdefault(channel.where, []).append(channel.key)
        self._leave(leaving)

    def regroup(self) -> None:
        """Slots have other owners, or it is time to try again what was refused."""
        leaving: dict[HostPort, list[bytes]] = {}
        for channel in self._channels.values():
            owner = self._topology.find_owner(channel.slot)
            channel.hops = 0
            if channel.where is None or owner is None or channel.where == owner:
                channel.doubted = None
            elif self._has_moved(channel):
                leaving.setdefault(channel.where, []).append(channel.key)
                self._lose(channel)
        self._leave(leaving)
        self._ask_soon([channel for channel in self._missing if channel.where is None])

    def pushes_up(self, server: ClusterServer) -> None:
        """A server can be asked for the channels that are its own."""
        assert server.pushes is not None
        server.pushes.begin(ServerListener(self, server.where))
        self._lose_all(server.where)  # what connections of another life of it may still have
        self._ask_soon(self._by_server.get(server.where, ()))

    def pushes_down(self, server: ClusterServer) -> None:
        """All that was subscribed to there is so no more, unless connections of another life of it have that now."""
        if self._find_pushes(server.where) is None:
            self._lose_all(server.where)

    def clear(self) -> None:
        """Whoever waits has waited in vain."""
        self._due.clear()
        for channel in self._channels.values():
            release(channel)

    # What servers say

    def receive(self, where: HostPort, messages: Sequence[tuple[bytes, bytes]]) -> None:
        """Messages of channels that were moved meanwhile are another server's."""
        channels = self._channels
        taken = [
            (channel.name, message)
            for key, message in messages
            if (channel := channels.get(key)) is not None and channel.confirmed and channel.where == where
        ]
        if taken:
            self.received += len(taken)
            self.received_bytes += sum([len(message) for _, message in taken])
            self._listener.receive(taken)

    def confirm(self, where: HostPort, key: bytes) -> None:
        """It is subscribed to there."""
        channel = self._channels.get(key)
        if channel is None or channel.where != where or channel.confirmed:
            return
        channel.confirmed = True
        channel.hops = 0
        self._missing.discard(channel)
        if not self._missing:
            self._refusal = ""
        if channel.cut:
            channel.cut = False
            self._tell_mended(channel.name)
        release(channel)

    def refuse(self, where: HostPort, key: bytes, error: RedisReplyError) -> None:
        """It is not; perhaps elsewhere, or a little later."""
        channel = self._channels.get(key)
        if channel is None or channel.where != where:
            return
        self._lose(channel)
        redirection = read_redirection(error, where)
        if redirection is None or redirection.once:
            self._refusal = str(error)
            self._topology.look_soon()
        elif redirection.slot == channel.slot and redirection.where != where and channel.hops < MOST_HOPS:
            channel.hops += 1
            self._topology.follow(redirection)
            self._ask([channel])

    def end(self, where: HostPort, key: bytes) -> None:
        """Asking again there says who has the slot now. Of one that is asked for already an answer comes anyway."""
        channel = self._channels.get(key)
        if channel is not None and channel.where == where and channel.confirmed:
            self._lose(channel)
            self._topology.look_soon()
            self._ask([channel])

    def _ask_soon(self, channels: Collection[ClusterChannel]) -> None:
        """Many at once: so many servers may come up in one turn."""
        if channels and not self._due:
            asyncio.get_running_loop().call_soon(self._ask_some)
        self._due.update(channels)

    def _ask_some(self) -> None:
        some = [self._due.pop() for _ in range(min(TURN_CHANNELS, len(self._due)))]
        self._ask([channel for channel in some if channel.where is None])
        if self._due:
            asyncio.get_running_loop().call_soon(self._ask_some)

    def _ask(self, channels: Iterable[ClusterChannel]) -> None:
        """Of each the owner of its slot, if that is known and up."""
        asked: dict[HostPort, list[bytes]] = {}
        for channel in channels:
            owner = self._topology.find_owner(channel.slot)
            if owner is None and self._topology.is_known:
                self._refusal = "no server has their slots"
            self._await(channel, owner)
            server = self._topology.server(owner) if owner is not None else None
            if server is not None and server.want_pushes() is not None:
                channel.where = server.where
                asked.setdefault(server.where, []).append(channel.key)
        for where, keys in asked.items():
            if (pushes := self._find_pushes(where)) is not None:
                pushes.subscribe(keys)

    def _leave(self, leaving: dict[HostPort, list[bytes]]) -> None:
        for where, keys in leaving.items():
            if (pushes := self._find_pushes(where)) is not None:
                pushes.unsubscribe(keys)

    def _find_pushes(self, where: HostPort) -> ClusterPushConnection | None:
        server = self._topology.servers.get(where)
        return server.pushes if server is not None else None

    def _has_moved(self, channel: ClusterChannel) -> bool:
        now = asyncio.get_running_loop().time()
        if channel.doubted is None:
            channel.doubted = now
        return not channel.confirmed or now - channel.doubted >= DOUBT_SECONDS

    def _lose(self, channel: ClusterChannel) -> None:
        channel.cut = channel.cut or channel.confirmed
        channel.confirmed = False
        channel.doubted = None
        channel.where = None
        self._missing.add(channel)
        self._await(channel, self._topology.find_owner(channel.slot))

    def _lose_all(self, where: HostPort) -> None:
        for channel in [channel for channel in self._by_server.get(where, ()) if channel.where == where]:
            self._lose(channel)

    def _await(self, channel: ClusterChannel, where: HostPort | None) -> None:
        if channel.awaited == where:
            return
        if channel.awaited is not None:
            fellows = self._by_server[channel.awaited]
            fellows.discard(channel)
            if not fellows:
                del self._by_server[channel.awaited]
        if where is not None:
            self._by_server.setdefault(where, set()).add(channel)
        channel.awaited = where

    def _tell_mended(self, name: str) -> None:
        """Many at once: they come in one read."""
        if not self._mended:
            asyncio.get_running_loop().call_soon(self._flush_mended)
        self._mended.append(name)

    def _flush_mended(self) -> None:
        mended, self._mended = self._mended, []
        self._listener.note_cut([name for name in mended if name.encode() in self._channels])
        self._note_mended()


class ServerListener:
    """What one server's connection brings, with where that is."""

    def __init__(self, subscriber: ClusterSubscriber, where: HostPort) -> None:
        self._subscriber = subscriber
        self._place = where

    def receive(self, messages: Sequence[tuple[bytes, bytes]]) -> None:
        """What is published there, if it is this server's to bring."""
        self._subscriber.receive(self._place, messages)

    def confirm(self, channel: bytes) -> None:
        """The channel is subscribed to at this server."""
        self._subscriber.confirm(self._place, channel)

    def refuse(self, channel: bytes, error: RedisReplyError) -> None:
        """This server does not take the channel."""
        self._subscriber.refuse(self._place, channel, error)

    def end(self, channel: bytes) -> None:
        """This server has the slot no more."""
        self._subscriber.end(self._place, channel)
