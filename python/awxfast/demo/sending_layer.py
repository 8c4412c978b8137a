"""The sending half of channels_redis' core layer, for machines without channels_redis: text messages, one Redis."""

import time
from collections.abc import Mapping
from typing import Any

from redis.asyncio import Redis

from awxfast.settings import LayerSettings
from awxfast.wire.group_send import SEND_ONE, pack_message, send_one_arguments


class SendingLayer:
    """Writes what `RedisChannelLayer.group_send` writes, for members that a relay registered."""

    def __init__(self, url: str, layer: LayerSettings | None = None) -> None:
        self._redis: Any = Redis.from_url(url)  # redis-py's own types change from version to version
        self._layer = layer or LayerSettings()

    async def group_send(self, group: str, message: Mapping[str, str | bool]) -> None:
        """Puts one message into the queue of each process with a member; a queue at its capacity gets none."""
        words = send_one_arguments(self._layer, group, pack_message(self._layer, message), time.time())
        await self._redis.eval(SEND_ONE.text, 0, *words)

    async def close_pools(self) -> None:
        """Closes the connections; named as in channels_redis."""
        await self._redis.aclose()
