"""All channels of this process: who is in which group, and what becomes of a message that was taken from Redis.

Everything here belongs to the serving loop; the layer hops to it.
"""

import asyncio
import collections
import logging
import time
from collections.abc import Callable, Sequence
from functools import partial
from typing import Any

from awxfast._rust import Fanout
from awxfast.hosted.channel import Channel, Message
from awxfast.hosted.current_session import LayerSession
from awxfast.hosted.progress import Progress
from awxfast.intake.subscriptions import Subscriptions
from awxfast.quiet_log import QuietLog
from awxfast.settings import MAX_GROUPS
from awxfast.turns import Turns
from awxfast.wire.entry_bodies import unpack_body
from awxfast.wire.group_send import EVENT_TYPE

log = logging.getLogger(__name__)

JOIN_PATIENCE = 10.0
"""Seconds that a join waits for a Redis that is away."""
TURN_JOINS = 15
"""Consumers go on behind a join, in a turn of the loop: in turns of their own, which no join has to wait for."""

MOST_LOOSE = 10_000
"""Channels that belong to no session, such as those of a view: nobody says when they end, so the oldest go."""


class _Group:
    """The channels in a group, and how many of them want direct messages."""

    __slots__ = ("loose", "members")

    def __init__(self) -> None:
        self.members: dict[Channel, None] = {}
        self.loose = 0


