"""A server with a real fan-out, for everybody to connect to; only the subscriptions in Redis are made up."""

import asyncio
import os
import socket
import time
from collections import Counter
from collections.abc import AsyncIterator, Awaitable, Callable, Iterable, Sequence
from typing import Any

import msgpack
import pytest
from awxfast._rust import Fanout
from awxfast.http.access_log import AccessLog
from awxfast.http.listening import Listening
from awxfast.http.tls import Certificate
from awxfast.intake.groups import TURN_GROUPS
from awxfast.native.access import Access, OpenAccess
from awxfast.native.endpoints import NativeEndpoints
from awxfast.settings import Settings
from awxfast.sockets.server import Server
from awxfast.system.shares import Shares
from awxfast.turns import Turns

HANG = 20.0
"""Seconds after which something that does not happen counts as failed."""

Start = Callable[..., Awaitable["Serving"]]


async def until(condition: Callable[[], Any]) -> None:
    """Waits until something is so; the time is only a guard against hanging."""
    async with asyncio.timeout(HANG):
        while not condition():  # noqa: ASYNC110 (what is waited for has no event)
            await asyncio.sleep(0.005)


class HeldGroups:
    """Counts holds as the intake does. While `answers` is not set Redis is away."""

    def __init__(self, fanout: Fanout) -> None:
        self.counts: Counter[str] = Counter()
        self.calls: list[list[str]] = []
        self.answers = asyncio.Event()
        self.answers.set()
        self.failure: Exception | None = None
        self.turns = Turns(TURN_GROUPS)
        self._fanout = fanout

    async def hold(self, groups: Iterable[str]) -> None:
        wanted = list(groups)
        self.calls.append(wanted)
        if self.failure:
            raise self.failure
        self.counts.update(wanted)
        for group in wanted:
            self._fanout.add_channel(group, group)
        try:
            await self.answers.wait()
        except BaseException:
            self.release(wanted)
            raise

    def hold_at_once(self, groups: Sequence[str]) -> bool:
        if self.failure or not self.answers.is_set():
            return False
        self.calls.append(list(groups))
        self.counts.update(groups)
        for group in groups:
            self._fanout.add_channel(group, group)
        return True

    def release(self, groups: Iterable[str]) -> None:
        for group in groups:
            self.counts[group] -= 1
            assert self.counts[group] >= 0
            if not self.counts[group]:
                del self.counts[group]


class Serving:
    """One server on one listener; `settings` are overrides of the defaults."""

    def __init__(
        self,
        *,
        access: Access | None = None,
        access_log: AccessLog | None = None,
        sock: socket.socket | None = None,
        certificate: Certificate | None = None,
        fanout: dict[str, Any] | None = None,
        shares: Shares | None = None,
        **settings: Any,
    ) -> None:
        self.settings = Settings(**settings)
        self.fanout = Fanout(threads=1, **(fanout or {}))
        self.groups = HeldGroups(self.fanout)
        self.access = access or OpenAccess()
        self.sock = sock or socket.create_server(("127.0.0.1", 0))
        self.certificate = certificate
        self.address: Any = self.sock.getsockname()
        self.endpoints = NativeEndpoints(self.settings, self.groups, self.access)
        self.server = Server(self.settings, self.fanout, self.endpoints, access_log, shares=shares)
        self._running = False

    @property
    def port(self) -> int:
        return int(self.address[1])

    @property
    def url(self) -> str:
        return f"ws://127.0.0.1:{self.port}/websocket/"

    async def start(self) -> None:
        await self.server.start([Listening(self.sock, certificate=self.certificate)])
        self._running = True

    async def stop(self, grace: float = 2.0) -> None:
        if self._running:
            self._running = False
            await self.server.stop(grace)
            await self.access.close()
            assert not self.groups.counts, "a hold was never released"
            self.fanout.stop()
            await asyncio.sleep(0)

    def publish(self, group: str, *texts: str) -> None:
        """Events of a group, as a pop from Redis gives them."""
        message = {"type": "internal.message", "__asgi_channel__": [f"asgispecific.x!{group}"]}
        entries = [os.urandom(12) + msgpack.packb({**message, "text": text}) for text in texts]
        self.fanout.publish_batch([[entry, str(time.time()).encode()] for entry in entries])


@pytest.fixture
async def start() -> AsyncIterator[Start]:
    """Starts servers with settings of the test's choice."""
    running: list[Serving] = []

    async def start_one(**options: Any) -> Serving:
        running.append(Serving(**options))
        await running[-1].start()
        return running[-1]

    yield start_one
    for serving in running:
        await serving.stop()


@pytest.fixture
async def serving(start: Start) -> Serving:
    """A server that everybody may use."""
    return await start()
