"""Events one by one through what programs call: `group_send` of a channel layer, or `awxfast.emit`."""

import asyncio
import os
from typing import Any

from traffic.event_texts import AWX_CAPACITY, event_text

AWX_GROUP_EXPIRY = 157_784_760


class GroupSend:
    """`group_send` of channels_redis in one event loop."""

    def __init__(self, url: str, group: str, template: bytes) -> None:
        self._group, self._template = group, template
        self._layer = self.build_layer(hosts=[url], capacity=AWX_CAPACITY, group_expiry=AWX_GROUP_EXPIRY)
        self._runner = asyncio.Runner()

    def build_layer(self, **options: Any) -> Any:
        from channels_redis.core import RedisChannelLayer

        return RedisChannelLayer(**options)

    def send(self, first: int, count: int, made_ns: int) -> None:
        """The events `first` to `first + count - 1`, stamped `made_ns`, one call each."""
        for number in range(first, first + count):
            text = event_text(self._template, number, made_ns).decode("ascii")
            self.call({"type": "internal.message", "text": text, "needs_relay": True})

    def call(self, message: dict[str, object]) -> None:
        self._runner.run(self._layer.group_send(self._group, message))

    def depth(self) -> int:
        """Not asked for: these are never so fast that a queue fills."""
        return 0

    def close(self) -> None:
        if hasattr(self._layer, "close_pools"):
            self._runner.run(self._layer.close_pools())
        self._runner.close()


class GroupSendInFreshLoops(GroupSend):
    """Calls with a new event loop, hence a new connection, for each event: AWX's way."""

    def call(self, message: dict[str, object]) -> None:
        asyncio.run(self._layer.group_send(self._group, message))


class AwxfastLayer(GroupSendInFreshLoops):
    """AWX's way with `awxfast.layer` as the channel layer."""

    def build_layer(self, **options: Any) -> Any:
        from awxfast.layer import RedisChannelLayer

        return RedisChannelLayer(**options)


class Emit(GroupSend):
    """Sends by `awxfast.emit`, from synchronous code."""

    def build_layer(self, **options: Any) -> Any:
        import awxfast

        os.environ["AWXFAST_REDIS"] = options["hosts"][0]
        return awxfast

    def call(self, message: dict[str, object]) -> None:
        self._layer.emit(self._group, message["text"])


CALLS: dict[str, type[GroupSend]] = {
    "stock": GroupSend,
    "fresh-loops": GroupSendInFreshLoops,
    "layer": AwxfastLayer,
    "emit": Emit,
}
