"""What was published and can't be handed on at once: it waits here, since Redis cuts off who does not read.

Of all that is here the oldest goes when it is too much, counted as the gap `backlog_full`.
"""

import asyncio
import collections

from awxfast.intake.caught_up import CaughtUp
from awxfast.intake.drain import BATCH, HELD_BATCH
from awxfast.intake.event_taker import EventTaker
from awxfast.redis.push_connection import Message

MOST_EVENTS = 100_000
MOST_BYTES = 67_108_864
"""What may wait; a single message may be larger."""


class PushBacklog:
    """Hands messages on in order: at once while `taker` keeps up. Plain attributes are counters for metrics."""

    def __init__(self, taker: EventTaker, caught_up: CaughtUp) -> None:
        """`caught_up`: tells that `taker` may be asked again whether to wait."""
        self._taker = taker
        self._caught_up = caught_up
        self._waiting: collections.deque[Message] = collections.deque()
        self._bytes = 0
        self._wake = asyncio.Event()
        self._keeps = False
        self.events = self.holds = 0

    def __len__(self) -> int:
        """How many messages wait here."""
        return len(self._waiting)

    def put(self, messages: list[Message]) -> None:
        """Takes what has come, and hands it on if that can be."""
        self.events += len(messages)
        if not self._waiting and not self._keeps and len(messages) <= BATCH and not self._taker.wait_time():
            self._taker.publish_pushed(messages)
            return
        self._waiting.extend(messages)
        self._bytes += sum(len(body) for _, _, body in messages)
        self._shed()
        self._wake.set()

    async def run(self) -> None:
        """Hands on what waits, until it is cancelled."""
        while True:
            await self._wake.wait()
            if self._keeps or not self._waiting:
                self._wake.clear()
                continue
            held = await self._hold_back()
            if not self._keeps:
                self._hand_on(HELD_BATCH if held else BATCH)
            await asyncio.sleep(0)

    def keep(self) -> None:
        """Nothing is handed on from now on."""
        self._keeps = True

    def go_on(self) -> None:
        """What waits and what comes is handed on again."""
        self._keeps = False
        self._wake.set()

    def hand_all_on(self) -> None:
        """However far `taker` is behind."""
        while self._waiting:
            self._hand_on(BATCH)

    def _hand_on(self, count: int) -> None:
        messages = [self._waiting.popleft() for _ in range(min(count, len(self._waiting)))]
        self._bytes -= sum(len(body) for _, _, body in messages)
        if messages:
            self._taker.publish_pushed(messages)

    async def _hold_back(self) -> bool:
        """Waits while `taker` is behind; whether it was."""
        held = False
        while (seconds := self._taker.wait_time()) > 0 and not self._keeps:
            self.holds += not held
            held = True
            await self._caught_up.wait(seconds)
        return held

    def _shed(self) -> None:
        shed = 0
        while len(self._waiting) > MOST_EVENTS or (self._bytes > MOST_BYTES and len(self._waiting) > 1):
            self._bytes -= len(self._waiting.popleft()[2])
            shed += 1
        if shed:
            self._taker.count_gap("backlog_full", shed)
