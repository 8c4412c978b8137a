"""How Redis is told which groups a process is in: a sorted set of channels a group, as `channels_redis.core` keeps it.

Beside it stands a set of the process's own groups, so that whoever cleans up after a crash finds every name.
"""

from collections.abc import Sequence
from typing import Any, Protocol

from awxfast.intake.members import Membership
from awxfast.intake.names import ProcessNames
from awxfast.redis.commands import Command
from awxfast.wire.groups import is_valid_group

_LEAVE = b"""
local groups = #KEYS - 1
for i = 1, groups do redis.pcall('ZREM', KEYS[i + 1], ARGV[i]) end
redis.call('SREM', KEYS[1], unpack(ARGV, groups + 1))
"""


class Layout(Protocol):
    """What a form of the channel layer is asked for."""

    def check(self, group: str) -> None:
        """Raises `ValueError` for a name that no group can have."""

    def join(self, members: Sequence[Membership], now: float) -> list[Command]:
        """Adds channels, or renews them, at the time `now` (Unix seconds)."""

    def read_joins(self, replies: Sequence[Any]) -> Sequence[Any]:
        """Of the answers to `join`: the one about each channel."""

    def count_added(self, known: Sequence[bool], replies: Sequence[Any]) -> int:
        """Of the answers to `join`: how many channels that Redis had were not there any more."""

    def leave(self, members: Sequence[Membership]) -> list[Command]:
        """Takes channels out of their groups."""

    def leave_at_once(self, members: Sequence[Membership]) -> list[Command]:
        """The same of many, in the fewest commands."""

    def look(self, members: Sequence[Membership]) -> list[Command]:
        """Asks for each whether it is there: None says no."""


class GroupLayout:
    """Makes the commands. `expiry` is how long a group stays without a join, in seconds."""

    def __init__(self, names: ProcessNames, expiry: int) -> None:
        self._names = names
        self._expiry = expiry

    def check(self, group: str) -> None:
        """Channels has a rule for names, which is this one."""
        if not is_valid_group(group):
            raise ValueError("a group name is 1 to 99 letters, digits, hyphens, underscores and periods")

    def join(self, members: Sequence[Membership], now: float) -> list[Command]:
        """Adds channels, or renews them, at the time `now`. The set of own groups is first, should it be all."""
        commands: list[Command] = [("SADD", self._names.groups_key, *(member.group for member in members))]
        for member in members:
            key = self._names.group_key(member.group)
            commands += [("ZADD", key, now, member.name), ("EXPIRE", key, self._expiry)]
        return commands

    def leave(self, members: Sequence[Membership]) -> list[Command]:
        """Takes channels out of their groups."""
        commands: list[Command] = [("ZREM", self._names.group_key(member.group), member.name) for member in members]
        return [*commands, ("SREM", self._names.groups_key, *(member.group for member in members))]

    def leave_at_once(self, members: Sequence[Membership]) -> list[Command]:
        """The same by a script: a hundred thousand commands and their answers would take seconds of both ends."""
        keys = [self._names.groups_key, *(self._names.group_key(member.group) for member in members)]
        names, groups = (member.name for member in members), (member.group for member in members)
        return [("EVAL", _LEAVE, len(keys), *keys, *names, *groups)]

    def look(self, members: Sequence[Membership]) -> list[Command]:
        """Asks for each whether it is there: None says no."""
        return [("ZSCORE", self._names.group_key(member.group), member.name) for member in members]

    def read_joins(self, replies: Sequence[Any]) -> Sequence[Any]:
        """Of the answers to `join`: the one about each channel, 1 for a new one."""
        return replies[1::2]

    def count_added(self, known: Sequence[bool], replies: Sequence[Any]) -> int:
        """Of the answers to `join`: how many channels that Redis had were not there any more."""
        return sum(was_known and reply == 1 for was_known, reply in zip(known, self.read_joins(replies), strict=True))