class ChannelTable:
    """The table of channels. It stands between the intake and the fan-out, and takes what is for consumers.

    `capacity` bounds each channel's messages, `serializer` reads them, and `direct` says whether any type of message
    goes straight to sockets. `barred` is a group that nobody here is let into: joining it does nothing.
    `max_groups`: a websocket whose consumer joins more is closed.
    """

    def __init__(
        self,
        fanout: Fanout,
        *,
        capacity: int,
        direct: bool,
        serializer: str = "msgpack",
        barred: str | None = None,
        max_groups: int = MAX_GROUPS,
        now: Callable[[], float] = time.monotonic,
    ) -> None:
        self._fanout = fanout
        self._serializer = serializer
        self._capacity = capacity
        self._direct = direct
        self._barred = barred
        self._max_groups = max_groups
        self._holder: Subscriptions | None = None
        self._channels: dict[str, Channel] = {}
        self._loose: collections.OrderedDict[str, Channel] = collections.OrderedDict()
        self._seats: set[LayerSession] = set()
        self._groups: dict[str, _Group] = {}
        self._members = 0
        self._turns = Turns(TURN_JOINS)
        self._progress = Progress(now)
        self._log = QuietLog(log, now)

    def __len__(self) -> int:
        """How many channels are open."""
        return len(self._channels)

    def connect(self, holder: Subscriptions) -> None:
        """From now on groups can be joined."""
        self._holder = holder

    def disconnect(self) -> None:
        """Another process gets the groups' messages: joining one does nothing any more."""
        self._holder = None

    @property
    def unserved(self) -> int:
        """Messages that consumers of websockets have not served yet."""
        return sum(channel.unserved for channel in self._channels.values() if channel.session is not None)

    # Channels

    def open_channel(self, local: str, session: LayerSession | None) -> Channel:
        """A new channel; it lasts as long as its session, if that has not ended before it."""
        if session is not None and session.has_ended:
            session = None
        channel = self._channels[local] = Channel(local, session, self._capacity)
        self._fanout.add_own_channel(local)
        if session is None:
            self._keep_loose(channel)
            return channel
        # Of several channels in one scope only one can have the socket; the others' handlers run as always.
        channel.seated = self._direct and session not in self._seats
        if channel.seated:
            self._seats.add(session)
            channel.client = session.client
            if channel.client is None:
                session.on_attached(partial(self._attach, channel))
        session.on_end(partial(self.close_channel, channel))
        return channel

    def _keep_loose(self, channel: Channel) -> None:
        self._loose[channel.local] = channel
        if len(self._loose) > MOST_LOOSE:
            self.close_channel(next(iter(self._loose.values())))

    def _attach(self, channel: Channel) -> None:
        """The socket takes direct messages from now on; first those that it was too early for."""
        client = channel.session.client if channel.session is not None else None
        if channel.closed or client is None:
            return
        channel.client = client
        for name in channel.groups:
            self._groups[name].loose -= 1
            self._tell_fanout(name)
        self._fanout.subscribe(client, sorted(channel.groups), [])
        for text in channel.take_held():
            self._fanout.send_text(client, text)

    def close_channel(self, channel: Channel) -> None:
        """Nobody receives from it any more. Idempotent."""
        if channel.closed:
            return
        for name in sorted(channel.groups):
            self._leave(name, channel)
        channel.closed = True
        del self._channels[channel.local]
        self._loose.pop(channel.local, None)
        if channel.seated and channel.session is not None:
            self._seats.discard(channel.session)
        self._fanout.remove_own_channel(channel.local)

    async def receive(self, local: str) -> Message:
        """The next message of a channel."""
        channel = self._channel(local)
        message = await channel.receive()
        self._progress.note(channel)
        return message

    def _channel(self, local: str) -> Channel:
        """A name that was not made here is as good as one that was: the stock layer takes it, too."""
        return self._channels.get(local) or self.open_channel(local, None)

    # Groups

    async def join(self, group: str, local: str) -> None:
        """Messages to `group` reach the channel from now on.

        Raises `TimeoutError` when Redis does not come back in time, `RedisReplyError` when it refuses, and `ValueError`
        for a name that Channels refuses.
        """
        channel = self._channel(local)
        if group in channel.groups or group == self._barred or self._holder is None or self._oversteps(channel):
            return
        await self._hold(self._holder, group)
        if channel.closed or group in channel.groups or self._oversteps(channel):  # while Redis was asked
            self._holder.release([group])
            return
        entry = self._groups.setdefault(group, _Group())
        entry.members[channel] = None
        entry.loose += channel.is_loose
        self._members += not channel.groups
        channel.groups.add(group)
        self._tell_fanout(group)
        if channel.client is not None:
            self._fanout.subscribe(channel.client, [group], [])

    async def _hold(self, holder: Subscriptions, group: str) -> None:
        """Then waits for its turn: Redis may have answered at once for the joins of many consumers."""
        async with asyncio.timeout(JOIN_PATIENCE):
            await holder.hold([group])
        try:
            await self._turns.take(1)
        except BaseException:
            holder.release([group])
            raise

    def _oversteps(self, channel: Channel) -> bool:
        """Whether a websocket has all the groups it may have: then it is closed, which its consumer is told as ever."""
        if channel.session is None or len(channel.groups) < self._max_groups:
            return False
        channel.session.overstep()
        return True

    def leave(self, group: str, local: str) -> bool:
        """Nothing of `group` reaches the channel any more, but for what waits in it. Whether it was a member."""
        channel = self._channels.get(local)
        if channel is None or group not in channel.groups:
            return False
        self._leave(group, channel)
        return True

    def begin_flush(self) -> None:
        """All groups lose all channels of this process; those that join meanwhile stay, by `end_flush`."""
        for channel in self._channels.values():
            for group in sorted(channel.groups):
                self._leave(group, channel)
        if self._holder is not None:
            self._holder.begin_flush()

    async def end_flush(self) -> None:
        """Redis has none of them any more."""
        if self._holder is not None:
            await self._holder.end_flush()

    def _leave(self, group: str, channel: Channel) -> None:
        channel.groups.discard(group)
        self._members -= not channel.groups
        entry = self._groups[group]
        del entry.members[channel]
        entry.loose -= channel.is_loose
        self._tell_fanout(group)
        if channel.client is not None:
            self._fanout.subscribe(channel.client, [], [group])
        if self._holder is not None:
            self._holder.release([group])

    def _tell_fanout(self, group: str) -> None:
        entry = self._groups[group]
        self._fanout.set_consumers(group, len(entry.members), entry.loose)
        if not entry.members:
            del self._groups[group]

    # Messages: what the intake needs of the fan-out

    def publish_batch(self, entries: Sequence[Any]) -> None:
        """Events go to sockets, messages to the channels of those that they name."""
        self._take(self._fanout.publish_batch(entries))

    def publish_pushed(self, messages: list[tuple[bool, bytes, bytes]]) -> None:
        """The same of published messages."""
        self._take(self._fanout.publish_pushed(messages))

    def _take(self, handed_out: list[tuple[bool, list[str], list[str], bytes]]) -> None:
        for direct, groups, channels, body in handed_out:
            try:
                message = unpack_body(self._serializer, body)
            except Exception as error:  # whatever a producer put there, it costs this message only
                kind = type(error).__name__  # its text may have the payload
                self._log.warn(kind, f"a message could not be decoded and is dropped: {kind}")
                self._fanout.count_gap("undecodable", 1)
                continue
            self._hand_out(direct, groups, channels, message)

    def _hand_out(self, direct: bool, groups: list[str], channels: list[str], message: Message) -> None:
        named = [self._channels[local] for local in channels if local in self._channels]
        members = (channel for group in groups if group in self._groups for channel in self._groups[group].members)
        takers = dict.fromkeys(named)
        takers.update(dict.fromkeys(channel for channel in members if channel.is_loose or not direct))
        for channel in takers:
            if direct and channel.is_seated_early and channel not in named:
                has_room = channel.hold(message["text"].encode())
            else:
                has_room = channel.put(message)
            if not has_room:
                self._fanout.count_gap("consumer_behind", 1)

    def take_relayed(self, group: str, text: bytes, direct: bool) -> None:
        """An event that another node passed on; `direct`: sockets have it already."""
        self._hand_out(direct, [group], [], {"type": EVENT_TYPE, "text": text.decode()})

    def wait_time(self) -> float:
        """Seconds that the intake should wait at most: most consumers are behind, or the fan-out is.

        What waits in Redis costs nothing; what waits here was decoded and handed out, perhaps to be dropped.
        """
        return self._progress.stands_for if self._progress.is_behind(self._members) else self._fanout.wait_time()

    def count_too_large(self, count: int) -> None:
        """Tells the fan-out of events that were too large."""
        self._fanout.count_too_large(count)

    def count_gap(self, reason: str, at_most: int, times: int = 1) -> None:
        """Tells the fan-out of losses that nobody can number."""
        self._fanout.count_gap(reason, at_most, times)

    def add_channel(self, local: str, group: str) -> None:
        """Tells the fan-out which group a channel's entries are for."""
        self._fanout.add_channel(local, group)

    def remove_channel(self, local: str) -> None:
        """Tells the fan-out that a channel is no more."""
        self._fanout.remove_channel(local)
