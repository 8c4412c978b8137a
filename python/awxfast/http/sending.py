"""The sending side of a plain connection: what is written, whether its client takes that, and how it all ends."""

import abc
import asyncio

from awxfast.http.plain_connections import PlainConnections
from awxfast.http.timeouts import Timeouts


class SendingSide(asyncio.Protocol):
    """Writes to a client. One that takes nothing for too long is cut off; for what is written last it has a while.

    `weight` is how many descriptors the connection takes.
    """

    transport: asyncio.Transport

    def __init__(
        self,
        plain: PlainConnections,
        silences: "Timeouts[SendingSide]",
        lingers: "Timeouts[SendingSide]",
        weight: int,
    ) -> None:
        self.weight = weight
        self.descriptor = -1
        self.is_reading_paused = False
        self._plain = plain
        self._silences = silences
        self._lingers = lingers
        self._is_ending = False
        self._unwritten = 0
        self._drained: asyncio.Future[None] | None = None

    # What the receiving side knows

    @property
    @abc.abstractmethod
    def is_answering(self) -> bool:
        """Whether a request is whole, and its response is not."""

    @property
    @abc.abstractmethod
    def awaits_body(self) -> bool:
        """Whether the next step is the client's: more of a body that there is room for."""

    @abc.abstractmethod
    def _drop_received(self) -> None:
        """Nothing more is served."""

    # What is written

    def write(self, data: bytes) -> None:
        """Writes, or drops what nobody can get any more."""
        if not self.transport.is_closing():
            self.transport.write(data)

    def pause_writing(self) -> None:
        """The client takes nothing more at present; for how long it may is bounded."""
        if self._drained is None:
            self._drained = asyncio.get_running_loop().create_future()
        self._watch_unwritten()

    def _watch_unwritten(self) -> None:
        self._unwritten = self.transport.get_write_buffer_size()
        if self._unwritten:
            self._silences.restart(self)

    def resume_writing(self) -> None:
        """The client takes bytes again."""
        if not self.transport.is_closing() and (self.is_answering or self._is_ending):
            self._silences.stop(self)
        else:
            self._unwritten = self.transport.get_write_buffer_size()
        self._wake_sender()

    def _wake_sender(self) -> None:
        drained, self._drained = self._drained, None
        if drained is not None and not drained.done():
            drained.set_result(None)

    async def drain(self) -> None:
        """Returns when there is room for more, or nobody is there."""
        if self._drained is not None:
            await asyncio.shield(self._drained)

    @property
    def is_taken(self) -> bool:
        """Whether the kernel has all that was written."""
        return not self.transport.get_write_buffer_size()

    # The end

    def cut(self) -> None:
        """The response can't be ended in order: the connection's end tells it."""
        self._close()

    def abort(self) -> None:
        """Ends it at once."""
        self.transport.abort()

    def _close(self) -> None:
        """What was written goes out first, as long as the client takes it."""
        if not self.transport.is_closing():
            self._is_ending = True
            self._drop_received()
            self._plain.wait(self)
            self._watch_unwritten()
            self.transport.close()

    def _end_sending(self) -> None:
        """The client has time to read; what it sends is read to no purpose."""
        self._is_ending = True
        self._drop_received()
        self.transport.write_eof()
        self._silences.stop(self)
        self._lingers.start(self)
        self._pause_reading(False)

    def _pause_reading(self, is_paused: bool) -> None:
        if is_paused != self.is_reading_paused:
            self.is_reading_paused = is_paused
            if is_paused:
                self.transport.pause_reading()
            else:
                self.transport.resume_reading()

    def end_silence(self) -> None:
        """Nothing came, or nothing was taken."""
        left = self.transport.get_write_buffer_size()
        if left and left >= self._unwritten:
            self.abort()
        elif left:
            self._watch_unwritten()
        elif not self.is_answering:
            self.transport.close()

    def end_linger(self) -> None:
        """The time to read an answer is up."""
        if self.transport.is_closing():
            self.abort()
        else:
            self._close()

    def end_idle(self) -> None:
        """Somebody else needs the descriptor. What was written may still be read."""
        if self.transport.get_write_buffer_size():
            self.transport.close()
            self._lingers.start(self)
        else:
            self.abort()
