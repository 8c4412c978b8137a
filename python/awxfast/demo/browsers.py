"""Browsers that measure: subscribe over a real websocket, and count frames and their ages."""

import asyncio
import contextlib
import datetime
import math
import time
from collections import Counter
from collections.abc import Mapping, Sequence

import aiohttp
import orjson

from awxfast.errors import StartError

REPLY_TIMEOUT = 60.0
AGES_PER_SECOND = 10_000


class Tally:
    """What all browsers got. Ages are kept as counts of tenths of milliseconds, so memory stays bounded."""

    def __init__(self) -> None:
        self.frames = 0
        self._ages: Counter[int] = Counter()

    def count_event(self, age: float) -> None:
        """One event frame; `age` in seconds, from the producer's clock."""
        self.frames += 1
        self._ages[min(max(0, round(age * AGES_PER_SECOND)), 60 * AGES_PER_SECOND)] += 1

    def count_other(self) -> None:
        """One event frame that carries no time."""
        self.frames += 1

    def percentile(self, share: float) -> float:
        """The age in milliseconds that this share of the events did not pass; 0 without events."""
        wanted = math.ceil(self._ages.total() * share)
        seen = 0
        for age in sorted(self._ages):
            seen += self._ages[age]
            if seen >= wanted:
                return age * 1000 / AGES_PER_SECOND
        return 0.0


class Browser:
    """One websocket, subscribed to some groups."""

    def __init__(self, tally: Tally, groups: Mapping[str, Sequence[str | int]]) -> None:
        self._tally = tally
        self._groups = groups
        self._socket: aiohttp.ClientWebSocketResponse | None = None
        self._reader: asyncio.Task[None] | None = None

    @property
    def group_names(self) -> list[str]:
        """The groups as producers name them."""
        return [f"{key}-{value}" for key, values in self._groups.items() for value in values]

    async def open(self, session: aiohttp.ClientSession, url: str) -> None:
        """Connects and subscribes; from then on every event counts. Raises `StartError` when it can't."""
        try:
            async with asyncio.timeout(REPLY_TIMEOUT):
                self._socket = await session.ws_connect(url, max_msg_size=0)
                await self._socket.send_json({"groups": self._groups})
                await self._wait_for_reply(self._socket)
        except (aiohttp.ClientError, TimeoutError, TypeError, ValueError) as error:
            raise StartError(f"the relay did not take a subscription ({type(error).__name__}); try -v 2") from error
        self._reader = asyncio.ensure_future(self._receive_events(self._socket))

    async def _wait_for_reply(self, socket: aiohttp.ClientWebSocketResponse) -> None:
        while "groups_current" not in (reply := await socket.receive_json()):
            if "error" in reply:
                raise StartError(f"the relay refused a subscription: {reply['error']}")

    async def _receive_events(self, socket: aiohttp.ClientWebSocketResponse) -> None:
        async for message in socket:
            if message.type is not aiohttp.WSMsgType.TEXT:
                continue
            event = orjson.loads(message.data)
            created = event.get("created")
            if created is None:
                self._tally.count_other()
            else:
                self._tally.count_event(time.time() - datetime.datetime.fromisoformat(created).timestamp())

    async def close(self) -> None:
        """Leaves; what arrives later does not count."""
        if self._reader is not None:
            self._reader.cancel()
            with contextlib.suppress(asyncio.CancelledError):
                await self._reader
        if self._socket is not None:
            await self._socket.close()
