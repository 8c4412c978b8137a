"""Another node's publisher at a real engine, as the test says."""

import asyncio
from collections.abc import Collection, Sequence

from awxfast.engine.open_carrier import open_carrier
from awxfast.wire.backplane import Fault
from awxfast.wire.engine_notices import Ask, Change, Listing, encode_notice, read_notice
from engine.packets import packet
from redis_servers import HANG


class EnginePublisher:
    """`async with EnginePublisher(url) as publisher`."""

    def __init__(self, url: str) -> None:
        self.carrier = open_carrier(url)
        self.names = self.carrier.names
        self.wanted: dict[str, set[str]] = {}
        """By taker."""
        self.numbers: dict[str, int] = {}

    async def __aenter__(self) -> "EnginePublisher":
        await self.carrier.start(self)
        await self.carrier.subscribe([self.names.wants])
        self.carrier.publish(self.names.wants, encode_notice(Ask(of=None)), 0)
        return self

    async def __aexit__(self, *exception: object) -> None:
        await self.carrier.stop()

    def receive(self, messages: Sequence[tuple[str, bytes]]) -> None:
        for _, message in messages:
            notice = read_notice(message)
            assert not isinstance(notice, Fault)
            if isinstance(notice, Change):
                groups = self.wanted.setdefault(notice.who, set())
                groups |= set(notice.add)
                groups -= set(notice.drop)
            elif isinstance(notice, Listing):
                self.wanted[notice.who] = set(notice.groups)

    def note_lost(self, events: int, reason: str) -> None:
        raise AssertionError(reason)

    def note_cut(self, channels: Collection[str] | None) -> None: ...

    async def until_wanted(self, group: str, takers: int = 1) -> None:
        """By so many processes."""
        async with asyncio.timeout(HANG):
            while sum(group in groups for groups in self.wanted.values()) < takers:  # noqa: ASYNC110
                await asyncio.sleep(0.01)

    def send(self, group: str, *texts: str) -> None:
        """The next events of a group."""
        number = self.numbers.get(group, 1)
        self.numbers[group] = number + len(texts)
        self.carrier.publish(self.names.of(group), packet(number, *texts), len(texts))
