"""Sharded Pub/Sub of Redis Cluster and Valkey Cluster: one channel a group, on the shard that its name hashes to."""

from collections.abc import Collection

from awxfast.engine.address import EngineAddress
from awxfast.engine.carrier import CarrierFigures, Listener

MOST_BYTES = 8_388_608
"""Of a message: a quarter of what Redis lets wait for one subscriber (`client-output-buffer-limit pubsub`, 32 MiB)."""


class RedisChannels:
    """Names as `awxfast:group:<group>`; a cluster hashes all of it, as a group's name has no braces."""

    def __init__(self, prefix: str) -> None:
        self.wants = f"{prefix}:wants"
        self._groups = f"{prefix}:group:"

    def of(self, group: str) -> str:
        """The channel of a group."""
        return self._groups + group

    def group(self, channel: str) -> str:
        """And back."""
        return channel.removeprefix(self._groups)


class RedisClusterCarrier:
    """A `Carrier` over a cluster's shards."""

    def __init__(self, address: EngineAddress) -> None:
        self._address = address
        self._listener: Listener | None = None

    @property
    def most_bytes(self) -> int:
        """Of the largest message that it takes."""
        return MOST_BYTES

    @property
    def up(self) -> bool:
        """Whether messages can be sent and come."""
        return False

    @property
    def trouble(self) -> str:
        """What is wrong, in words for an operator."""
        return f"{self._address}: not connected"

    async def start(self, listener: Listener) -> None:
        """Begins to connect."""
        self._listener = listener

    async def stop(self) -> None:
        """Lets go of everything."""

    def publish(self, channel: str, message: bytes, events: int) -> None:
        """Queues a message."""

    async def subscribe(self, channels: Collection[str]) -> None:
        """Returns when the cluster has confirmed all."""

    def unsubscribe(self, channels: Collection[str]) -> None:
        """Nothing of them is heard any more."""

    def figures(self) -> CarrierFigures:
        """At this moment."""
        return CarrierFigures(
            up=False,
            reconnects=0,
            published=0,
            published_bytes=0,
            received=0,
            received_bytes=0,
            queued=0,
            queued_bytes=0,
            subscribed=0,
        )
