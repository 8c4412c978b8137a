"""One websocket of the application: its messages become a handshake, frames and a close, and the other way round."""

import asyncio
import enum
import sys
from collections.abc import Callable, Mapping
from typing import Any

from awxfast.hosted.inbox import Inbox, Unreceived
from awxfast.hosted.messages import check_acceptance, check_code, check_headers, check_status, cut_reason
from awxfast.hosted.replay import LONGEST_TEXT, Kept, Replay, describe_message, read_message
from awxfast.hosted.websocket import Opening, Socket
from awxfast.sockets.connection import Connection
from awxfast.wire.close_codes import ABNORMAL, FAILED, NORMAL, POLICY, RESTARTING
from awxfast.wire.handshake import Refusal

WINDOW = 262_144
"""Bytes that are sent before it is asked whether there is room for more: to ask each time costs as much as to send."""
MESSAGE_OVERHEAD = 4_096
"""What a message counts for besides its bytes."""

DENIED = Refusal(403, "application", "Access denied.")
TOO_MANY_GROUPS = Refusal(403, "limit", "Too many groups.")
UNDECIDED = Refusal(403, "application", "The application did not decide.")
NO_ROUTE = Refusal(404, "path", "There is nothing here.")
APPLICATION_FAILED = Refusal(500, "application", "The application failed.")


class State(enum.Enum):
    """What the application may do next."""

    CONNECTING = "connecting"
    DENYING = "denying"
    OPEN = "open"
    CLOSED = "closed"


CONNECTING, DENYING, OPEN, CLOSED = State
"""As names of their own: to look them up in the class costs ten times as much, several times a message."""


