"""Websockets of a process before this one, whose consumers are begun anew: what these are told, and how many at once.

A new consumer gets the scope that the former one had, `websocket.connect`, and the last text that the browser sent.
What it says to that the browser has had already, so it is dropped. A consumer that does not go on ends with 1012.
"""

import asyncio
import collections
import dataclasses
import functools
import itertools
from base64 import b64decode, b64encode
from collections.abc import Awaitable, Callable, Mapping, Sequence
from typing import Any

from awxfast.hosted.websocket import Socket
from awxfast.sockets.session import Session
from awxfast.wire.close_codes import RESTARTING
from awxfast.wire.handshake import Handshake, Headers, Refusal
from awxfast.wire.request import Request

LONGEST_TEXT = 8192
"""Characters of a text that is kept for a new consumer; a websocket whose last one is longer is closed at a reload."""
AT_ONCE = 64
"""Consumers that begin anew: each may ask a database, and has its time limit from when it begins."""
PLACE_SECONDS = 1.0
"""How long one counts among those: the last text may take as long as it likes, but many such are no others' affair."""

Message = dict[str, Any]


@dataclasses.dataclass(frozen=True, slots=True)
class Kept:
    """What a consumer's scope is made of, and the subprotocol that was agreed on."""

    request: Request
    subprotocols: tuple[str, ...]

    def freeze(self) -> dict[str, Any]:
        """As JSON has it."""
        request = self.request
        return {
            "method": request.method,
            "version": request.version,
            "path": request.path,
            "query": request.query.decode("latin-1"),
            "headers": [[part.decode("latin-1") for part in header] for header in request.headers],
            "client": request.client,
            "server": request.server,
            "raw_path": request.raw_path.decode("latin-1"),
            "root_path": request.root_path,
            "scheme": request.scheme,
            "subprotocols": self.subprotocols,
        }

    @classmethod
    def thaw(cls, frozen: Mapping[str, Any]) -> "Kept":
        """The inverse of `freeze`."""
        request = Request(
            frozen["method"],
            frozen["version"],
            frozen["path"],
            frozen["query"].encode("latin-1"),
            tuple((name.encode("latin-1"), value.encode("latin-1")) for name, value in frozen["headers"]),
            read_address(frozen["client"]),
            read_address(frozen["server"]),
            frozen["raw_path"].encode("latin-1"),
            frozen["root_path"],
            frozen["scheme"],
        )
        return cls(request, tuple(frozen["subprotocols"]))


def read_address(address: Sequence[Any] | None) -> Any:
    """As `Request` has it."""
    return None if address is None else tuple(address)


def describe_message(message: Message) -> Any:
    """What a browser sent, as JSON has it: text as it is, bytes in a list."""
    text = message.get("text")
    return [b64encode(message["bytes"]).decode()] if text is None else text


def read_message(described: Any) -> tuple[Message, int]:
    """The inverse, and what it counts for in an inbox."""
    if isinstance(described, str):
        return {"type": "websocket.receive", "text": described}, len(described)
    data = b64decode(described[0])
    return {"type": "websocket.receive", "bytes": data}, len(data)


class ReopenedSocket:
    """In place of an upgrade request: the browser has its 101, and can only be told to come back."""

    def __init__(self, kept: Kept, subprotocol: str | None) -> None:
        self.request = kept.request
        self.handshake = Handshake(b"", kept.subprotocols)
        self.on_lost: Callable[[], object] | None = None
        self.task: asyncio.Task[None] | None = None
        self.socket: Socket | None = None
        self._subprotocol = subprotocol

    def accept(self, session: Session, kind: str, headers: Headers = ()) -> None:
        """It is; with another subprotocol than the browser knows of it can't be."""
        chosen = dict(headers).get(b"sec-websocket-protocol")
        if self.socket is None:
            return
        if chosen == (self._subprotocol.encode("ascii") if self._subprotocol is not None else None):
            session.open(self.socket)  # type: ignore[arg-type]  # the connection itself
        else:
            self._close()

    def refuse(self, refusal: Refusal) -> None:
        """The new consumer does not want it."""
        self._close()

    def begin_denial(self, status: int, headers: Headers) -> None:
        """Nobody waits for an answer."""
        self._close()

    async def send_denial(self, body: bytes) -> None:
        """Nobody waits for that answer either."""

    def end_denial(self) -> None:
        """There was none that could be at its end."""

    def _close(self) -> None:
        socket, self.socket = self.socket, None
        if socket is not None:
            socket.leave(RESTARTING)


class Replay:
    """What one new consumer is to be told, until it has had all of it. `settle` is called then, or at its end."""

    __slots__ = ("_settle", "last", "opening", "unserved")

    def __init__(self, frozen: Mapping[str, Any], opening: ReopenedSocket, settle: Callable[[], None]) -> None:
        self.last: str | None = frozen["last"] if frozen["last"] is not True else None
        self.unserved: list[Any] = frozen["commands"]
        self.opening = opening
        self._settle = settle

    def settle(self) -> None:
        """The consumer has had all of it, or is at its end."""
        self._settle()


class Replays:
    """All new consumers that have not had all yet; so many begin at once, and one that takes long holds up nobody."""

    def __init__(self) -> None:
        self._waiting: collections.deque[tuple[int, Callable[[], None]]] = collections.deque()
        self._unsettled: set[int] = set()
        self._places: dict[int, asyncio.TimerHandle] = {}
        self._numbers = itertools.count()
        self._is_over = asyncio.Event()
        self._is_over.set()

    def add(self, begin: Callable[[], None]) -> Callable[[], None]:
        """One more; `begin` is called when it is its turn. What is given must be when it has had all, or has ended."""
        number = next(self._numbers)
        self._unsettled.add(number)
        self._is_over.clear()
        self._waiting.append((number, begin))
        asyncio.get_running_loop().call_soon(self._begin_some)
        return functools.partial(self._settle, number)

    def _settle(self, number: int) -> None:
        self._unsettled.discard(number)
        if not self._unsettled:
            self._is_over.set()
        self._give_place(number)

    def _give_place(self, number: int) -> None:
        """To the next, if it has one still."""
        if (timer := self._places.pop(number, None)) is not None:
            timer.cancel()
            self._begin_some()

    def _begin_some(self) -> None:
        loop = asyncio.get_running_loop()
        while self._waiting and len(self._places) < AT_ONCE:
            number, begin = self._waiting.popleft()
            if number in self._unsettled:
                self._places[number] = loop.call_later(PLACE_SECONDS, self._give_place, number)
            begin()

    def wait(self) -> Awaitable[object]:
        """Returns when none is left."""
        return self._is_over.wait()
