"""What a client of NATS is subscribed to, under numbers of its own, and what came of that in one turn of the loop."""

import asyncio
import itertools
from collections.abc import Callable, Collection, Sequence

Heard = list[tuple[str, bytes]]


class NatsSubscriptions:
    """`deliver` is given what one read has brought. Plain attributes are for figures."""

    def __init__(self, deliver: Callable[[Heard], None]) -> None:
        self._give = deliver
        self._numbers = itertools.count(1)
        self._subscribed: dict[str, int] = {}
        self._channels: dict[int, str] = {}
        self._heard: Heard = []
        self.received = self.received_bytes = 0

    def __len__(self) -> int:
        return len(self._subscribed)

    def list_all(self) -> Collection[tuple[str, int]]:
        """Channels with the number of each."""
        return self._subscribed.items()

    def add(self, channels: Collection[str]) -> Sequence[tuple[str, int]]:
        """The numbers of those that are new."""
        fresh = [(channel, next(self._numbers)) for channel in channels if channel not in self._subscribed]
        self._subscribed.update(fresh)
        self._channels.update((number, channel) for channel, number in fresh)
        return fresh

    def remove(self, channels: Collection[str]) -> Sequence[int]:
        """The numbers of those that were there."""
        numbers = [self._subscribed.pop(channel) for channel in channels if channel in self._subscribed]
        for number in numbers:
            del self._channels[number]
        return numbers

    def hear(self, number: int, message: bytes) -> None:
        """Keeps a message until this turn of the loop is over; one of what was left meanwhile is dropped."""
        channel = self._channels.get(number)
        if channel is None:
            return
        if not self._heard:
            asyncio.get_running_loop().call_soon(self.deliver)
        self._heard.append((channel, message))

    def deliver(self) -> None:
        """Hands on what has come up to now."""
        heard, self._heard = self._heard, []
        if heard:
            self.received += len(heard)
            self.received_bytes += sum(len(message) for _, message in heard)
            self._give(heard)
