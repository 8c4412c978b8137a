"""Messages through a carrier of an engine, numbered, so that a test sees what came of each."""

import asyncio
import collections
import contextlib
import time
from collections.abc import AsyncIterator, Callable, Collection, Sequence
from itertools import accumulate

from awxfast.engine.carrier import Carrier
from redis_servers import HANG


class Hearing:
    """A carrier's listener that keeps what it is told."""

    def __init__(self) -> None:
        self.messages: list[tuple[str, bytes]] = []
        self.lost: collections.Counter[str] = collections.Counter()
        self.cut: collections.Counter[str] = collections.Counter()
        self.returns = 0
        """Times that everything was cut off."""
        self.on_return: Callable[[], None] = lambda: None

    def receive(self, messages: Sequence[tuple[str, bytes]]) -> None:
        self.messages += messages

    def note_lost(self, events: int, reason: str) -> None:
        self.lost[reason] += events

    def note_cut(self, channels: Collection[str] | None) -> None:
        self.cut.update(channels or ())
        if channels is None:
            self.returns += 1
            self.on_return()

    def numbers(self, channel: str) -> list[int]:
        return [int(message[:10]) for name, message in self.messages if name == channel]


class Traffic:
    """One message after the other to each channel, from one carrier to another."""

    def __init__(self, sender: Carrier, sent: Hearing, taker: Carrier, heard: Hearing, channels: Sequence[str]) -> None:
        self.sender, self.sent, self.taker, self.heard, self.channels = sender, sent, taker, heard, channels
        self.count = 0
        self._running: asyncio.Task[None] | None = None

    def send(self, rounds: int = 1, size: int = 100) -> None:
        for _ in range(rounds):
            self.count += 1
            for channel in self.channels:
                self.sender.publish(channel, (b"%010d" % self.count).ljust(size, b"x"), 1)

    @contextlib.asynccontextmanager
    async def flowing(self, interval: float = 0.005) -> AsyncIterator[None]:
        """Inside of it messages go all the time."""

        async def flow() -> None:
            while True:
                self.send()
                await asyncio.sleep(interval)

        self._running = asyncio.create_task(flow())
        try:
            yield
        finally:
            self._running.cancel()
            await asyncio.gather(self._running, return_exceptions=True)

    async def all_channels_flow(self) -> None:
        """Returns when each channel has brought something that was sent after this was called."""
        after = self.count
        await until(lambda: all(self.newest(channel) > after for channel in self.channels), "a channel stays silent")

    async def arrived(self) -> None:
        """Returns when the last message of each channel is there; none is under way then."""
        deadline = time.monotonic() + HANG
        while time.monotonic() < deadline:
            self.send()  # what is sent while a channel is cut off is lost, the last one too
            again = time.monotonic() + 1
            while time.monotonic() < again:
                if all(self.newest(channel) == self.count for channel in self.channels):
                    return
                await asyncio.sleep(0.01)
        raise AssertionError("the last is not there")

    def newest(self, channel: str) -> int:
        for name, message in reversed(self.heard.messages):
            if name == channel:
                return int(message[:10])
        return 0

    def assert_in_order(self, *, late: int = 0) -> None:
        """Nothing twice, nothing behind what was sent later.

        `late`: so many at most came behind others: a server that was frozen sends on what it had got before, when it
        is thawed. Whoever numbers what is in a message tells them by that.
        """
        behind = 0
        for channel in self.channels:
            numbers = self.heard.numbers(channel)
            assert len(numbers) == len(set(numbers)), channel
            behind += sum(number < newest for number, newest in zip(numbers, accumulate(numbers, max), strict=True))
        assert behind <= late, (self.sent.lost, self.heard.cut, self.sender.figures())

    def count_missing(self) -> dict[str, int]:
        """By channel, of those that miss some."""
        missing = {channel: self.count - len(set(self.heard.numbers(channel))) for channel in self.channels}
        return {channel: number for channel, number in missing.items() if number}

    def assert_losses_told(self) -> None:
        """What is missing was lost on the way out and counted, or came while a channel was cut off, which was told."""
        missing = self.count_missing()
        uncut = sum(number for channel, number in missing.items() if not self.heard.cut[channel])
        assert uncut <= sum(self.sent.lost.values()), (missing, self.sent.lost, self.heard.cut)


async def until(holds: Callable[[], bool], what: str) -> None:
    """Waits; fails with `what` where it would wait for ever."""
    deadline = time.monotonic() + HANG
    while not holds():
        assert time.monotonic() < deadline, what
        await asyncio.sleep(0.01)
