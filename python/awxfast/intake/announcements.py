"""Tells other nodes which groups this process wants, in the backplane's group: so all links on this Redis hear.

One channel speaks for the whole process, whoever in it wants a group: a consumer that ends by an exception never says
so, but the process knows.
"""

import time
from collections.abc import Mapping, Sequence
from typing import Any, Protocol

from awxfast.intake.names import ProcessNames
from awxfast.redis.commands import Command, SendCommands
from awxfast.redis.connection import RedisConnection
from awxfast.redis.group_publisher import GroupPublisher
from awxfast.redis.group_writer import GroupWriter
from awxfast.wire.backplane import Notice, notice_message, split_notice
from awxfast.wire.groups import is_valid_group

SPEAKER = "awxfast"
"""The speaker's channel name after `!`. Nothing is ever sent to it."""


def speaker_of(names: ProcessNames) -> str:
    """The channel that speaks for a process."""
    return names.channel(SPEAKER)


class NoticeSender(Protocol):
    """Who writes notices where the connection of the groups can't."""

    def write(self, prefix: str, group: str, messages: Sequence[Mapping[str, Any]]) -> None:
        """In the order of the calls. Nobody waits for it."""


class Announcements:
    """Makes the commands. `group` is the backplane's, which nobody outside needs to hear of.

    `apart`: who writes in that group where the process's groups and it may be on different Redis.
    """

    def __init__(
        self,
        names: ProcessNames,
        group: str,
        writer: GroupWriter | GroupPublisher,
        apart: NoticeSender | None = None,
    ) -> None:
        self._names = names
        self._writer = writer
        self._apart = apart
        self._silent = {group, names.sentinel}
        self._group = group

    def list_wanted(self, groups: Sequence[str]) -> list[str]:
        """Those of `groups` that other nodes may have events of."""
        return [group for group in groups if group not in self._silent and is_valid_group(group)]

    async def commands(self, connection: RedisConnection, groups: Sequence[str], *, wanted: bool) -> list[Command]:
        """What says that the process wants `groups` from now on, or no more; nothing where it must be said apart.

        Raises `RedisError`.
        """
        messages = self._messages(groups, wanted) if self._apart is None else []
        return await self._writer.commands(connection, self._group, messages, time.time()) if messages else []

    def tell(self, send: SendCommands, groups: Sequence[str], *, wanted: bool) -> None:
        """Says it. Nobody waits for it."""
        if self._apart is not None:
            self.tell_apart(groups, wanted=wanted)
        elif messages := self._messages(groups, wanted):
            self._writer.tell(send, self._group, messages, time.time())

    def tell_apart(self, groups: Sequence[str], *, wanted: bool) -> None:
        """Says it where `commands` do not, in the order of the calls."""
        if self._apart is not None:
            self._apart.write(self._names.prefix, self._group, self._messages(groups, wanted))

    def _messages(self, groups: Sequence[str], wanted: bool) -> list[Mapping[str, Any]]:
        told = self.list_wanted(groups)
        notice = Notice(wanted, tuple(told), speaker_of(self._names))
        return [notice_message(part) for part in split_notice(notice)] if told else []

    def mark(self) -> Command:
        """Says in Redis that the process's groups are wishes of browsers, and where they end when it dies."""
        return ("SET", self._names.announced_in_key, self._group)
