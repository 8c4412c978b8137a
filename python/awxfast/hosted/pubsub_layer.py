"""In place of `channels_redis.pubsub`: what leaves the process is its own code, what arrives comes from the intake.

A stock process subscribes to each channel's name. Here all names of a process begin alike, and one pattern is enough.
Imported only once the application has imported `channels_redis`.
"""

import asyncio
import secrets
from collections.abc import Sequence
from typing import Any

from channels_redis.pubsub import RedisPubSubChannelLayer

from awxfast.hosted.channel_table import ChannelTable
from awxfast.hosted.own_channels import OwnChannels
from awxfast.hosted.stock_encryption import encrypt_like
from awxfast.settings import LayerSettings
from awxfast.wire.encryption_keys import SETTING
from awxfast.wire.group_channels import OWN_DIGITS, SPECIFIC, begin_of_channels


class HostedPubSubLayer(RedisPubSubChannelLayer):  # type: ignore[misc]  # channels_redis has no types
    """See `HostedLayer` for what it is given."""

    def __init__(
        self, table: ChannelTable, tokens: Sequence[str], loop: asyncio.AbstractEventLoop, arguments: dict[str, Any]
    ) -> None:
        super().__init__(**arguments)
        self._arguments = arguments
        self._begin = begin_of_channels(arguments.get("prefix", LayerSettings.prefix), tokens[0])
        self._own = OwnChannels(table, (self._begin,), loop)

    def use_keys(self, keys: Sequence[bytes]) -> None:
        """Encrypts with other keys from now on (`HostedLayer.use_keys`)."""
        encrypt_like(self, RedisPubSubChannelLayer(**{**self._arguments, SETTING: list(keys)}))

    async def new_channel(self, prefix: str = SPECIFIC) -> str:
        """A new name, as long as a stock one; it ends with the websocket that asks for it, if one does."""
        if prefix != SPECIFIC:
            name: str = await self._get_layer().new_channel(prefix)
            return name
        name = self._begin + secrets.token_hex(OWN_DIGITS // 2)
        await self._own.open(name)
        return name

    async def receive(self, channel: str) -> dict[str, Any]:
        """The next message of a channel."""
        if self._own.has(channel):
            return await self._own.receive(channel)
        message: dict[str, Any] = await self._get_layer().receive(channel)
        return message

    async def group_add(self, group: str, channel: str) -> None:
        """Joins; what is sent to the group after that arrives.

        Raises as `OwnChannels.join`, and `RuntimeError` for a channel of another process, as stock does.
        """
        if self._own.has(channel):
            await self._own.join(group, channel)
        else:
            await self._get_layer().group_add(group, channel)

    async def group_discard(self, group: str, channel: str) -> None:
        """Leaves; what the channel's owner sends after that is followed by nothing of the group."""
        if not self._own.has(channel) or not await self._own.leave(group, channel):
            await self._get_layer().group_discard(group, channel)

    async def flush(self) -> None:
        """Takes this process's channels out of all groups; nothing is stored that could be deleted."""
        await self._own.begin_flush()
        try:
            await self._get_layer().flush()
        finally:
            await self._own.end_flush()

    async def close_pools(self) -> None:
        """Closes the connections that sending has opened on this loop."""
        await self._get_layer().flush()
