"""Groups that this process joins, or registers anew: what Redis answers and refuses, and what has vanished there."""

import asyncio
import functools
import logging
import time
from collections.abc import AsyncIterator, Callable, Mapping, Sequence
from typing import Any

from awxfast.errors import RedisReplyError
from awxfast.intake.group_layout import Layout
from awxfast.intake.idle_groups import PART
from awxfast.intake.members import Membership, Patience
from awxfast.quiet_log import QuietLog
from awxfast.redis.commands import SendCommands
from awxfast.turns import Turns

log = logging.getLogger(__name__)


class Joining:
    """Joins of `members`, all that are in groups, so many in a turn.

    `send` sends commands while Redis is there, as `is_attached` says; `announce` tells other nodes which groups are
    wanted from now on; `patience` has the reason if Redis takes nothing at all.
    """

    def __init__(
        self,
        members: Mapping[str, Membership],
        layout: Layout,
        send: SendCommands,
        is_attached: Callable[[], bool],
        announce: Callable[[list[str]], None],
        turns: Turns,
        patience: Patience,
    ) -> None:
        self._members = members
        self._layout = layout
        self._send = send
        self._is_attached = is_attached
        self._announce = announce
        self._turns = turns
        self._patience = patience
        self._refusals = QuietLog(log)
        self._unseen: list[Membership] = []

    def send_joins(self, members: list[Membership]) -> asyncio.Future[list[Any]]:
        """Joins these groups, or registers them with the present time; what Redis answers, for who waits for it."""
        if not members:
            return self._send([])
        is_sent = self._is_attached()
        for member in members:
            member.sent = is_sent
        answers = self._send(self._layout.join(members, time.time()))
        answers.add_done_callback(functools.partial(self._receive_answers, members))
        return answers

    def _receive_answers(self, members: list[Membership], answers: asyncio.Future[list[Any]]) -> None:
        if answers.cancelled() or answers.exception() is not None:
            return  # the connection broke; the next one registers all
        joined = []
        for member, reply in zip(members, self._layout.read_joins(answers.result()), strict=True):
            if isinstance(reply, RedisReplyError):
                self._note_refusal(member, reply)
                continue
            member.refusal = None
            member.known = True
            if not member.ready:
                member.get_ready(self._turns)
                joined.append(member.group)
        self._announce(joined)

    def _note_refusal(self, member: Membership, error: RedisReplyError) -> None:
        if member.refusal is None and self._patience.refusal is None:  # else it was said
            self._refusals.warn(error.code, f"Redis refuses to register group {member.group}: {error}")
        member.refusal = error

    async def register_all(self) -> int:
        """Registers everything with the present time. Returns how many names had vanished.

        Raises `RedisUnavailable`, or `RedisReplyError` when Redis takes no registration at all.
        """
        asked = []
        async for part in self._in_turns(list(self._members.values())):
            asked.append(([member.known for member in part], self.send_joins(part)))
        sentinel = self._layout.read_joins(await asked[0][1])[0]
        if isinstance(sentinel, RedisReplyError):
            raise sentinel
        return sum([self._layout.count_added(known, await answers) for known, answers in asked])

    async def register_refused(self) -> None:
        """Tries again what Redis refused."""
        refused = [member for member in self._members.values() if member.refusal is not None]
        async for part in self._in_turns(refused):
            self.send_joins(part)

    async def _in_turns(self, members: Sequence[Membership]) -> AsyncIterator[list[Membership]]:
        """Some in each turn, but for those that were left meanwhile."""
        for begin in range(0, len(members), PART):
            part = members[begin : begin + PART]
            await self._turns.take(len(part))
            yield [member for member in part if self._members.get(member.group) is member]

    async def count_vanished(self, at_most: int) -> int:
        """Looks at the next few registrations, so that all are looked at in turn; how many are not there.

        One whose key can't hold it any more is refused from now on. Raises `RedisUnavailable`.
        """
        if not self._unseen:
            self._unseen = list(self._members.values())
        members, self._unseen = self._unseen[:at_most], self._unseen[at_most:]
        members = [member for member in members if member.known and member.refusal is None]
        replies = await self._send(self._layout.look(members))
        for member, reply in zip(members, replies, strict=True):
            if isinstance(reply, RedisReplyError):
                self._note_refusal(member, reply)
                member.ready = False
        return sum(
            reply is None and member.known and self._members.get(member.group) is member
            for member, reply in zip(members, replies, strict=True)
        )
