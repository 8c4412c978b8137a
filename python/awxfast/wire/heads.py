"""Where the heads of requests end in a stream, and how large they are: what the parser does not tell."""

import re

INVALID_VALUE = re.compile(rb"[\x00-\x08\x0a-\x1f\x7f\x85]")
"""A byte that no header value may have."""
CONTROL_BYTES = bytes(byte for byte in range(256) if byte not in b"\r\n" and INVALID_VALUE.match(bytes([byte])))
"""Those bytes, without the two that end lines."""
HEAD_END = b"\r\n\r\n"
BODY_PIECE = 16_384
"""How much of a body is parsed at once: no more requests than fit in there can come behind it unseen."""


def is_plain(piece: bytes) -> bool:
    """Whether no header value in this piece of a stream can have a control byte; far cheaper than to look at each."""
    lines = piece.count(b"\r\n")
    folded = b"\n " in piece or b"\n\t" in piece
    pure = len(piece.translate(None, CONTROL_BYTES)) == len(piece)
    return pure and not folded and piece.count(b"\r") == piece.count(b"\n") == lines


class HeadFinder:
    """Cuts a stream into pieces that end where a head ends. The parser's owner says when heads and bodies begin.

    `size` is that of the head being read, in bytes. A head that begins in the middle of a piece, behind a body, is
    counted from the next piece on.
    """

    __slots__ = ("_tail", "in_head", "size")

    def __init__(self) -> None:
        self.in_head = True
        self.size = 0
        self._tail = b""

    def begin_head(self) -> None:
        """The next byte belongs to a head."""
        self.in_head = True

    def begin_body(self) -> None:
        """A head was whole; what follows is its body, if it has one."""
        self.in_head = False
        self.size = 0

    def find_piece_end(self, data: bytes, begin: int) -> int:
        """Where the piece of `data` that begins at `begin` ends; counts it when it belongs to a head."""
        if not self.in_head:
            end = min(len(data), begin + BODY_PIECE)
            self._tail = data[max(begin, end - 3) : end]
            return end
        end = self._find_head_end(data, begin)
        self._tail = (self._tail + data[begin:])[-3:] if end < 0 else b""
        end = len(data) if end < 0 else end
        self.size += end - begin
        return end

    def _find_head_end(self, data: bytes, begin: int) -> int:
        """The position behind the empty line, which may have begun in the piece before; -1: it is not there."""
        straddling = (self._tail + data[begin : begin + 3]).find(HEAD_END)
        if straddling >= 0:
            return begin + straddling + len(HEAD_END) - len(self._tail)
        found = data.find(HEAD_END, begin)
        return found if found < 0 else found + len(HEAD_END)
