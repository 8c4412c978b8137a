"""Publishes events for groups as `channels_redis.pubsub` does, many in one write."""

from collections.abc import Callable, Mapping, Sequence
from typing import Any

from awxfast.errors import RedisReplyError
from awxfast.redis.commands import Argument
from awxfast.redis.connection import RedisConnection
from awxfast.redis.group_writer import Event, Sent
from awxfast.redis.replies import describe, is_number
from awxfast.settings import LayerSettings
from awxfast.wire.group_channels import group_channel
from awxfast.wire.published import pack_published, pack_published_event


class GroupPublisher:
    """As `GroupWriter`, where nothing is stored: who is not subscribed now gets nothing.

    `own`: what this process's channel names begin with, `is_joined` whether it is subscribed to a group: it then hears
    itself, and knows its own events by that name. Without it nothing of ours is left out.
    """

    def __init__(self, layer: LayerSettings, own: str = "", is_joined: Callable[[str], bool] = lambda _: False) -> None:
        self._layer = layer
        self._own = own
        self._is_joined = is_joined

    async def find_heard(self, connection: RedisConnection, groups: Sequence[str], now: float) -> Mapping[str, bool]:
        """For each of `groups` whether anybody but us is subscribed. Raises `RedisError`."""
        answers = await connection.command("PUBSUB", "NUMSUB", *map(self._channel, groups))
        if type(answers) is not list or len(answers) != 2 * len(groups) or not all(map(is_number, answers[1::2])):
            raise connection.distrust(f"{describe(answers)} to PUBSUB")
        own = map(self._is_joined, groups)
        return {group: count > mine for group, count, mine in zip(groups, answers[1::2], own, strict=True)}

    async def send(self, connection: RedisConnection, events: Sequence[Event], now: float) -> Sent:
        """Publishes events in their order. Raises `RedisError`: then nobody knows whether they are out."""
        answers = await connection.commands(
            [
                ("PUBLISH", self._channel(event.group), pack_published_event(self._layer, event.text, self._own))
                for event in events
            ]
        )
        for answer in answers:
            if isinstance(answer, RedisReplyError):
                raise answer
        own = map(self._is_joined, (event.group for event in events))
        return Sent([max(0, heard - mine) for heard, mine in zip(answers, own, strict=True)], 0)

    def command(self, group: str, message: Mapping[str, Any], now: float) -> tuple[Argument, ...]:
        """Publishes one message, for callers that don't wait for the answer."""
        return ("PUBLISH", self._channel(group), pack_published(self._layer, message))

    def _channel(self, group: str) -> str:
        return group_channel(self._layer.prefix, group)
