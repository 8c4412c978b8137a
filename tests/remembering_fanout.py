"""Stands for the fan-out where its bytes and sockets do not matter."""

import asyncio
from collections import Counter
from collections.abc import Callable, Sequence
from typing import Any

import msgpack
import pytest

HANG = 20.0
"""Seconds after which something that does not happen counts as failed."""


class RememberingFanout:
    """Keeps what it is given. `wait_times` are given in turn, then 0."""

    def __init__(self) -> None:
        self.batches: list[Sequence[Any]] = []
        self.pushed: list[tuple[bool, bytes, bytes]] = []
        self.channels: dict[str, str] = {}
        self.gaps: Counter[str] = Counter()
        self.gap_sizes: list[tuple[str, int]] = []
        self.wait_times: list[float] = []
        self.too_large = 0

    def publish_batch(self, entries: Sequence[Any]) -> None:
        self.batches.append(entries)

    def publish_pushed(self, messages: list[tuple[bool, bytes, bytes]]) -> None:
        self.pushed += messages

    def count_too_large(self, count: int) -> None:
        self.too_large += count

    def wait_time(self) -> float:
        return self.wait_times.pop(0) if self.wait_times else 0.0

    def count_gap(self, reason: str, at_most: int, times: int = 1) -> None:
        self.gaps[reason] += times
        self.gap_sizes.append((reason, at_most))

    def add_channel(self, local: str, group: str) -> None:
        self.channels[local] = group

    def remove_channel(self, local: str) -> None:
        del self.channels[local]

    def messages(self) -> list[dict[str, Any]]:
        """All events as producers meant them."""
        return [msgpack.unpackb(bytes(member)[12:]) for batch in self.batches for member, _ in batch]

    def pushed_texts(self) -> list[str]:
        return [msgpack.unpackb(body)["text"] for _, _, body in self.pushed]

    def texts(self) -> list[str]:
        return [message["text"] for message in self.messages()]


async def eventually(condition: Callable[[], Any], seconds: float = HANG) -> None:
    """Waits until something is so; the time is only a guard against hanging."""
    async with asyncio.timeout(seconds):
        while not condition():  # noqa: ASYNC110  the condition is often Redis' or another process's
            await asyncio.sleep(0.005)


@pytest.fixture
def fanout() -> RememberingFanout:
    return RememberingFanout()
