"""Sharded Pub/Sub of Redis Cluster and Valkey Cluster: one channel a group, on the shard that its name hashes to.

No client library kept its subscriptions over all that a cluster does (docs/dependencies.md has the figures), so this is
one of our own, on the connections that the rest of the relay has.
"""

import asyncio
import contextlib
import logging
from collections.abc import Callable, Collection

from awxfast.engine.address import EngineAddress
from awxfast.engine.carrier import CarrierFigures, Listener
from awxfast.engine.cluster_map import find_slot
from awxfast.engine.cluster_options import read_access
from awxfast.engine.cluster_publisher import ClusterPublisher
from awxfast.engine.cluster_return import ClusterReturn
from awxfast.engine.cluster_server import ClusterServer
from awxfast.engine.cluster_subscriber import ClusterSubscriber
from awxfast.engine.cluster_topology import ClusterTopology
from awxfast.engine.endings import end_tasks
from awxfast.engine.troubles import Troubles
from awxfast.errors import ConfigurationError

log = logging.getLogger(__name__)

MOST_BYTES = 8_388_608
"""Of a message: a quarter of what Redis lets wait for one subscriber (`client-output-buffer-limit pubsub`, 32 MiB)."""

NO_SLOT = -1

LOOKS_DOWN = 3
"""In a row, after which it is told: at a start, and when a slot moves, the first may be too early."""

RIGHTS = ("+ping", "+cluster|info", "+cluster|slots", "+spublish", "+ssubscribe", "+sunsubscribe")
"""That our user needs, besides its channels."""

LAST_SECONDS = 1.0
"""For what waits at the end."""


class RedisChannels:
    """Names as `awxfast:group:<group>`; a cluster hashes all of it, as a group's name has no braces."""

    def __init__(self, prefix: str) -> None:
        self.wants = f"{prefix}:wants"
        self._groups = f"{prefix}:group:"

    def of(self, group: str) -> str:
        """The channel of a group."""
        return self._groups + group

    def group(self, channel: str) -> str:
        """The group of a channel."""
        return channel.removeprefix(self._groups)


