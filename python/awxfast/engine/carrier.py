"""What an engine must be able to do: carry messages by the name of a channel. Each implementer is a client of one."""

import dataclasses
from collections.abc import Collection, Mapping, Sequence
from typing import Protocol

from awxfast.engine.address import EngineAddress


class Listener(Protocol):
    """Who is told what happens; called on the loop."""

    def receive(self, messages: Sequence[tuple[str, bytes]]) -> None:
        """Messages of channels that are subscribed to; what one read brought."""

    def note_lost(self, events: int, reason: str) -> None:
        """Messages with so many events were not sent: `queue_full`, `connection_broken`, `refused`, `stopped`."""

    def note_cut(self, channels: Collection[str] | None) -> None:
        """Of these channels (None: all) messages may have been missed; they are subscribed to again by now."""


@dataclasses.dataclass(frozen=True, slots=True)
class CarrierFigures:
    """What operators see of it."""

    up: bool
    reconnects: int
    published: int
    published_bytes: int
    received: int
    received_bytes: int
    queued: int
    """Messages that wait to be sent."""
    queued_bytes: int
    subscribed: int


class ChannelNames(Protocol):
    """How groups are named in an engine."""

    wants: str
    """The channel in which nodes say what they want."""

    def of(self, group: str) -> str:
        """The channel of a group."""

    def group(self, channel: str) -> str:
        """Whose channel that is."""


class Carrier(Protocol):
    """Keeps its connections whatever happens to the engine, and never blocks the loop.

    Messages that wait are bounded (`QUEUE_MESSAGES`, `QUEUE_BYTES`): past it the oldest go, told to the listener.
    """

    @property
    def address(self) -> EngineAddress:
        """Where the engine is, as operators are told."""

    @property
    def names(self) -> ChannelNames:
        """How groups are named there, under the address' prefix."""

    @property
    def most_bytes(self) -> int:
        """Of the largest message that it takes; may shrink when a server says so."""

    @property
    def up(self) -> bool:
        """Whether messages can be sent and come, from all channels that are subscribed to."""

    @property
    def trouble(self) -> str:
        """What is wrong, in words for an operator; empty while all is well. No secret is in it.

        While it is up: a message that was refused lately.
        """

    @property
    def needs_change(self) -> bool:
        """Whether that is for somebody to mend: who we are, what we may, or the address; else the engine is away."""

    async def start(self, listener: Listener) -> None:
        """Begins to connect, and returns; also while nobody answers."""

    async def stop(self) -> None:
        """Sends what waits for a moment at most, and lets go of everything."""

    def publish(self, channel: str, message: bytes, events: int) -> None:
        """Queues a message with so many events; what is queued in one turn of the loop goes out together."""

    def hold(self, but: str) -> None:
        """Messages wait from now on, until `release` or `stop`, also those that are queued; not those of this channel.

        Called in `note_cut` before anything that waited has gone out.
        """

    def release(self) -> None:
        """What is held goes out, in order."""

    async def subscribe(self, channels: Collection[str]) -> None:
        """Returns when the engine has confirmed all and refuses none. Stays so over every break until `unsubscribe`."""

    def unsubscribe(self, channels: Collection[str]) -> None:
        """Nothing of them is heard any more."""

    def figures(self) -> CarrierFigures:
        """What has been carried, and what waits."""


QUEUE_MESSAGES = 10_000
QUEUE_BYTES = 67_108_864
"""What may wait to be sent while the engine is away or slow."""


def list_carried(figures: CarrierFigures) -> Mapping[str, int]:
    """The numbers that only ever grow."""
    names = ("published", "published_bytes", "received", "received_bytes", "reconnects")
    return {name: getattr(figures, name) for name in names}


def list_present(figures: CarrierFigures) -> Mapping[str, int]:
    """What is so now."""
    return {name: getattr(figures, name) for name in ("queued", "queued_bytes", "subscribed")}
