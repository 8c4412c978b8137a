"""The channel layer that an application sees in this process: the stock one, but for the channels that end here.

What leaves the process (`send`, `group_send`, `flush`, other processes' channels, plain names) is channels_redis' own
code, so that the bytes are the same in every version. What arrives for this process's `specific.` channels comes from
the intake, and its group memberships are the intake's one name a group. Methods work from any loop.

Imported only once the application has imported `channels_redis`.
"""

import asyncio
import secrets
from collections.abc import Coroutine, Sequence
from typing import Any, TypeVar

from channels_redis.core import RedisChannelLayer
from redis.exceptions import ConnectionError as RedisConnectionError
from redis.exceptions import ResponseError

from awxfast.errors import RedisReplyError
from awxfast.hosted.channel_table import JOIN_PATIENCE, ChannelTable
from awxfast.hosted.current_session import LayerSession, current_session
from awxfast.wire.encryption_keys import SETTING
from awxfast.wire.host_choice import choose_host, cut_to_queue

T = TypeVar("T")

ENCRYPTION = ("_serializer", "crypter")
"""Where channels_redis keeps its encryption: since 4.1, and before."""


class LayerUnavailable(RedisConnectionError, ConnectionError):
    """Redis is away, as redis-py and aioredis say it."""


class HostedLayer(RedisChannelLayer):  # type: ignore[misc]  # channels_redis has no types
    """`tokens`: the process's 32 hex digits, for each Redis others; `loop`: the serving one.

    `arguments`: those of the stock layer.
    """

    def __init__(
        self, table: ChannelTable, tokens: Sequence[str], loop: asyncio.AbstractEventLoop, arguments: dict[str, Any]
    ) -> None:
        super().__init__(**arguments)
        self._arguments = arguments
        self.client_prefix = tokens[0]
        self._own = tuple(f"specific.{token}!" for token in tokens)
        self._table = table
        self._loop = loop
        # Channels 4.2.1 gave these two other names.
        self._require_channel = getattr(self, "require_valid_channel_name", None) or self.valid_channel_name
        self._require_group = getattr(self, "require_valid_group_name", None) or self.valid_group_name

    def use_keys(self, keys: Sequence[bytes]) -> None:
        """Encrypts with other keys from now on, as a stock layer would that was made with them."""
        stock = RedisChannelLayer(**{**self._arguments, SETTING: list(keys)})
        for name in ENCRYPTION:
            if hasattr(stock, name):
                setattr(self, name, getattr(stock, name))

    async def new_channel(self, prefix: str = "specific") -> str:
        """A new name; it ends with the websocket that asks for it, if one does."""
        name: str = await super().new_channel(prefix)
        if name.startswith(self._own):
            name = self._place(name)
            await self._on_loop(self._open(self._local(name), current_session.get()))
        return name

    async def receive(self, channel: str) -> dict[str, Any]:
        """The next message of a channel."""
        self._require_channel(channel)
        if not channel.startswith(self._own):
            message: dict[str, Any] = await super().receive(channel)
            return message
        return await self._on_loop(self._table.receive(self._local(channel)))

    async def group_add(self, group: str, channel: str) -> None:
        """Joins; what is sent to the group after that arrives.

        Raises `LayerUnavailable` when Redis stays away, redis-py's `ResponseError` when it refuses.
        """
        self._require_group(group)
        self._require_channel(channel)
        if not channel.startswith(self._own):
            await super().group_add(group, channel)
            return
        try:
            await self._on_loop(self._table.join(group, self._local(channel)))
        except TimeoutError:
            raise LayerUnavailable(f"Redis has been away for {JOIN_PATIENCE:g} s") from None
        except RedisReplyError as error:
            raise ResponseError(str(error)) from None

    async def group_discard(self, group: str, channel: str) -> None:
        """Leaves; what the channel's owner sends after that is followed by nothing of the group."""
        self._require_group(group)
        self._require_channel(channel)
        is_own = channel.startswith(self._own)
        if not is_own or not await self._on_loop(self._leave(group, self._local(channel))):
            await super().group_discard(group, channel)  # perhaps another process has added it

    async def flush(self) -> None:
        """Deletes all messages and groups, this process's memberships with them."""
        await self._on_loop(self._begin_flush())
        try:
            await super().flush()
        finally:
            await self._on_loop(self._table.end_flush())

    def consistent_hash(self, value: str | bytes) -> int:
        """Which Redis: for a channel the one where its queue is read, not the one of its whole name as in stock."""
        index: int = super().consistent_hash(cut_to_queue(value) if isinstance(value, str) else value)
        return index

    def _place(self, name: str) -> str:
        """One like it, on any Redis, whose whole name belongs where its queue is: stock producers `send` there."""
        if self.ring_size == 1:
            return name
        host = secrets.randbelow(self.ring_size)
        while choose_host(name, self.ring_size) != host or not name.startswith(self._own[host]):
            name = self._own[host] + secrets.token_hex(16)
        return name

    async def _open(self, local: str, session: LayerSession | None) -> None:
        self._table.open_channel(local, session)

    async def _leave(self, group: str, local: str) -> bool:
        return self._table.leave(group, local)

    async def _begin_flush(self) -> None:
        self._table.begin_flush()

    def _local(self, channel: str) -> str:
        return channel.partition("!")[2]

    async def _on_loop(self, work: Coroutine[Any, Any, T]) -> T:
        """Runs `work` on the serving loop, whichever loop asks."""
        if asyncio.get_running_loop() is self._loop:
            return await work
        return await asyncio.wrap_future(asyncio.run_coroutine_threadsafe(work, self._loop))