class RedisClusterCarrier:
    """A `Carrier` over a cluster's shards. Raises `ConfigurationError` for options that can't be obeyed."""

    def __init__(self, address: EngineAddress) -> None:
        self.address = address
        self.names = RedisChannels(address.prefix)
        self._access = read_access(address)
        self._parts: _Parts | None = None
        self._looking: asyncio.Task[None] | None = None
        self._failure: Exception | None = None
        self._was_up = False
        self._looks_down = 0
        self._troubles = Troubles(log, address)
        self._return = ClusterReturn(self._come_back)

    @property
    def most_bytes(self) -> int:
        """Of the largest message that it takes."""
        return MOST_BYTES

    @property
    def up(self) -> bool:
        """Whether the cluster is known, and each server that is needed answers and has all its channels."""
        parts = self._parts
        return parts is not None and not parts.subscriber.trouble and parts.topology.is_whole

    @property
    def trouble(self) -> str:
        """What is wrong, in words for an operator."""
        parts = self._parts
        if parts is not None and parts.topology.is_whole:
            return self._explain(parts.subscriber.trouble) or self._troubles.refusal
        return self._explain(str(self._failure or "not connected yet"))

    @property
    def needs_change(self) -> bool:
        """Whether we are not let in, lack a right, or it is no cluster."""
        parts = self._parts
        if parts is not None and parts.topology.is_whole:
            return any(f"{word} " in self.trouble for word in ("ERR", "NOPERM"))
        return isinstance(self._failure, ConfigurationError)

    def _explain(self, text: str) -> str:
        """With what allows it, on each server: each has rights of its own."""
        if "cluster support disabled" in text:
            return f"{text}: it is no Redis Cluster"
        if "NOPERM" not in text:
            return text
        user = (self.address.password and self.address.username) or "default"
        return f"{text}; on every server: ACL SETUSER {user} &{self.address.prefix}:* {' '.join(RIGHTS)}"

    async def start(self, listener: Listener) -> None:
        """Begins to connect, and goes on with that until it works."""
        topology = ClusterTopology(self._access, self.address.servers, self, self._regroup)
        self._parts = _Parts(topology, listener, self._note_refusal, self._note_mended)
        self._looking = asyncio.create_task(topology.run(self._is_well))

    async def stop(self) -> None:
        """What has not gone out within a moment is lost."""
        parts, looking = self._parts, self._looking
        if parts is None or looking is None:
            return
        self._return.forget()
        self.release()
        with contextlib.suppress(TimeoutError):
            await asyncio.wait_for(parts.publisher.finish(), LAST_SECONDS)
        if events := parts.publisher.queues.clear():
            parts.listener.note_lost(events, "stopped")
        await end_tasks(looking)
        parts.subscriber.clear()
        self._parts = None
        await parts.topology.close()

    def publish(self, channel: str, message: bytes, events: int) -> None:
        """Queues a message; after the end it is lost."""
        if self._parts is not None:
            self._parts.publisher.publish(channel, message, events)

    def hold(self, but: str) -> None:
        """Messages wait from now on, until `release` or `stop`; not those of this channel's slot."""
        if self._parts is not None:
            self._parts.publisher.queues.hold(find_slot(but.encode()))

    def release(self) -> None:
        """What is held goes out, in order."""
        if self._parts is not None and not self._return.is_awaited:
            self._parts.publisher.queues.release()
            self._parts.publisher.flush()

    async def subscribe(self, channels: Collection[str]) -> None:
        """Returns when the cluster has confirmed all."""
        if self._parts is not None:
            await self._parts.subscriber.subscribe(channels)

    def unsubscribe(self, channels: Collection[str]) -> None:
        """Nothing of them is heard any more."""
        if self._parts is not None:
            self._parts.subscriber.unsubscribe(channels)

    def figures(self) -> CarrierFigures:
        """What has been carried, and what waits."""
        parts = self._parts
        if parts is None:
            return CarrierFigures(False, 0, 0, 0, 0, 0, 0, 0, 0)
        publisher, subscriber = parts.publisher, parts.subscriber
        return CarrierFigures(
            up=self.up,
            reconnects=parts.topology.reconnects,
            published=publisher.published,
            published_bytes=publisher.published_bytes,
            received=subscriber.received,
            received_bytes=subscriber.received_bytes,
            queued=publisher.queues.messages,
            queued_bytes=publisher.queues.bytes,
            subscribed=subscriber.subscribed,
        )

    # What servers say

    def commands_up(self, server: ClusterServer) -> None:
        """What waits for this server goes out."""
        if self._parts is not None:
            self._return.note_one()
            self._note_mended()
            self._parts.publisher.flush_to(server)

    def pushes_up(self, server: ClusterServer) -> None:
        """Its channels are asked for."""
        if self._parts is not None:
            self._parts.subscriber.pushes_up(server)

    def pushes_down(self, server: ClusterServer) -> None:
        """Its channels are looked for elsewhere, or there again."""
        if self._parts is not None:
            self._parts.subscriber.pushes_down(server)

    def server_failed(self, server: ClusterServer, error: Exception) -> None:
        """The cluster is looked at anew."""
        self._failure = error
        if self._parts is not None:
            self._parts.topology.look_soon()
            if not self._parts.topology.has_any and self._return.note_none():
                self._parts.publisher.queues.hold(NO_SLOT)

    def _note_mended(self) -> None:
        if self.up:
            self._return.note_whole()

    def _come_back(self) -> None:
        """Others may have been away, too: the listener knows whether more is to wait for them."""
        if self._parts is not None:
            self._parts.publisher.queues.release()
            self._parts.listener.note_cut(None)
            self._parts.publisher.flush()

    def _is_well(self) -> bool:
        parts = self._parts
        if not self.up or parts is None:
            return False
        return all(where in parts.topology.servers for where in parts.publisher.queues.destinations())

    def _regroup(self) -> None:
        """After each look at the cluster."""
        if self._parts is None:
            return
        self._failure = self._parts.topology.failure or self._failure
        self._parts.subscriber.regroup()
        self._parts.publisher.regroup()
        self._note_mended()
        self._tell()

    def _note_refusal(self, text: str) -> None:
        self._troubles.refuse(self._explain(f"it refuses what we publish: {text}"))

    def _tell(self) -> None:
        """What has changed since the last look."""
        self._troubles.look()
        self._looks_down = 0 if self.up else self._looks_down + 1
        if self.up and not self._was_up:
            self._was_up = True
            self._failure = None
            self._troubles.end(f"connected{self.address.said_prefix}")
        elif self._looks_down >= LOOKS_DOWN:
            self._was_up = False
            trouble = self.trouble
            self._troubles.tell(trouble.partition(": ")[2] or trouble, trouble)


class _Parts:
    """What there is from start to stop."""

    def __init__(
        self,
        topology: ClusterTopology,
        listener: Listener,
        note_refusal: Callable[[str], None],
        note_mended: Callable[[], None],
    ) -> None:
        self.topology = topology
        self.listener = listener
        self.publisher = ClusterPublisher(topology, listener, note_refusal)
        self.subscriber = ClusterSubscriber(topology, listener, note_mended)
