"""A Redis that has events whenever it is told so, in the same loop as who asks: none of its cost but the socket's."""

import asyncio

QUEUE = "asgi.benchmark!"
_INFO = b"redis_version:7.2.0\r\nuptime_in_seconds:9\r\n"


class ReadyRedis(asyncio.Protocol):
    """Knows what the intake's drain says: PING, INFO, ZPOPMIN (none) and BZMPOP (`answer`, as often as granted)."""

    def __init__(self, answer: bytes) -> None:
        self._answer = answer
        self._granted = 0
        self._asked = False

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
        if b"BZMPOP" in data:
            self._asked = True
            self._give()
        elif b"ZPOPMIN" in data:
            self._transport.write(b"*0\r\n")
        elif b"INFO" in data:
            self._transport.write(b"$%d\r\n%b\r\n" % (len(_INFO), _INFO))
        else:
            self._transport.write(b"+PONG\r\n")

    def _give(self) -> None:
        if self._asked and self._granted:
            self._asked = False
            self._granted -= 1
            self._transport.write(self._answer)


def answer_of_pop(entry: bytes, count: int) -> bytes:
    """What BZMPOP answers when `count` such entries were there, in RESP2."""
    pair = b"*2\r\n$%d\r\n%b\r\n$12\r\n1795561314.5\r\n" % (len(entry), entry)
    return b"*2\r\n$%d\r\n%b\r\n*%d\r\n" % (len(QUEUE), QUEUE.encode(), count) + pair * count
