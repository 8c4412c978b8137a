"""Requests that are refused: each refusal is its connection's last answer, and nothing else that came is served."""

import asyncio
from collections.abc import Callable

from awxfast._rust import RequestReader, RequestRefusal
from awxfast.http.access_log import format_client
from awxfast.http.cycle import Cycle
from awxfast.http.sending import SendingSide
from awxfast.http.shared import Shared
from awxfast.wire.forwarded import Address
from awxfast.wire.handshake import RETRY, Headers, Refusal, encode_refusal

BUSY = Refusal(503, "limit", "All places for requests are taken.", RETRY)
TOO_MUCH = Refusal(503, "limit", "Too much waits for an answer, and others wait with less (--queue-memory).", RETRY)
HEAD_TIMEOUT = Refusal(408, "head", "The request's head did not arrive in time.")

OVERHEAD = 4_096
"""Bytes of memory that a connection takes which waits for an answer, besides what its client has sent."""


class RefusingSide(SendingSide):
    """A connection as far as refusals go, and other answers that are its last. `on_lost` tells that its client is gone.

    It has what is dropped then: the request, and what came behind it. Whoever is late is refused, or cut off.
    """

    def __init__(self, service: Shared, weight: int) -> None:
        super().__init__(service.plain, service.silences, service.lingers, weight)
        self.service = service
        self.on_lost: Callable[[], None] | None = None
        self.head_memory = 0
        self._reader = RequestReader(service.max_head, max_trailers=service.max_head)
        self._cycle: Cycle | None = None
        self._asker: Address | None = None
        self._behind = b""
        self._is_deciding = False
        self._wants_head = False

    def describe_server(self) -> Headers:
        """The server's own headers."""
        return self.service.headers.describe()

    def _refuse_broken(self, event: RequestRefusal) -> None:
        limit = self.service.max_head
        text = f"The request can't be read soundly: {event.reason}."
        if event.reason == "head size":
            text = f"The request's head is over the limit of {limit} bytes (--max-head)."
        self._refuse(Refusal(event.status, "head", text))

    def _refuse(self, refusal: Refusal) -> None:
        """A request that is being answered never ends: for its application the client is gone."""
        cycle = self._cycle
        begun = cycle is not None and cycle.response_started
        if cycle is not None:
            cycle.disconnect()
        self.refuse(refusal, f"a request from {format_client(self._asker)}", answered=begun)

    def refuse(self, refusal: Refusal, subject: str, *, answered: bool = False) -> None:
        """Answers, counts, and ends the connection when the client has had time to read; `subject` is for the log.

        `answered`: it has the beginning of another response, which can only be cut off.
        """
        self.service.handshakes.refuse(refusal.reason, subject, refusal.text)
        answer = b"" if answered else encode_refusal(refusal, self.service.headers.describe())
        self.begin_answer(answer.removesuffix(refusal.body) if self._wants_head else answer)
        self.end_answer()

    def begin_answer(self, data: bytes) -> None:
        """Writes the beginning of an answer that is the connection's last. `end_answer` follows."""
        self._is_ending = True
        self._is_deciding = False
        self._drop_received()
        self.service.heads.stop(self)
        self._silences.stop(self)
        if not self.transport.is_closing():
            self._plain.wait(self)
        self.write(data)

    def end_answer(self) -> None:
        """The answer is whole: the connection ends behind it."""
        self.on_lost = None
        if not self.transport.is_closing():
            self._end_sending()

    def _drop_received(self) -> None:
        """Nothing of what came is served any more, nor of what comes."""
        self._reader.discard()
        self._behind = b""
        self._forget_request()
        self._plain.unanswered.forget(self)
        self.service.half_closed.stop(self)  # which is about a response that has not begun

    def _forget_request(self) -> None:
        """An application that has not noticed that its client is gone has it for a while."""
        cycle, self._cycle = self._cycle, None
        if cycle is not None and cycle.disconnected and cycle.leave_behind is not None:
            cycle.leave_behind(self._plain.unanswered, self.head_memory + OVERHEAD)
        self.head_memory = 0

    def leave_behind(self, task: asyncio.Task[None]) -> None:
        """A refused upgrade's application goes on for a while, with the request."""
        if not task.done():
            self._plain.unanswered.leave_behind(task, task.cancel, self.head_memory + OVERHEAD)

    def _tell_lost(self) -> None:
        """For whoever decides about an upgrade its client is gone."""
        on_lost, self.on_lost = self.on_lost, None
        if on_lost is not None:
            on_lost()

    def give_way(self) -> None:
        """All together have sent too much. For whoever decides about this one, or answers it, its client is gone."""
        self._plain.ended["memory"] += 1
        self._tell_lost()
        self._refuse(TOO_MUCH)

    def end_late_head(self) -> None:
        """The head did not arrive in time."""
        if self._reader.head_size == 0:
            self.transport.close()  # a connection that was opened ahead of need; no request waits for an answer
        else:
            self._cycle = None
            self._refuse(HEAD_TIMEOUT)

    def end_half_closed(self) -> None:
        """Whoever sends no more has waited long enough for a response to begin."""
        cycle = self._cycle
        if cycle is None or not cycle.response_started:
            self.abort()
