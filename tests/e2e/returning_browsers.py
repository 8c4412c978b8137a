"""Browsers that come back whenever they lose their worker, and events that are numbered: who has heard what."""

import asyncio
from collections.abc import Callable
from dataclasses import dataclass, field

from channels_redis.core import RedisChannelLayer
from site_browsers import browser, command, receive
from websockets.asyncio.client import ClientConnection
from websockets.exceptions import ConnectionClosed, InvalidHandshake

GROUP = "room"


class Events:
    """Numbered events of a stock producer, until it is stopped; `begun` is the number of the next one."""

    def __init__(self, producer: RedisChannelLayer, pause: float) -> None:
        self.begun = 0
        self._producer, self._pause = producer, pause
        self._is_over = False
        self._task = asyncio.ensure_future(self._run())

    async def _run(self) -> None:
        while not self._is_over:
            await self._send()
            await asyncio.sleep(self._pause)

    async def _send(self) -> None:
        self.begun += 1
        await self._producer.group_send(GROUP, {"type": "chat.message", "text": str(self.begun - 1)})

    async def end(self) -> None:
        """The last one is for everybody who is there now."""
        self._is_over = True
        await self._task
        await self._send()


@dataclass
class Visit:
    """One connection: who served it, which event it had to hear first at the latest, what it heard."""

    pid: int
    first: int
    heard: list[int] = field(default_factory=list)
    is_lost: bool = False

    def misses(self, begun: int) -> list[int]:
        """Events that it had to hear and did not; who lost it, had to hear all up to the last that it heard."""
        end = self.heard[-1] + 1 if self.is_lost and self.heard else self.first if self.is_lost else begun
        return sorted({*range(self.first, end)} - {*self.heard})


class Returning:
    """One browser, its connections one after the other. `deaths` gives how many workers have been killed.

    It comes back while `may_come` is set.
    """

    def __init__(self, port: int, events: Events, deaths: Callable[[], int], may_come: asyncio.Event) -> None:
        self.visits: list[Visit] = []
        self.refused_without_death = 0
        self._port, self._events, self._deaths, self._may_come = port, events, deaths, may_come
        self.task = asyncio.ensure_future(self._run())

    def is_served(self, pids: set[int]) -> bool:
        """Whether it hears events, by one of these processes."""
        return bool(self.visits) and not self.visits[-1].is_lost and self.visits[-1].pid in pids

    async def _run(self) -> None:
        while True:
            await self._may_come.wait()
            deaths = self._deaths()
            try:
                async with browser(self._port) as connection:
                    await self._visit(connection)
            except (ConnectionClosed, InvalidHandshake, OSError, EOFError):
                if self._deaths() == deaths:
                    self.refused_without_death += 1
                await asyncio.sleep(0.01)

    async def _visit(self, connection: ClientConnection) -> None:
        await connection.send("pid")
        pid = int(await receive(connection))
        assert await receive(connection) == "done pid"
        await command(connection, f"join {GROUP}")
        self.visits.append(visit := Visit(pid, self._events.begun))
        try:
            async for text in connection:
                visit.heard.append(int(str(text).removeprefix("chat ")))
        finally:
            visit.is_lost = not self.task.cancelling()
