"""A browser that looks at the jobs of all nodes on one of them, and comes again when that was away."""

import asyncio
import contextlib
import datetime
import time

import aiohttp
import orjson

from awxfast.demo.browsers import Tally

PAUSE = 0.5


class NodeBrowser:
    """Counts what it gets in `tally`, and in `missed` what it should have got while it was there.

    A job's counter has no gaps, but begins anew with the node that it runs on (`forget`).
    """

    def __init__(self, tally: Tally, url: str, jobs: list[int]) -> None:
        self._tally, self._url, self._jobs = tally, url, jobs
        self._counters: dict[int, int] = {}
        self._running: asyncio.Task[None] | None = None
        self._subscribed = asyncio.Event()
        self.missed = 0

    async def open(self, session: aiohttp.ClientSession) -> None:
        """Returns when it has subscribed."""
        self._running = asyncio.ensure_future(self._run(session))
        await self._subscribed.wait()

    @property
    def hears_all(self) -> bool:
        """Whether events of every job have come since it connected."""
        return self._counters.keys() >= {*self._jobs}

    async def close(self) -> None:
        if self._running is not None:
            self._running.cancel()
            with contextlib.suppress(asyncio.CancelledError):
                await self._running

    async def _run(self, session: aiohttp.ClientSession) -> None:
        while True:
            with contextlib.suppress(aiohttp.ClientError, OSError):
                async with session.ws_connect(self._url, max_msg_size=0) as socket:
                    self._counters.clear()
                    await socket.send_json({"groups": {"job_events": self._jobs}})
                    await self._receive(socket)
            await asyncio.sleep(PAUSE)

    async def _receive(self, socket: aiohttp.ClientWebSocketResponse) -> None:
        async for message in socket:
            if message.type is not aiohttp.WSMsgType.TEXT:
                continue
            event = orjson.loads(message.data)
            if "groups_current" in event:
                self._subscribed.set()
            elif "counter" in event:
                self.receive_event(event["job"], event["counter"])
                self._tally.count_event(time.time() - datetime.datetime.fromisoformat(event["created"]).timestamp())

    def forget(self, job: int) -> None:
        """The node that it runs on is gone: what comes next is of another life, whose first events nobody may hear."""
        self._counters.pop(job, None)

    def receive_event(self, job: int, counter: int) -> None:
        """Counts what is missing before it; a lower number than before is that of a new life."""
        previous = self._counters.get(job, counter - 1)
        self.missed += max(0, counter - previous - 1)
        self._counters[job] = counter
