"""Who uses NATS in tests: a carrier, and what it has heard and was told."""

import asyncio
from collections.abc import AsyncIterator, Awaitable, Callable, Collection, Sequence

import pytest
from awxfast.engine.address import EngineAddress
from awxfast.engine.nats_carrier import NatsCarrier

CHANNEL = "awxfast.group.job_events-1"
HANG = 30.0
"""Seconds after which something that does not happen counts as failed."""


class NatsUser:
    """A carrier's listener with its carrier."""

    def __init__(self, url: str) -> None:
        self.carrier = NatsCarrier(EngineAddress.parse(url))
        self.heard: list[tuple[str, bytes]] = []
        self.lost: list[tuple[int, str]] = []
        self.cuts = 0
        self.cut_channels: set[str] = set()

    def receive(self, messages: Sequence[tuple[str, bytes]]) -> None:
        self.heard += messages

    def note_lost(self, events: int, reason: str) -> None:
        self.lost.append((events, reason))

    def note_cut(self, channels: Collection[str] | None) -> None:
        self.cuts += channels is None
        self.cut_channels.update(channels or ())

    @property
    def lost_events(self) -> int:
        return sum(events for events, _ in self.lost)

    @property
    def port(self) -> int:
        """Of the server that it is connected to."""
        return self.carrier.server[1]

    async def until_up(self) -> None:
        await until(lambda: self.carrier.up)

    def messages(self, channel: str) -> list[bytes]:
        return [message for name, message in self.heard if name == channel]


Join = Callable[[str], Awaitable[NatsUser]]
"""What `join_nats` is."""


async def until(condition: Callable[[], bool], seconds: float = HANG) -> None:
    async with asyncio.timeout(seconds):
        while not condition():  # noqa: ASYNC110  nobody sets an event
            await asyncio.sleep(0.005)


async def publish_numbers(user: NatsUser, channel: str, numbers: range, pause: float = 0.0) -> None:
    """A message with one event for each."""
    for number in numbers:
        user.carrier.publish(channel, b"%d" % number, 1)
        await asyncio.sleep(pause)


@pytest.fixture
async def join_nats() -> AsyncIterator[Join]:
    """Starts carriers by their URL; whoever uses one waits until it is up."""
    users: list[NatsUser] = []

    async def join(url: str) -> NatsUser:
        users.append(NatsUser(url))
        await users[-1].carrier.start(users[-1])
        return users[-1]

    yield join
    await asyncio.gather(*(user.carrier.stop() for user in users))


async def pair_of(join_nats: Join, url: str, other: str | None = None) -> tuple[NatsUser, NatsUser]:
    """One that publishes, and one that has subscribed to `CHANNEL`."""
    publisher, taker = await join_nats(url), await join_nats(other or url)
    await publisher.until_up()
    await taker.carrier.subscribe([CHANNEL])
    return publisher, taker


async def pass_one(publisher: NatsUser, taker: NatsUser, mark: bytes) -> None:
    """Publishes it until it has come: a route between servers knows of a subscription a little later than ours."""
    while mark not in taker.messages(CHANNEL):
        publisher.carrier.publish(CHANNEL, mark, 0)
        await asyncio.sleep(0.05)


def numbers_heard(taker: NatsUser) -> list[int]:
    return [int(message) for message in taker.messages(CHANNEL) if message.isdigit()]
