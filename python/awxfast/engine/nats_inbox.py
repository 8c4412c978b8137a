"""What a NATS carrier tells its listener: what one read has brought together, and what was lost."""

import asyncio
from collections.abc import Collection

from awxfast.engine.carrier import Listener
from awxfast.engine.nats_subscriptions import NatsSubscriptions


class NatsInbox:
    """Of a carrier with these subscriptions; nobody is told before there is a `listener`."""

    def __init__(self, subscriptions: NatsSubscriptions) -> None:
        self._subscriptions = subscriptions
        self._heard: list[tuple[str, bytes]] = []
        self.listener: Listener | None = None
        self.received = self.received_bytes = 0

    def hear(self, number: int, message: bytes) -> None:
        """One of the subscription with this number, if it is wanted still."""
        channel = self._subscriptions.channel(number)
        if channel is None:
            return
        if not self._heard:
            asyncio.get_running_loop().call_soon(self.deliver)
        self._heard.append((channel, message))

    def deliver(self) -> None:
        """Hands on what has come, before anything else is told."""
        heard, self._heard = self._heard, []
        if heard and self.listener is not None:
            self.received += len(heard)
            self.received_bytes += sum(len(message) for _, message in heard)
            self.listener.receive(heard)

    def note_lost(self, events: int, reason: str) -> None:
        """So many did not go out."""
        if events and self.listener is not None:
            self.listener.note_lost(events, reason)

    def note_cut(self, channels: Collection[str] | None) -> None:
        """Of these something may have been missed, behind all that has come."""
        self.deliver()
        if self.listener is not None:
            self.listener.note_cut(channels)