class HostedSession:
    """Between the application's `receive` and `send` and the socket. All of it belongs to the serving loop."""

    __slots__ = (
        "_attached",
        "_finished",
        "_inbox",
        "_is_held_back",
        "_kept",
        "_last",
        "_now",
        "_on_attached",
        "_on_end",
        "_opening",
        "_replay",
        "_room",
        "_sent",
        "_socket",
        "_state",
        "_subprotocol",
        "client",
        "over_since",
        "path",
    )

    takes_str = True

    def __init__(
        self, opening: Opening, unreceived: Unreceived, now: Callable[[], float], kept: Kept | None = None
    ) -> None:
        """`kept`: what another process needs of the request to begin its consumer anew; None: none will."""
        self._kept = kept
        self._last: str | bool | None = None
        """What the browser sent last; True: it was too long to be kept."""
        self._subprotocol: str | None = None
        self._replay: Replay | None = None
        self.path = opening.request.path
        """The request's, for the log."""
        self._opening = opening
        self._now = now
        self._state = CONNECTING
        self._socket: Socket | None = None
        self._inbox = Inbox(unreceived)
        self._inbox.put({"type": "websocket.connect"})
        self._is_held_back = False
        self._attached: asyncio.Future[None] | None = None
        self._room: asyncio.Future[None] | None = None
        self._sent = 0
        self._finished = False
        self._on_attached: list[Callable[[], None]] = []
        self._on_end: list[Callable[[], None]] = []
        self.client: int | None = None
        self.over_since: float | None = None
        """When it came that nothing more can be sent or received."""
        opening.on_lost = self._lose

    # For the channel layer (asgi.session)

    @property
    def has_ended(self) -> bool:
        """Whether the application's task has."""
        return self._finished

    def on_attached(self, callback: Callable[[], None]) -> None:
        """Calls back when `client` has just been set."""
        self._on_attached.append(callback)

    def on_end(self, callback: Callable[[], None]) -> None:
        """Calls back when the application's task has ended."""
        self._on_end.append(callback)

    def overstep(self) -> None:
        """Closes with 1008; a browser that still waits for its 101 gets 403."""
        if self.is_undecided:
            self._opening.refuse(TOO_MANY_GROUPS)
            self._end(ABNORMAL)
        elif self._state is OPEN and self._socket is not None:
            self._socket.close(POLICY, b"too many groups")

    # From one process to the next

    @property
    def is_at_rest(self) -> bool:
        """Whether the application has served all that the browser sent; also where nothing more comes of it."""
        return self._state is not OPEN or (self._replay is None and self._inbox.is_awaited)

    def freeze(self) -> dict[str, Any]:
        """What a new consumer in another process needs, as JSON has it; nothing changes here.

        A text that the former one has not served to its end is begun anew, and what it said to it may be said twice.
        """
        assert self._kept is not None
        last, commands = self._last, [describe_message(message) for message in self._inbox.waiting]
        if self._replay is not None:
            last, commands = self._replay.last, self._replay.unserved
        elif isinstance(last, str) and not self._inbox.is_awaited:
            last, commands = None, [last, *commands]
        return {"kept": self._kept.freeze(), "subprotocol": self._subprotocol, "last": last, "commands": commands}

    def resume(self, connection: Connection, frozen: Mapping[str, Any]) -> None:
        """Goes on with what `freeze` gave in the process before this one; the browser is not read meanwhile."""
        assert self._replay is not None
        connection.leave_groups()
        connection.pause_reading()
        self._replay.opening.socket = connection
        if frozen["last"] is True:
            connection.leave(RESTARTING)

    def replay(self, replay: Replay) -> None:
        """What this one is told is that, and what it says to it is dropped."""
        self._replay = replay

    def end_replay(self) -> None:
        """The browser's turn is next, and what is said reaches it; unless that is so already."""
        replay, self._replay = self._replay, None
        if replay is None:
            return
        is_full = False
        for message, size in map(read_message, replay.unserved):
            is_full = self._inbox.put(message, size)
        if self._last is None:
            self._last = replay.last
        self._is_held_back = is_full
        if self._socket is not None and not is_full:
            self._socket.resume_reading()
        replay.settle()

    def end_late_replay(self) -> None:
        """It takes too long: who has accepted at least goes on."""
        if self.is_undecided:
            self.give_up(UNDECIDED)
        else:
            self.end_replay()

    @property
    def is_replayed(self) -> bool:
        """Whether it has not had all yet that is known from before."""
        return self._replay is not None

    # For the host

    @property
    def is_undecided(self) -> bool:
        """Whether the browser still waits for an answer to its request."""
        return self._state is CONNECTING and self._attached is None

    def give_up(self, refusal: Refusal) -> None:
        """Answers in place of an application that takes too long to decide."""
        self._opening.refuse(refusal)
        self._end(ABNORMAL)

    def finish(self, refusal: Refusal) -> None:
        """The application's task has ended: what it left open is closed, or refused."""
        if self._state is CONNECTING:
            self._opening.refuse(refusal)
        elif self._state is DENYING:
            self._opening.end_denial()
        elif self._state is OPEN and self._socket is not None:
            self._socket.leave(*((FAILED, b"the application ended") if self._replay is None else (RESTARTING,)))
        self._end(ABNORMAL)
        self._inbox.discard()
        self._finished = True
        callbacks, self._on_end = self._on_end, []
        for callback in callbacks:
            callback()

    # What the connection calls

    def open(self, connection: Socket) -> None:
        """The 101 is out."""
        self._state = OPEN
        self._socket = connection
        self.client = connection.client
        callbacks, self._on_attached = self._on_attached, []
        for callback in callbacks:
            callback()
        settle(self._attached)
        if self._replay is not None:
            self._tell_last(self._replay)

    def _tell_last(self, replay: Replay) -> None:
        """The new consumer has accepted."""
        if replay.last is not None:
            self._inbox.put({"type": "websocket.receive", "text": replay.last}, sys.getsizeof(replay.last))
        elif self._inbox.is_awaited:
            self.end_replay()

    def receive_text(self, text: str) -> None:
        """A text message of the browser's."""
        if self._inbox.put({"type": "websocket.receive", "text": text}, sys.getsizeof(text)):
            self._hold_back()

    def receive_binary(self, payload: bytes) -> None:
        """A binary message of the browser's."""
        if self._inbox.put({"type": "websocket.receive", "bytes": payload}, sys.getsizeof(payload)):
            self._hold_back()

    def _hold_back(self) -> None:
        if self._socket is not None:
            self._is_held_back = True
            self._socket.pause_reading()

    def replies_drained(self) -> None:
        """Never asked for: what matters here is room, whoever fills it."""

    def room_made(self) -> None:
        """The answer to `ask_room`."""
        settle(self._room)
        self._room = None

    def end(self, code: int, reason: str = "") -> None:
        """The socket is closed, by whom ever."""
        self._end(code, reason)

    def _lose(self) -> None:
        self._end(ABNORMAL)

    def _end(self, code: int, reason: str = "") -> None:
        """Lets everybody go who waits; the application is told."""
        if self._state is CLOSED:
            return
        self._state = CLOSED
        self._socket = None
        self.end_replay()
        self._inbox.put({"type": "websocket.disconnect", "code": code} | ({"reason": reason} if reason else {}))
        settle(self._attached)
        self.room_made()
        self.over_since = self._now()

    # What the application calls

    async def receive(self) -> dict[str, Any]:
        """The next message. After `websocket.disconnect` there is none, however long one waits."""
        if self._replay is not None and self._state is OPEN and not self._inbox.waiting:
            self.end_replay()  # it comes back for more: all before is served
        message = await self._inbox.get()
        if self._kept is not None and (text := message.get("text")) is not None:
            self._last = text if len(text) <= LONGEST_TEXT else True
        if self._is_held_back and self._socket is not None and not self._inbox.is_full:
            self._is_held_back = False
            self._socket.resume_reading()
        return message

    async def send(self, message: dict[str, Any]) -> None:
        """Does what a message says; after the end of the socket nothing, as in daphne. Raises `ValueError`."""
        kind = message.get("type")
        if kind == "websocket.send":
            await self._send(message)
        elif self._state is CLOSED:
            return
        elif kind == "websocket.accept":
            await self._accept(message)
        elif kind == "websocket.close":
            self._close(message)
        elif kind == "websocket.http.response.start":
            self._begin_denial(message)
        elif kind == "websocket.http.response.body":
            await self._send_denial(message)
        else:
            raise ValueError(f"a websocket has no messages of type {kind!r}")

    async def _accept(self, message: dict[str, Any]) -> None:
        if not self.is_undecided:
            raise ValueError("the websocket is accepted already, or being denied")
        subprotocol = message.get("subprotocol") or None
        if subprotocol is not None and subprotocol not in self._opening.handshake.subprotocols:
            raise ValueError(f"the browser did not offer the subprotocol {subprotocol!r}")
        headers = check_acceptance(message.get("headers") or ())
        if subprotocol is not None:
            headers.append((b"sec-websocket-protocol", subprotocol.encode("ascii")))
        self._subprotocol = subprotocol
        self._attached = asyncio.get_running_loop().create_future()
        self._opening.accept(self, "application", headers)
        await self._attached

    async def _send(self, message: dict[str, Any]) -> None:
        if self._state is CONNECTING:
            raise ValueError("the websocket is not accepted yet, so nothing can be sent over it")
        text, data = message.get("text"), message.get("bytes")
        if text and data:
            raise ValueError("a message is either text or bytes, not both")
        if self._room is not None:
            await asyncio.shield(self._room)
        if self._socket is None or self._replay is not None:
            return
        if data or (data is not None and text is None):
            self._socket.send_binary(data)
            self._sent += len(data) + MESSAGE_OVERHEAD
        elif text is not None:
            self._sent += self._socket.send_str(text) + MESSAGE_OVERHEAD
        if self._sent > WINDOW:
            await self._wait_for_room()

    async def _wait_for_room(self) -> None:
        """Waits while the client's queue is past its bound: these frames are never shed."""
        self._sent = 0
        if self._room is None and self._socket is not None:
            self._room = asyncio.get_running_loop().create_future()
            self._socket.ask_room()
        if self._room is not None:
            await asyncio.shield(self._room)

    def _close(self, message: dict[str, Any]) -> None:
        code = check_code(NORMAL if message.get("code") is None else message["code"])
        if self._state is CONNECTING:
            self._opening.refuse(DENIED)
            self._end(ABNORMAL)
        elif self._state is OPEN and self._socket is not None and self._replay is not None:
            self._socket.leave(RESTARTING)
        elif self._state is OPEN and self._socket is not None:
            self._socket.leave(code, cut_reason(message.get("reason") or ""))
        else:
            raise ValueError("the websocket is being denied; end the response")

    def _begin_denial(self, message: dict[str, Any]) -> None:
        if not self.is_undecided:
            raise ValueError("a response can only take the place of the websocket's acceptance")
        status = check_status(message.get("status"))
        headers = check_headers(message.get("headers") or ())
        hidden = (b"connection", b"transfer-encoding")
        self._opening.begin_denial(status, [header for header in headers if header[0] not in hidden])
        self._state = DENYING

    async def _send_denial(self, message: dict[str, Any]) -> None:
        if self._state is not DENYING:
            raise ValueError("the response's body comes before its start")
        await self._opening.send_denial(message.get("body", b""))
        if not message.get("more_body", False) and self.is_denying:
            self._opening.end_denial()
            self._end(ABNORMAL)

    @property
    def is_denying(self) -> bool:
        """Whether an answer of the application's own is under way."""
        return self._state is DENYING


def settle(future: asyncio.Future[None] | None) -> None:
    """Lets go who waits for it."""
    if future is not None and not future.done():
        future.set_result(None)
