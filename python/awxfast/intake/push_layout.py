"""How Redis is told which groups a process is in where nothing is stored: by subscriptions of one connection."""

from collections.abc import Sequence
from typing import Any

from awxfast.intake.members import Membership
from awxfast.intake.names import ProcessNames
from awxfast.redis.commands import Command
from awxfast.wire.group_channels import group_channel


class PushLayout:
    """Makes the commands, for a connection that subscribes: one for each channel, so that each has one answer."""

    def __init__(self, names: ProcessNames) -> None:
        self._names = names

    def check(self, group: str) -> None:
        """`channels_redis.pubsub` checks no names. What UTF-8 can't write is a `UnicodeEncodeError`."""
        group.encode()

    def join(self, members: Sequence[Membership], now: float) -> list[Command]:
        """Subscribes; who has is subscribed still."""
        return [("SUBSCRIBE", group_channel(self._names.prefix, member.group)) for member in members]

    def read_joins(self, replies: Sequence[Any]) -> Sequence[Any]:
        """There is nothing else among them."""
        return replies

    def count_added(self, known: Sequence[bool], replies: Sequence[Any]) -> int:
        """None: a subscription ends with its connection, and not before."""
        return 0

    def leave(self, members: Sequence[Membership]) -> list[Command]:
        """Unsubscribes, with one answer for each."""
        return [("UNSUBSCRIBE", group_channel(self._names.prefix, member.group)) for member in members]

    def leave_at_once(self, members: Sequence[Membership]) -> list[Command]:
        """Unsubscribes from all: there is no shorter way."""
        return self.leave(members)

    def look(self, members: Sequence[Membership]) -> list[Command]:
        """Nothing can have vanished."""
        return []
