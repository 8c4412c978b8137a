"""How one process leaves all to another, over one socket.

A head (JSON) with the fan-out's memory file, and with connections to Redis where they go with it; then parts of clients
(a line of JSON each) with their descriptors, then connections without a request (`null`), then an empty message. The
other one answers `TAKEN` when it has read all of it; until then nothing has changed here but that nothing was read,
written or popped. Whoever's answer does not arrive has not taken: a socket that is shut down lets none of it in.
"""

import contextlib
import itertools
import socket
import time
from collections.abc import Iterable, Iterator, Mapping, Sequence
from typing import Any

import orjson

from awxfast._rust import HANDOVER_FORMAT
from awxfast.errors import HandOverFailed, RedisError
from awxfast.system.descriptors import descriptor_limit
from awxfast.system.passing import MOST, close_all, receive_message, send_message

FORMAT = [4, HANDOVER_FORMAT]
"""The version of what is said here, and of what the fan-out writes. Others are not understood."""

Message = tuple[bytes, Sequence[int]]
"""A payload with its descriptors."""

TAKEN = b"taken"
PATIENCE = 10.0
"""Seconds for a step of the other process; it reads while this one writes."""
TRANSFER_SECONDS = 20.0
"""Seconds for all of its steps: however slow each of them is, nobody is served meanwhile."""
REST_SECONDS = 8.0
"""How long the last pop may take: Redis answers an empty one after five seconds, where nobody may end it sooner."""
SPARE = 64
"""Descriptors for all but clients that a process which goes on must have left."""


def batched(items: Sequence[Any]) -> Iterator[Sequence[Any]]:
    """Parts of as many as a message has descriptors."""
    return (items[begin : begin + MOST] for begin in range(0, len(items), MOST))


def transfer(sock: socket.socket, messages: Iterable[Message]) -> None:
    """Blocks until the other process has all of them. Raises `HandOverFailed`: it has taken nothing."""
    end = time.monotonic() + TRANSFER_SECONDS
    try:
        sock.settimeout(PATIENCE)
        for payload, descriptors in messages:
            send_message(sock, payload, descriptors)
            sock.settimeout(limit_step(end))
        answer, _ = receive_message(sock)
    except Exception as error:  # whatever it is: who has not been taken over goes on
        answer = end_and_hear(sock)
        if not answer:
            raise HandOverFailed(describe_breaking_off(error)) from error
    if answer != TAKEN:
        raise HandOverFailed(answer.decode("utf-8", "replace"))


def limit_step(end: float) -> float:
    """Seconds for the next step of all that must be over at `end`. Raises `HandOverFailed`."""
    left = end - time.monotonic()
    if left <= 0:
        raise HandOverFailed(f"the new process has not taken all within {TRANSFER_SECONDS:g} s")
    return min(PATIENCE, left)


def write_records(records: Sequence[Any]) -> bytes:
    """A part: lines, which can be read one by one."""
    return b"\n".join(map(orjson.dumps, records))


def read_records(payload: bytes) -> Iterator[Any]:
    """The inverse. Of all that a record takes while it is read nothing stays when the next one is."""
    view, begin = memoryview(payload), 0
    while begin <= len(payload):
        end = payload.find(b"\n", begin)
        end = len(payload) if end < 0 else end
        yield orjson.loads(view[begin:end])
        begin = end + 1


def write_idle(idle: Sequence[int]) -> Iterator[Message]:
    """Connections without a request, and the end of all."""
    for part in batched(idle):
        yield write_records([None] * len(part)), part
    yield b"", ()


@contextlib.contextmanager
def needing_redis() -> Iterator[None]:
    """What Redis is asked for beforehand. Raises `HandOverFailed` where it refuses, or does not answer in time."""
    try:
        yield
    except TimeoutError as error:
        raise HandOverFailed("Redis does not answer in time") from error
    except RedisError as error:
        raise HandOverFailed(str(error)) from error


def end_transfer(sock: socket.socket) -> None:
    """Whoever waits for it goes on."""
    with contextlib.suppress(OSError):
        sock.shutdown(socket.SHUT_RDWR)


def end_and_hear(sock: socket.socket) -> bytes:
    """An answer that has arrived all the same; empty: there is none. From now on none can."""
    end_transfer(sock)
    try:
        return receive_message(sock)[0]
    except (OSError, EOFError):
        return b""


def describe_shortage() -> str:
    """Why this process can't go on where there are too many clients for it."""
    return f"it may have {descriptor_limit()} descriptors, which is too few for all clients"


def describe_breaking_off(error: Exception) -> str:
    """Why another process did not go on, for the operator."""
    if isinstance(error, HandOverFailed):
        return str(error)
    if isinstance(error, EOFError | BrokenPipeError | ConnectionResetError):
        return "the new process ended in the middle of it"
    if isinstance(error, TimeoutError):
        return "the new process has not answered in time"
    return f"it can't be passed on: {error or type(error).__name__}"


class Inheritance:
    """All that another process left, before it is used. Descriptors are closed by whoever drops it."""

    def __init__(self) -> None:
        self.head: Mapping[str, Any] = {}
        self.memory = -1
        self.redis: Sequence[int] = ()
        """Connections to Redis, with which another intake goes on."""
        self.clients: list[tuple[bytes, Sequence[int]]] = []
        """In the parts in which they came, each read when it is used: what all records take is never there at once."""
        self.idle: list[int] = []

    @classmethod
    def receive(cls, sock: socket.socket) -> "Inheritance":
        """Blocks until all is there. Raises `OSError`, `EOFError` when the other process goes on itself."""
        inheritance = cls()
        try:
            inheritance._receive(sock)
        except BaseException:
            inheritance.close()
            raise
        return inheritance

    def _receive(self, sock: socket.socket) -> None:
        payload, memory = receive_message(sock)
        self.memory = memory[0] if memory else -1
        self.redis = memory[1:]
        self.head = orjson.loads(payload)
        while True:
            payload, descriptors = receive_message(sock)
            if not payload:
                return
            if payload.count(b"\n") + 1 != len(descriptors):
                close_all(descriptors)
                raise ValueError("a record each is due, and a descriptor")
            if payload.startswith(b"null"):
                self.idle += descriptors
            else:
                self.clients.append((payload, descriptors))

    def count(self) -> int:
        """How many websockets there are."""
        return sum(len(descriptors) for _, descriptors in self.clients)

    def check(self, understood: Sequence[int]) -> None:
        """Raises `HandOverFailed` for another version, and where this process may not have all the descriptors."""
        if self.head["format"] != understood:
            raise HandOverFailed(f"it understands format {understood}, not {self.head['format']}")
        if 2 * self.count() + len(self.idle) + SPARE > descriptor_limit():
            raise HandOverFailed(describe_shortage())

    def take_clients(self) -> Iterator[tuple[dict[str, Any], int]]:
        """Each with its descriptor, which is the caller's from then on."""
        while self.clients:
            payload, descriptors = self.clients.pop(0)
            yield from zip(read_records(payload), descriptors, strict=True)

    def close(self) -> None:
        """Nobody goes on with them here."""
        clients = itertools.chain.from_iterable(descriptors for _, descriptors in self.clients)
        close_all([self.memory, *self.redis, *self.idle, *clients])
