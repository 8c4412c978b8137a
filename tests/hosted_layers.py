"""A hosted layer on a real Redis, with what it needs of a process, and sessions that the test plays."""

import asyncio
import socket
from collections.abc import Callable, Sequence
from typing import Any

from awxfast._rust import Fanout
from awxfast.hosted.channel_layer import HostedLayer
from awxfast.hosted.channel_table import ChannelTable
from awxfast.hosted.current_session import current_session
from awxfast.intake.host_intakes import open_intake
from awxfast.settings import Settings
from awxfast.wire.encryption_keys import SETTING
from awxfast.wire.entry_bodies import make_entry_format
from redis_servers import HANG, RedisServer


class Hosted:
    """The layer of one process, from Redis to sockets."""

    def __init__(
        self,
        *servers: RedisServer,
        direct: tuple[str, ...] = (),
        max_groups: int = 1000,
        keys: Sequence[bytes] = (),
        **configuration: Any,
    ) -> None:
        self.settings = Settings(redis=tuple(server.url for server in servers), direct=direct, **configuration)
        self.entry_format = make_entry_format(self.settings, keys)
        self.fanout = Fanout(direct_types=direct, consumers=True, entry_format=self.entry_format)
        self.table = ChannelTable(
            self.fanout,
            capacity=self.settings.capacity,
            direct=bool(direct),
            serializer=self.settings.serializer_format,
            max_groups=max_groups,
        )
        addresses = [server.address for server in servers]
        self.intake: Any = open_intake(self.settings, addresses, self.table, entry_format=self.entry_format)
        self.table.connect(self.intake.subscriptions)
        arguments = {"hosts": [*self.settings.redis], **configuration, **({SETTING: list(keys)} if keys else {})}
        tokens = [part.names.token for part in self.intake.parts]
        self.layer = HostedLayer(self.table, tokens, asyncio.get_running_loop(), arguments)

    async def stop(self) -> None:
        await self.layer.close_pools()
        await self.intake.stop()
        self.fanout.stop()
        ledger = self.fanout.ledger()
        assert ledger["balance"] == {"events": 0, "frames": 0}


class PlayedSession:
    """A websocket scope whose handshake and end are the test's."""

    def __init__(self, fanout: Fanout) -> None:
        self._fanout = fanout
        self._near, self.far = socket.socketpair()
        self._near.setblocking(False)
        self.far.settimeout(HANG)
        self._attached: list[Callable[[], None]] = []
        self._ended: list[Callable[[], None]] = []
        self.client: int | None = None
        self.has_ended = False
        self.overstepped = 0

    def overstep(self) -> None:
        self.overstepped += 1

    def on_attached(self, callback: Callable[[], None]) -> None:
        self._attached.append(callback)

    def on_end(self, callback: Callable[[], None]) -> None:
        self._ended.append(callback)

    def enter(self) -> None:
        """The test goes on as the application of this session."""
        current_session.set(self)

    def accept(self) -> None:
        self.client = self._fanout.attach(self._near.fileno())
        for callback in self._attached:
            callback()

    def end(self) -> None:
        if self.client is not None:
            self._fanout.detach(self.client)
        self.has_ended = True
        for callback in self._ended:
            callback()
        self._ended = []
        self._near.close()
        self.far.close()

    async def receive_text(self) -> str:
        """The next frame, which must be a short text."""
        header = await asyncio.to_thread(self._receive_exactly, 2)
        assert header[0] == 0x81
        assert header[1] < 126
        return (await asyncio.to_thread(self._receive_exactly, header[1])).decode()

    def _receive_exactly(self, count: int) -> bytes:
        data = b""
        while len(data) < count:
            data += self.far.recv(count - len(data))
        return data
