"""What a browser is told, as AWX's EventConsumer writes it (awx/main/consumers.py)."""

import dataclasses
import functools
import json
from collections.abc import Iterable
from typing import Any

ERROR_BYTES = 65_536
"""The most bytes of error replies to one command, the one that says how many more there are included."""
FRAME_HEADER = 4
MAX_ECHO = 200
"""How much of a client's own text an error reply repeats, in characters."""


@dataclasses.dataclass(frozen=True, slots=True)
class Refused:
    """Something that is not granted: the reply that says so. `reason` is for counters."""

    reason: str
    text: str

    @property
    def reply(self) -> bytes:
        """The error reply that says so."""
        return encode_error(self.text)


def encode_reply(document: dict[str, Any]) -> bytes:
    """JSON as stock AWX writes its own messages: ASCII, with a space after commas and colons."""
    return json.dumps(document).encode("ascii")


def encode_error(text: str) -> bytes:
    """The reply to something that is wrong."""
    return encode_reply({"error": text})


@functools.lru_cache(maxsize=1024)
def encode_welcome(user: int) -> bytes:
    """The first message to somebody who is known."""
    return encode_reply({"accept": True, "user": user})


def encode_subscribed(current: Iterable[str], left: Iterable[str], joined: Iterable[str]) -> bytes:
    """The reply to a subscription that has taken effect."""
    lists = (encode_names(current), encode_names(left), encode_names(joined))
    return b'{"groups_current": %b, "groups_left": %b, "groups_joined": %b}' % lists


def encode_names(groups: Iterable[str]) -> bytes:
    """A list of groups; what their names may have needs no escapes."""
    names = '", "'.join(groups)
    return f'["{names}"]'.encode("ascii") if names else b"[]"


GOODBYE = encode_reply({"close": True})
"""The only message to somebody who is not known; a close with 1000 follows."""
DENIED = "access denied to channel"


class Errors:
    """The error replies to one command, in order: as many as `ERROR_BYTES` hold, then one that counts the rest."""

    def __init__(self) -> None:
        self._replies: list[bytes] = []
        self._left = ERROR_BYTES - FRAME_HEADER - MORE_BYTES
        self._more = 0

    def add(self, refused: Refused) -> None:
        """Adds one error, or counts it."""
        if not self._more:
            reply = refused.reply
            self._left -= FRAME_HEADER + len(reply)
            if self._left >= 0:
                self._replies.append(reply)
                return
        self._more += 1

    def finish(self) -> list[bytes]:
        """The replies that are sent."""
        return [*self._replies, encode_more(self._more)] if self._more else self._replies


def encode_more(count: int) -> bytes:
    """The reply in place of so many errors."""
    return encode_error(f"{count} more errors in this command")


MORE_BYTES = len(encode_more(10**9))
"""The longest of those."""


def deny(kind: str, value: str, reason: str = "access") -> Refused:
    """The refusal of one group for want of rights, or of an answer about them."""
    return Refused(reason, f"access denied to channel {shorten(kind)} for resource id {shorten(value)}")


def shorten(text: str) -> str:
    """A client's own text, short enough to be sent back."""
    return text if len(text) <= MAX_ECHO else text[:MAX_ECHO] + "..."
