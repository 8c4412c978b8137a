"""The two ages of a websocket, before its 101 and after it: what a session asks of them."""

import asyncio
from collections.abc import Callable
from typing import Protocol

from awxfast.sockets.session import Session
from awxfast.wire.handshake import Handshake, Headers, Refusal
from awxfast.wire.request import Request


class Opening(Protocol):
    """An upgrade request that waits; the first decision counts."""

    request: Request
    handshake: Handshake
    on_lost: Callable[[], object] | None
    task: asyncio.Task[None] | None
    """The one in which the application runs."""

    def accept(self, session: Session, kind: str, headers: Headers = ()) -> None:
        """Writes the 101; `session.open` follows."""

    def refuse(self, refusal: Refusal) -> None:
        """Answers with something else than a 101."""

    def begin_denial(self, status: int, headers: Headers) -> None:
        """The head of an answer of the application's own."""

    async def send_denial(self, body: bytes) -> None:
        """A part of its body; returns when there is room for more."""

    def end_denial(self) -> None:
        """The answer is whole, or never will be."""


class Socket(Protocol):
    """The connection of an accepted websocket."""

    @property
    def client(self) -> int:
        """The fan-out's number of the browser."""

    def send_str(self, text: str) -> int:
        """Queues a text message; its bytes on the wire."""

    def send_binary(self, payload: bytes) -> None:
        """Queues a binary message."""

    def ask_room(self) -> None:
        """Has `room_made` called when less waits than the client's bound."""

    def pause_reading(self) -> None:
        """Lets the browser's bytes wait in the kernel."""

    def resume_reading(self) -> None:
        """Reads the browser's messages again."""

    def close(self, code: int, reason: bytes = b"") -> None:
        """Closes behind all that is queued, since the browser did wrong."""

    def leave(self, code: int, reason: bytes = b"") -> None:
        """Closes behind all that is queued."""
