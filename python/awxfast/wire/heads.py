"""Where heads and bodies of requests end in a stream, so that the parser gets each alone; how large a head is."""

import re
from collections.abc import Iterable

INVALID_VALUE = re.compile(rb"[\x00-\x08\x0a-\x1f\x7f\x85]")
"""A byte that no header value may have."""
CONTROL_BYTES = bytes(byte for byte in range(256) if byte not in b"\r\n" and INVALID_VALUE.match(bytes([byte])))
"""Those bytes, without the two that end lines."""
HEAD_END = b"\r\n\r\n"
BODY_PIECE = 16_384
"""How much of a body is parsed at once."""
CHUNKED = -1
"""In place of a body's length: chunks tell where it ends."""
MAX_LENGTH_DIGITS = 18
"""Of a Content-Length: what every counter of 64 bits holds."""

NO_REQUEST = re.compile(rb"[\r\n]*[^\r\n!#$%&'*+.^_`|~0-9A-Za-z-]")
"""The beginning of a stream that no more bytes can make a request, as that of TLS is."""
BARE_LINE_FEED = re.compile(rb"[^\r]\n")
REQUEST_LINE = re.compile(rb"(?:\r\n)*[^ \r\n]+ [^ \r\n]+ HTTP/1\.[01]\r\n")
"""How a head begins. llhttp also takes two spaces, no version at all, and other protocols."""
UPGRADE_LINE = re.compile(rb"\n[Uu][Pp][Gg][Rr][Aa][Dd]([Ee_])(?=[: \t])")
HIDDEN_UPGRADE = b"upgrad_"
"""The name under which the parser sees `Upgrade`."""


def is_plain(piece: bytes) -> bool:
    """Whether no header value in this piece of a stream can have a control byte; far cheaper than to look at each."""
    folded = b"\n " in piece or b"\n\t" in piece
    pure = len(piece.translate(None, CONTROL_BYTES)) == len(piece)
    return pure and not folded and has_whole_line_ends(piece)


def has_whole_line_ends(piece: bytes) -> bool:
    """Whether CR and LF stand only side by side: what one reader takes for a line end, another may not."""
    return piece.count(b"\r") == piece.count(b"\n") == piece.count(b"\r\n")


def hide_upgrade(head: bytes) -> bytes:
    """The head with `Upgrade` under a name that no client can give, since others' names with `_` are dropped.

    llhttp stops behind the head of a request that offers an upgrade, whoever honours it, and the body would be read as
    the next request. A client's own line of that name gets another.
    """
    return UPGRADE_LINE.sub(lambda line: b"\n" + (b"a_name" if line[1] == b"_" else HIDDEN_UPGRADE), head)


def find_body_length(version: str, headers: Iterable[tuple[bytes, bytes]]) -> int | None:
    """How many bytes follow a head, or `CHUNKED`. None: two readers could disagree (RFC 9112 section 6.3)."""
    framing = [header for header in headers if header[0] in (b"content-length", b"transfer-encoding")]
    if not framing:
        return 0
    if len(framing) > 1:
        return None
    name, value = framing[0][0], framing[0][1].strip(b" \t")
    if name == b"transfer-encoding":
        return CHUNKED if version == "1.1" and value.lower() == b"chunked" else None
    return int(value) if value.isdigit() and len(value) <= MAX_LENGTH_DIGITS else None


class HeadFinder:
    """Cuts a stream into pieces of one head or one body each. The parser's owner says when heads and bodies begin.

    `size` is that of the head being read, in bytes, or of what came of a chunked body since its last byte of content:
    extensions of chunks and trailers.
    """

    __slots__ = ("_collected", "_left", "_tail", "in_head", "size")

    def __init__(self) -> None:
        self.in_head = True
        self.size = 0
        self._tail = b""
        self._left = 0
        self._collected = bytearray()

    def begin_head(self) -> None:
        """The next byte belongs to a head."""
        self.in_head = True
        self.size = 0
        self._tail = b""

    def begin_body(self, length: int) -> None:
        """A head was whole; what follows is a body of that many bytes, or in chunks (`CHUNKED`)."""
        self.in_head = False
        self.size = 0
        self._left = length

    def find_piece_end(self, data: bytes, begin: int) -> int:
        """Where the piece of `data` that begins at `begin` ends; counts it when it belongs to a head."""
        if not self.in_head and self._left != CHUNKED:
            end = min(len(data), begin + BODY_PIECE, begin + self._left)
            self._left -= end - begin
            return end
        # The last chunk and its trailers end with an empty line too. One inside of a chunk costs a piece.
        limit = len(data) if self.in_head else min(len(data), begin + BODY_PIECE)
        end = self._find_empty_line(data, begin, limit)
        self._tail = (self._tail + data[max(begin, limit - 3) : limit])[-3:] if end < 0 else b""
        end = limit if end < 0 else end
        self.size += end - begin
        return end

    def count_behind(self, piece: bytes, content: bytes) -> None:
        """The last piece had content, of which this was the last part: the count begins behind it."""
        self.size = len(piece) - piece.rfind(content) - len(content)

    def complete(self, piece: bytes) -> bytes:
        """The whole head when this piece of it is the last one, else nothing."""
        if not self._collected and piece.endswith(HEAD_END):
            return piece
        self._collected += piece
        if not self._collected.endswith(HEAD_END):
            return b""
        head = bytes(self._collected)
        self._collected.clear()
        return head

    def _find_empty_line(self, data: bytes, begin: int, limit: int) -> int:
        """The position behind the empty line, which may have begun in the piece before; -1: it is not there."""
        straddling = (self._tail + data[begin : min(begin + 3, limit)]).find(HEAD_END)
        if straddling >= 0:
            return begin + straddling + len(HEAD_END) - len(self._tail)
        found = data.find(HEAD_END, begin, limit)
        return found if found < 0 else found + len(HEAD_END)
