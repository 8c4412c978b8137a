"""Which groups this process wants, as other nodes hear: each change, all anew where that may be lost, all at first."""

import asyncio
from collections.abc import AsyncIterator, Callable, Mapping, Sequence

from awxfast.intake.announcements import Announcements, speaker_of
from awxfast.intake.idle_groups import PART
from awxfast.intake.members import Membership
from awxfast.intake.names import ProcessNames
from awxfast.intake.others_interest import TURN_TOLD, list_others_interest
from awxfast.redis.commands import SendCommands
from awxfast.redis.connection import RedisConnection
from awxfast.turns import Turns
from awxfast.wire.backplane import Notice


class Interest:
    """Of `members`, those that somebody holds and Redis has answered for. Without `announcements` nobody is told.

    `connection`: the one that the groups have at present.
    """

    def __init__(
        self,
        names: ProcessNames,
        members: Mapping[str, Membership],
        announcements: Announcements | None,
        send: SendCommands,
        turns: Turns,
        connection: Callable[[], RedisConnection | None],
    ) -> None:
        self._names = names
        self._members = members
        self._announcements = announcements
        self._send = send
        self._turns = turns
        self._connection = connection

    def announce(self, groups: Sequence[str], *, wanted: bool) -> None:
        """Nobody waits for it: when the connection breaks, the next one registers all, and so announces all."""
        if self._announcements is not None:
            self._announcements.tell(self._send, groups, wanted=wanted)

    async def announce_again(self) -> None:
        """Tells other nodes of all: what they were told may be lost."""
        groups = list(self._members)
        for begin in range(0, len(groups), PART):
            part = groups[begin : begin + PART]
            await self._turns.take(len(part))
            self.announce(list(filter(self._is_wanted, part)), wanted=True)

    async def list_all(self) -> AsyncIterator[Notice]:
        """What this process and others on its Redis want, for a node that links. Raises `RedisUnavailable`.

        Only what Redis has answered for is named; the rest is announced when it has. Whoever waits between a notice and
        telling it may tell what is no longer so.
        """
        connection = self._connection()
        if self._announcements is None or connection is None:
            return
        async for notice in self.list_own():
            yield notice
        async for notice in list_others_interest(connection, self._names, self._announcements):
            yield notice

    async def list_own(self) -> AsyncIterator[Notice]:
        """The same of this process alone."""
        if self._announcements is None:
            return
        groups = list(self._members)
        for begin in range(0, len(groups), TURN_TOLD):
            wanted = list(filter(self._is_wanted, groups[begin : begin + TURN_TOLD]))
            yield Notice(True, tuple(sorted(self._announcements.list_wanted(wanted))), speaker_of(self._names))
            await asyncio.sleep(0)

    def _is_wanted(self, group: str) -> bool:
        member = self._members.get(group)
        return member is not None and member.known and member.count > 0
