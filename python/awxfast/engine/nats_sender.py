"""What a NATS carrier sends: its messages wait here, and go out over whichever connection there is."""

import asyncio
from collections.abc import Callable, Sequence

from awxfast.engine.nats_connection import NatsConnection
from awxfast.engine.waiting_messages import Message, WaitingMessages

BATCH_BYTES = 262_144
"""What is written at once before we look whether the server takes it."""


class NatsSender:
    """`note_lost` is told of events that do not go out, and why. Plain attributes are for figures."""

    def __init__(self, note_lost: Callable[[int, str], None], note_too_small: Callable[[int], None]) -> None:
        """`note_too_small` is told of a server's `max_payload` that keeps us from saying who we are."""
        self._note_lost = note_lost
        self._note_too_small = note_too_small
        self.waiting = WaitingMessages(note_lost)
        self._wake = asyncio.Event()
        self.idle = asyncio.Event()
        """All was written to a connection."""
        self.published = self.published_bytes = 0

    def put(self, channel: str, message: bytes, events: int) -> None:
        """Queues a message; what is queued in one turn of the loop goes out together."""
        self.waiting.put(channel, message, events)
        self.idle.clear()
        self._wake.set()

    def release(self) -> None:
        """What was held may go out."""
        self.waiting.release()
        self._wake.set()

    async def send(self, connection: NatsConnection, is_leaving: Callable[[NatsConnection], bool]) -> None:
        """Until the connection is of no use any more, or is left: what waits then goes to the next one."""
        self._wake.set()
        while True:
            await self._wake.wait()
            self._wake.clear()
            while self.waiting.can_be_taken and not (connection.ended.done() or is_leaving(connection)):
                if connection.is_behind and not await connection.confirm():
                    return
                self._write(connection, self.waiting.take(BATCH_BYTES))
                await connection.drain()
            if not len(self.waiting):
                self.idle.set()

    def _write(self, connection: NatsConnection, batch: Sequence[Message]) -> None:
        most = connection.most_bytes
        fitting = [message for message in batch if len(message[1]) <= most]
        if too_large := [events for _, text, events in batch if len(text) > most]:
            self._note_lost(sum(too_large), "refused")
            if 0 in too_large:
                self._note_too_small(most)
        connection.publish(fitting)
        self.published += len(fitting)
        self.published_bytes += sum(len(message[1]) for message in fitting)
