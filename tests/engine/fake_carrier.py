"""An engine in memory: an `Exchange` to which `FakeCarrier`s connect. Messages come in a later turn of the loop."""

import asyncio
import dataclasses
from collections.abc import Collection

from awxfast.engine.address import EngineAddress
from awxfast.engine.carrier import CarrierFigures, Listener
from awxfast.engine.nats_channels import NatsChannels


class Exchange:
    """Brings messages to all who subscribed, in order. What a test may do to it: `hold`, `let_go`, `drop`."""

    def __init__(self, most_bytes: int = 1_048_576) -> None:
        self.most_bytes = most_bytes
        self.carriers: list[FakeCarrier] = []
        self.sent: list[tuple[str, bytes]] = []
        """All that was published, in order."""
        self.drop = 0
        """So many messages from now on reach nobody."""
        self._held: list[tuple[str, bytes]] | None = None

    def connect(self) -> "FakeCarrier":
        """Another client, not started."""
        carrier = FakeCarrier(self)
        self.carriers.append(carrier)
        return carrier

    def hold(self) -> None:
        """Messages wait from now on."""
        self._held = self._held or []

    def let_go(self) -> None:
        """What waits comes, in order."""
        held, self._held = self._held or [], None
        for channel, message in held:
            self._bring(channel, message)

    def send(self, channel: str, message: bytes) -> None:
        """A message of anybody."""
        self.sent.append((channel, message))
        if self.drop:
            self.drop -= 1
        elif self._held is not None:
            self._held.append((channel, message))
        else:
            self._bring(channel, message)

    def _bring(self, channel: str, message: bytes) -> None:
        for carrier in self.carriers:
            carrier.take(channel, message)


class FakeCarrier:
    """One client. What a test may do to it: `cut`, `mend`, and `confirms` false, so that `subscribe` waits."""

    def __init__(self, exchange: Exchange) -> None:
        self._exchange = exchange
        self.address = EngineAddress.parse("nats://127.0.0.1:4222")
        self.names = NatsChannels(self.address.prefix)
        self.needs_change = False
        self._listener: Listener | None = None
        self._loop: asyncio.AbstractEventLoop | None = None
        self._arrived: list[tuple[str, bytes]] = []
        self._figures = CarrierFigures(False, 0, 0, 0, 0, 0, 0, 0, 0)
        self._but: str | None = None
        self._waiting: list[tuple[str, bytes, int]] = []
        self._confirming = asyncio.Event()
        self._confirming.set()
        self.subscribed: set[str] = set()
        self.up = False
        self.trouble = ""

    @property
    def most_bytes(self) -> int:
        return self._exchange.most_bytes

    @property
    def confirms(self) -> bool:
        return self._confirming.is_set()

    @confirms.setter
    def confirms(self, confirms: bool) -> None:
        (self._confirming.set if confirms else self._confirming.clear)()

    async def start(self, listener: Listener) -> None:
        self._loop = asyncio.get_running_loop()
        self._listener = listener
        self.up = True

    async def stop(self) -> None:
        self.up = False
        self._listener = None

    def cut(self) -> None:
        """Nothing goes out and nothing comes any more."""
        self.up = False
        self.trouble = "cut"

    def mend(self) -> None:
        """All is as before, and the listener knows that it may have missed something."""
        self.up = True
        self.trouble = ""
        self._count(reconnects=1)
        if self._listener is not None:
            self._listener.note_cut(None)

    def publish(self, channel: str, message: bytes, events: int) -> None:
        if not self.up:
            if self._listener is not None:
                self._listener.note_lost(events, "connection_broken")
            return
        if self._but not in (None, channel):
            self._waiting.append((channel, message, events))
            return
        self._count(published=1, published_bytes=len(message))
        self._exchange.send(channel, message)

    def hold(self, but: str) -> None:
        self._but = but

    def release(self) -> None:
        waiting, self._waiting, self._but = self._waiting, [], None
        for message in waiting:
            self.publish(*message)

    async def subscribe(self, channels: Collection[str]) -> None:
        await self._confirming.wait()
        self.subscribed.update(channels)

    def unsubscribe(self, channels: Collection[str]) -> None:
        self.subscribed.difference_update(channels)

    def figures(self) -> CarrierFigures:
        return dataclasses.replace(self._figures, up=self.up, subscribed=len(self.subscribed))

    def take(self, channel: str, message: bytes) -> None:
        """The exchange's: a message of anybody."""
        if not self.up or channel not in self.subscribed or self._loop is None:
            return
        if not self._arrived:
            self._loop.call_soon(self._deliver)
        self._arrived.append((channel, message))

    def _deliver(self) -> None:
        arrived, self._arrived = self._arrived, []
        arrived = [(channel, message) for channel, message in arrived if channel in self.subscribed]
        if self._listener is not None and self.up and arrived:
            self._count(received=len(arrived), received_bytes=sum(len(message) for _, message in arrived))
            self._listener.receive(arrived)

    def _count(self, **more: int) -> None:
        now = {name: getattr(self._figures, name) + number for name, number in more.items()}
        self._figures = dataclasses.replace(self._figures, **now)
