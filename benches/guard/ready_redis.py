"""A Redis that has events whenever it is told so, in the same loop as who asks: none of its cost but the socket's."""

import asyncio

QUEUE = "asgi.benchmark!"
_INFO = b"redis_version:7.2.0\r\nuptime_in_seconds:9\r\n"
_UNMEASURED = b":0\r\n$-1\r\n"
_SCORE = b"$12\r\n1795561314.5\r\n"


class ReadyRedis(asyncio.Protocol):
    """Knows what the intake's drain says: PING, INFO, CLIENT ID and each form of a pop, alone or two in one write.

    A pop is answered with `count` times `entry`, as often as granted; one that need not wait, with none otherwise.
    """

    def __init__(self, entry: bytes, count: int) -> None:
        self._answers = {
            (True, False): answer_of_wait(entry, count),
            (True, True): answer_of_wait(entry, 1) + answer_of_look(entry, count - 1),
            (False, True): answer_of_look(entry, count),
        }
        self._nothing = answer_of_look(entry, 0)
        self._granted = 0
        self._asked: bytes | None = None

    def grant(self, batches: int) -> None:
        """Answers so many pops more."""
        self._granted += batches
        self._give()

    def close(self) -> None:
        self._transport.abort()

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        assert isinstance(transport, asyncio.WriteTransport)
        self._transport = transport

    def data_received(self, data: bytes) -> None:
        waits, looks = b"BZMPOP" in data, b"EVAL" in data
        unmeasured = _UNMEASURED if b"MEMORY" in data else b""
        if waits or (looks and self._granted):
            self._asked = self._answers[waits, looks] + unmeasured
            self._give()
        elif looks:
            self._transport.write(self._nothing + unmeasured)
        elif b"INFO" in data:
            self._transport.write(b"$%d\r\n%b\r\n" % (len(_INFO), _INFO))
        elif b"CLIENT" in data:
            self._transport.write(b":7\r\n")
        else:
            self._transport.write(b"+PONG\r\n")

    def _give(self) -> None:
        if self._asked is not None and self._granted:
            answer, self._asked = self._asked, None
            self._granted -= 1
            self._transport.write(answer)


def answer_of_wait(entry: bytes, count: int) -> bytes:
    """What BZMPOP answers when `count` such entries were there, in RESP2."""
    pair = b"*2\r\n$%d\r\n%b\r\n" % (len(entry), entry) + _SCORE
    return b"*2\r\n$%d\r\n%b\r\n*%d\r\n" % (len(QUEUE), QUEUE.encode(), count) + pair * count


def answer_of_look(entry: bytes, count: int) -> bytes:
    """The same of the script that looks first: none too large, and room for more."""
    return b"*%d\r\n:0\r\n:0\r\n" % (2 + 2 * count) + (b"$%d\r\n%b\r\n" % (len(entry), entry) + _SCORE) * count
