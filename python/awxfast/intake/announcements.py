"""Tells other nodes which groups this process wants, in the backplane's group: so all links on this Redis hear.

One channel speaks for the whole process, whoever in it wants a group: a consumer that ends by an exception never says
so, but the process knows.
"""

import time
from collections.abc import Mapping, Sequence
from typing import Any

from awxfast.intake.names import ProcessNames
from awxfast.redis.commands import Argument
from awxfast.redis.connection import RedisConnection
from awxfast.redis.group_writer import GroupWriter, SendCommands
from awxfast.wire.backplane import Notice, notice_message, split_notice

SPEAKER = "awxfast"
"""The speaker's channel name after `!`. Nothing is ever sent to it."""


def speaker_of(names: ProcessNames) -> str:
    """The channel that speaks for a process."""
    return names.channel(SPEAKER)


class Announcements:
    """Makes the commands. `group` is the backplane's, which nobody outside needs to hear of."""

    def __init__(self, names: ProcessNames, group: str, writer: GroupWriter) -> None:
        self._names = names
        self._writer = writer
        self._silent = {group, names.sentinel}
        self._group = group

    def list_wanted(self, groups: Sequence[str]) -> list[str]:
        """Those of `groups` that other nodes may have events of."""
        return [group for group in groups if group not in self._silent]

    async def commands(
        self, connection: RedisConnection, groups: Sequence[str], *, wanted: bool
    ) -> list[tuple[Argument, ...]]:
        """What says that the process wants `groups` from now on, or no more. Raises `RedisError`."""
        messages = self._messages(groups, wanted)
        return await self._writer.commands(connection, self._group, messages, time.time()) if messages else []

    def tell(self, send: SendCommands, groups: Sequence[str], *, wanted: bool) -> None:
        """Says it. Nobody waits for it."""
        if messages := self._messages(groups, wanted):
            self._writer.tell(send, self._group, messages, time.time())

    def _messages(self, groups: Sequence[str], wanted: bool) -> list[Mapping[str, Any]]:
        told = self.list_wanted(groups)
        notice = Notice(wanted, tuple(told), speaker_of(self._names))
        return [notice_message(part) for part in split_notice(notice)] if told else []

    def mark(self) -> tuple[Argument, ...]:
        """Says in Redis that the process's groups are wishes of browsers, and where they end when it dies."""
        return ("SET", self._names.announced_in_key, self._group)
