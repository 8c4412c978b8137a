"""A message that comes in fragments (RFC 6455 section 5.4), from the first to the last."""

from picows import WSCloseCode, WSMsgType, WSProtocolError

MAX_MESSAGE = 4_194_304
"""Bytes of one message, as AWX's client takes them; a larger one ends the link."""
MAX_FRAGMENTS = 1_024
"""Empty ones would never reach the bound of bytes."""


_CONTINUATION = WSMsgType.CONTINUATION


class Fragments:
    """The fragments of the message that is under way."""

    def __init__(self) -> None:
        self._kind = _CONTINUATION
        self._parts: list[bytes] = []
        self._size = 0

    @property
    def begun(self) -> bool:
        """Whether a message is under way."""
        return bool(self._parts)

    def add(self, kind: WSMsgType, payload: bytes, last: bool) -> tuple[WSMsgType, bytes] | None:
        """The message with its last fragment. Raises `WSProtocolError`, upon which picows closes the link."""
        if (kind is _CONTINUATION) != self.begun:
            what = "a message within another" if self.begun else "a fragment that continues nothing"
            raise WSProtocolError(WSCloseCode.PROTOCOL_ERROR, what)
        if not self.begun:
            self._kind = kind
        self._parts.append(payload)
        self._size += len(payload)
        if self._size > MAX_MESSAGE:
            raise WSProtocolError(WSCloseCode.MESSAGE_TOO_BIG, f"a message of more than {MAX_MESSAGE} bytes")
        if len(self._parts) > MAX_FRAGMENTS:
            raise WSProtocolError(WSCloseCode.MESSAGE_TOO_BIG, f"a message in more than {MAX_FRAGMENTS} fragments")
        return self._take() if last else None

    def _take(self) -> tuple[WSMsgType, bytes]:
        message = b"".join(self._parts)
        self._parts, self._size = [], 0
        return self._kind, message
