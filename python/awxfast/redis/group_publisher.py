"""Publishes events for groups as `channels_redis.pubsub` does, many in one write."""

from collections.abc import Callable, Mapping, Sequence
from typing import Any

from awxfast._rust import EntryFormat
from awxfast.errors import RedisReplyError
from awxfast.redis.commands import Command, SendCommands
from awxfast.redis.connection import RedisConnection
from awxfast.redis.group_writer import Event, Sent
from awxfast.redis.replies import describe, is_number
from awxfast.settings import LayerSettings
from awxfast.wire.entry_bodies import pack_whole
from awxfast.wire.group_channels import group_channel
from awxfast.wire.group_send import EVENT_TYPE, PASSED_ON_BY


class GroupPublisher:
    """As `GroupWriter`, where nothing is stored: who is not subscribed now gets nothing.

    `own`: what this process's channel names begin with, `is_joined` whether it is subscribed to a group: it then hears
    itself, and knows its own events by that name. Without it nothing of ours is left out.
    """

    def __init__(
        self,
        layer: LayerSettings,
        entry_format: EntryFormat,
        own: str = "",
        is_joined: Callable[[str], bool] = lambda _: False,
    ) -> None:
        self._layer = layer
        self._format = entry_format
        self._own = own
        self._is_joined = is_joined

    async def find_heard(self, connection: RedisConnection, groups: Sequence[str], now: float) -> Mapping[str, bool]:
        """For each of `groups` whether anybody but us is subscribed. Raises `RedisError`.

        Where we join or leave meanwhile, Redis' count may not have us: it is then all others'.
        """
        joined = self._list_joined(groups)
        answers = await connection.command("PUBSUB", "NUMSUB", *map(self._channel, groups))
        if type(answers) is not list or len(answers) != 2 * len(groups) or not all(map(is_number, answers[1::2])):
            raise connection.distrust(f"{describe(answers)} to PUBSUB")
        own = map(all, zip(joined, self._list_joined(groups), strict=True))
        return {group: count > mine for group, count, mine in zip(groups, answers[1::2], own, strict=True)}

    async def send(self, connection: RedisConnection, events: Sequence[Event], now: float) -> Sent:
        """Publishes events in their order. Raises `RedisError`: then nobody knows whether they are out."""
        answers = await connection.commands(
            [
                ("PUBLISH", self._channel(event.group), pack_whole(self._format, self._message(event), None))
                for event in events
            ]
        )
        for answer in answers:
            if isinstance(answer, RedisReplyError):
                raise answer
        own = self._list_joined([event.group for event in events])
        return Sent([max(0, heard - mine) for heard, mine in zip(answers, own, strict=True)], 0)

    def tell(self, send: SendCommands, group: str, messages: Sequence[Mapping[str, Any]], now: float) -> None:
        """Publishes messages, for callers that don't wait."""
        send(self._commands(group, messages))

    async def commands(
        self, connection: RedisConnection, group: str, messages: Sequence[Mapping[str, Any]], now: float
    ) -> list[Command]:
        """What publishes messages, for callers that send it with other commands."""
        return self._commands(group, messages)

    def _list_joined(self, groups: Sequence[str]) -> Sequence[bool]:
        return [self._is_joined(group) for group in groups]

    def _commands(self, group: str, messages: Sequence[Mapping[str, Any]]) -> list[Command]:
        return [("PUBLISH", self._channel(group), pack_whole(self._format, message, None)) for message in messages]

    def _message(self, event: Event) -> Mapping[str, Any]:
        origin = {PASSED_ON_BY: self._own} if self._own else {}
        return {"type": EVENT_TYPE, "text": event.text.decode(), **origin}

    def _channel(self, group: str) -> str:
        return group_channel(self._layer.prefix, group)
