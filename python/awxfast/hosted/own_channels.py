"""The channels that end in this process, as its layer asks for them from whichever event loop."""

import asyncio
from collections.abc import Coroutine
from typing import Any, TypeVar

from redis.exceptions import ConnectionError as RedisConnectionError
from redis.exceptions import ResponseError

from awxfast.errors import RedisReplyError
from awxfast.hosted.channel import Message
from awxfast.hosted.channel_table import JOIN_PATIENCE, ChannelTable
from awxfast.hosted.current_session import LayerSession, current_session

T = TypeVar("T")


class LayerUnavailable(RedisConnectionError, ConnectionError):
    """Redis is away, as redis-py and aioredis say it."""


class OwnChannels:
    """`begins`: what the names of this process's channels begin with; `loop`: the serving one, which `table` is of.

    The rest of a name is what the table knows a channel by.
    """

    def __init__(self, table: ChannelTable, begins: tuple[str, ...], loop: asyncio.AbstractEventLoop) -> None:
        self._table = table
        self._begins = begins
        self._loop = loop

    def has(self, channel: str) -> bool:
        """Whether it is one of this process."""
        return channel.startswith(self._begins)

    async def open(self, channel: str) -> None:
        """A new one; it ends with the websocket that asks for it, if one does."""
        await self._on_loop(self._open(self._local(channel), current_session.get()))

    async def receive(self, channel: str) -> Message:
        """The next message of one of them."""
        return await self._on_loop(self._table.receive(self._local(channel)))

    async def join(self, group: str, channel: str) -> None:
        """What is sent to the group from now on arrives.

        Raises `LayerUnavailable` when Redis stays away, redis-py's `ResponseError` when it refuses.
        """
        try:
            await self._on_loop(self._table.join(group, self._local(channel)))
        except TimeoutError:
            raise LayerUnavailable(f"Redis has been away for {JOIN_PATIENCE:g} s") from None
        except RedisReplyError as error:
            raise ResponseError(str(error)) from None

    async def leave(self, group: str, channel: str) -> bool:
        """Whether it was a member that joined by itself."""
        return await self._on_loop(self._leave(group, self._local(channel)))

    async def begin_flush(self) -> None:
        """All of them lose their groups."""
        await self._on_loop(self._begin_flush())

    async def end_flush(self) -> None:
        """Redis has none of them any more."""
        await self._on_loop(self._table.end_flush())

    async def _open(self, local: str, session: LayerSession | None) -> None:
        self._table.open_channel(local, session)

    async def _leave(self, group: str, local: str) -> bool:
        return self._table.leave(group, local)

    async def _begin_flush(self) -> None:
        self._table.begin_flush()

    def _local(self, channel: str) -> str:
        return channel[len(next(filter(channel.startswith, self._begins))) :]

    async def _on_loop(self, work: Coroutine[Any, Any, T]) -> T:
        """Runs `work` on the serving loop, whichever loop asks."""
        if asyncio.get_running_loop() is self._loop:
            return await work
        return await asyncio.wrap_future(asyncio.run_coroutine_threadsafe(work, self._loop))
