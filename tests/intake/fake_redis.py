"""A Redis without contents that answers sensibly, but for one command for which the test gives the bytes."""

import asyncio
import collections
import contextlib
from collections.abc import AsyncIterator

import hiredis
from awxfast.redis.address import RedisAddress

INFO = b"redis_version:7.0.15\r\nuptime_in_seconds:1000\r\nrun_id:fake\r\n"
TYPES = {b"awxfast:process:": b"+hash\r\n", b"awxfast:groups:": b"+set\r\n", b"awxfast:prefix:": b"+string\r\n"}

ANSWERS = {
    "PING": b"+PONG\r\n",
    "INFO": b"$%d\r\n%b\r\n" % (len(INFO), INFO),
    "SET": b"+OK\r\n",
    "HSET": b":0\r\n",
    "HDEL": b":0\r\n",
    "EXPIRE": b":1\r\n",
    "SADD": b":1\r\n",
    "SREM": b":1\r\n",
    "ZREM": b":1\r\n",
    "DEL": b":1\r\n",
    "ZCARD": b":0\r\n",
    "ZSCORE": b"$1\r\n1\r\n",
    "SCAN": b"*2\r\n$1\r\n0\r\n*0\r\n",
    "EVAL": b"*2\r\n:0\r\n:0\r\n",
    "MEMORY": b"$-1\r\n",
    "CLIENT": b":7\r\n",
    "BZMPOP": b"",
}
"""BZMPOP waits for ever: nothing ever comes."""


class FakeRedis:
    """`odd` gives answers for the next commands of a name; they count in `given`."""

    def __init__(self, path: str) -> None:
        self.address = RedisAddress.parse(f"unix://{path}")
        self.odd: dict[str, bytes] = {}
        self.given: collections.Counter[str] = collections.Counter()
        self._writers: set[asyncio.StreamWriter] = set()

    def cut(self) -> None:
        """Ends all connections."""
        for writer in self._writers:
            writer.close()

    @contextlib.asynccontextmanager
    async def running(self) -> AsyncIterator["FakeRedis"]:
        server = await asyncio.start_unix_server(self._serve, self.address.path)
        try:
            yield self
        finally:
            server.close()
            self.cut()
            await asyncio.sleep(0)

    async def _serve(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        requests = hiredis.Reader()
        self._writers.add(writer)
        with contextlib.suppress(ConnectionError):
            while data := await reader.read(65_536):
                requests.feed(data)
                while request := requests.gets():
                    writer.write(self._answer(request))
                await writer.drain()
        self._writers.discard(writer)
        writer.close()

    def _answer(self, request: list[bytes]) -> bytes:
        name = request[0].decode().upper()
        if name in self.odd:
            self.given[name] += 1
            return self.odd.pop(name)
        if name == "TYPE":
            return next((kind for prefix, kind in TYPES.items() if request[1].startswith(prefix)), b"+zset\r\n")
        if name == "ZADD":
            return b"$1\r\n1\r\n" if b"INCR" in request else b":0\r\n"
        return ANSWERS[name]
