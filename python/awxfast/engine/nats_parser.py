"""What a server of NATS says, read in the place of nats-py's own parser, with bounds: a server may say anything.

That one keeps whatever is announced until it is whole, looks through all of it again at each read, and is at a loss
about what is no JSON.
"""

import json
import time
from typing import Any, Protocol

from nats.errors import ProtocolError

MOST_PAYLOAD = 67_108_864
"""Bytes of a message; NATS itself can't be told to take more."""
MOST_LINE = 65_536
"""Bytes of a line: what a server says of a large cluster is some KiB."""
MOST_WORK = 50_000
"""Lines a second that bring no message. One that has to be looked into stands for `INFO_WORK`."""
INFO_WORK = 100
LINE_END = b"\r\n"


class NatsHearer(Protocol):
    """Who is told what a server says: the connection."""

    def hear(self, number: int, message: bytes) -> None:
        """A message of the subscription with this number."""

    def learn(self, info: dict[str, Any]) -> None:
        """What the server says of itself."""

    def note_ping(self) -> None:
        """The server wants a sign of life."""

    def note_pong(self) -> None:
        """The server gives a sign of life."""

    def note_complaint(self, text: str) -> None:
        """The server refuses something, in its own words."""

    def end(self, reason: str) -> None:
        """The connection is of no use any more."""


class OutOfProtocol(Exception):
    """No server of NATS says this; in words for an operator, none of its own."""


class NatsParser:
    """What nats-py's client gives its parser goes to `hearer`."""

    def __init__(self, hearer: NatsHearer) -> None:
        self._hearer = hearer
        self._kept = bytearray()
        self._enough = 0
        self._work = 0
        self._since = 0.0

    async def parse(self, data: bytes = b"") -> None:
        """Raises nats-py's `ProtocolError`, which ends the connection."""
        self._kept += data
        if len(self._kept) < self._enough:
            return
        try:
            self._take_all()
        except OutOfProtocol as error:
            self._kept.clear()
            self._hearer.end(f"it answers out of protocol: {error}")
            raise ProtocolError from error

    def _take_all(self) -> None:
        kept, begin = self._kept, 0
        self._enough = 0
        while not self._enough and (end := kept.find(LINE_END, begin)) >= 0:
            if end - begin > MOST_LINE:
                break
            line = bytes(kept[begin:end])
            if line.startswith((b"MSG ", b"HMSG ")):
                begin = self._take_message(line.split(), begin, end + len(LINE_END))
            else:
                self._take_word(line)
                begin = end + len(LINE_END)
        if not self._enough and len(kept) - begin > MOST_LINE:
            raise OutOfProtocol("a line without end")
        del kept[:begin]

    def _take_message(self, words: list[bytes], begin: int, payload: int) -> int:
        """Where the next line begins; `begin` again of one that is not whole."""
        try:
            number, size = int(words[2]), int(words[3:][-1])
            head = int(words[-2]) if words[0] == b"HMSG" else 0
        except (IndexError, ValueError):
            raise OutOfProtocol("a message without its size") from None
        if not 0 <= head <= size <= MOST_PAYLOAD:
            raise OutOfProtocol("a message of a size that none has")
        end = payload + size
        if len(self._kept) < end + len(LINE_END):
            self._enough = end + len(LINE_END) - begin
            return begin
        if self._kept[end : end + len(LINE_END)] != LINE_END:
            raise OutOfProtocol("a message of another size")
        self._hearer.hear(number, bytes(self._kept[payload + head : end]))
        return end + len(LINE_END)

    def _take_word(self, line: bytes) -> None:
        word, _, rest = line.partition(b" ")
        self._spend(INFO_WORK if word == b"INFO" else 1)
        match word:
            case b"PING":
                self._hearer.note_ping()
            case b"PONG":
                self._hearer.note_pong()
            case b"INFO":
                self._hearer.learn(read_info(rest))
            case b"-ERR":
                self._hearer.note_complaint(rest.decode("ascii", "replace").strip("' "))
            case b"+OK":
                pass
            case _:
                raise OutOfProtocol("a line that means nothing")

    def _spend(self, work: int) -> None:
        now = time.monotonic()
        if now - self._since >= 1:
            self._work, self._since = 0, now
        self._work += work
        if self._work > MOST_WORK:
            raise OutOfProtocol("lines without end")


def read_info(text: bytes) -> dict[str, Any]:
    """What a server says of itself. Raises `OutOfProtocol` for what is no JSON object."""
    try:
        info = json.loads(text)
    except (ValueError, RecursionError):
        info = None
    if not isinstance(info, dict):
        raise OutOfProtocol("it says nothing of itself")
    return info
