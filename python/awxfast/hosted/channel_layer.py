"""The channel layer that an application sees in this process: the stock one, but for the channels that end here.

What leaves the process (`send`, `group_send`, `flush`, other processes' channels, plain names) is channels_redis' own
code, so that the bytes are the same in every version. What arrives for this process's `specific.` channels comes from
the intake, and its group memberships are the intake's one name a group. Methods work from any loop.

Imported only once the application has imported `channels_redis`.
"""

import asyncio
import secrets
from collections.abc import Sequence
from typing import Any

from channels_redis.core import RedisChannelLayer

from awxfast.hosted.channel_table import ChannelTable
from awxfast.hosted.own_channels import OwnChannels
from awxfast.hosted.stock_encryption import encrypt_like
from awxfast.wire.encryption_keys import SETTING
from awxfast.wire.host_choice import choose_host, cut_to_queue


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
        self._begins = tuple(f"specific.{token}!" for token in tokens)
        self._own = OwnChannels(table, self._begins, loop)
        # Channels 4.2.1 gave these two other names.
        self._require_channel = getattr(self, "require_valid_channel_name", None) or self.valid_channel_name
        self._require_group = getattr(self, "require_valid_group_name", None) or self.valid_group_name

    def use_keys(self, keys: Sequence[bytes]) -> None:
        """Encrypts with other keys from now on, as a stock layer would that was made with them."""
        encrypt_like(self, RedisChannelLayer(**{**self._arguments, SETTING: list(keys)}))

    async def new_channel(self, prefix: str = "specific") -> str:
        """A new name; it ends with the websocket that asks for it, if one does."""
        name: str = await super().new_channel(prefix)
        if self._own.has(name):
            name = self._place(name)
            await self._own.open(name)
        return name

    async def receive(self, channel: str) -> dict[str, Any]:
        """The next message of a channel."""
        self._require_channel(channel)
        if not self._own.has(channel):
            message: dict[str, Any] = await super().receive(channel)
            return message
        return await self._own.receive(channel)

    async def group_add(self, group: str, channel: str) -> None:
        """Joins; what is sent to the group after that arrives. Raises as `OwnChannels.join`."""
        self._require_group(group)
        self._require_channel(channel)
        if self._own.has(channel):
            await self._own.join(group, channel)
        else:
            await super().group_add(group, channel)

    async def group_discard(self, group: str, channel: str) -> None:
        """Leaves; what the channel's owner sends after that is followed by nothing of the group."""
        self._require_group(group)
        self._require_channel(channel)
        if not self._own.has(channel) or not await self._own.leave(group, channel):
            await super().group_discard(group, channel)  # perhaps another process has added it

    async def flush(self) -> None:
        """Deletes all messages and groups, this process's memberships with them."""
        await self._own.begin_flush()
        try:
            await super().flush()
        finally:
            await self._own.end_flush()

    def consistent_hash(self, value: str | bytes) -> int:
        """Which Redis: for a channel the one where its queue is read, not the one of its whole name as in stock."""
        index: int = super().consistent_hash(cut_to_queue(value) if isinstance(value, str) else value)
        return index

    def _place(self, name: str) -> str:
        """One like it, on any Redis, whose whole name belongs where its queue is: stock producers `send` there."""
        if self.ring_size == 1:
            return name
        host = secrets.randbelow(self.ring_size)
        while choose_host(name, self.ring_size) != host or not name.startswith(self._begins[host]):
            name = self._begins[host] + secrets.token_hex(16)
        return name
