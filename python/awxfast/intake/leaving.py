"""Groups that this process leaves: its channels in them are known for as long as Redis, or an event, may name them."""

import asyncio
import functools
from collections.abc import Callable, Collection, Iterable, Mapping, Sequence
from typing import Any

from awxfast.intake.event_taker import EventTaker
from awxfast.intake.group_layout import Layout
from awxfast.intake.members import Membership
from awxfast.redis.commands import SendCommands

LINGER = 2.0
"""Seconds after a leave in which the channel is still known, for events that were on their way."""


class Leaving:
    """Leaves of which Redis has not answered yet. `members` are those who are in groups, or in again.

    `send` sends commands while Redis is there, `announce` tells other nodes which groups are wanted no more.
    """

    def __init__(
        self,
        members: Mapping[str, Membership],
        channels: EventTaker,
        layout: Layout,
        send: SendCommands,
        announce: Callable[[list[str]], None],
    ) -> None:
        self._members = members
        self._channels = channels
        self._layout = layout
        self._send = send
        self._announce = announce
        self._unanswered: dict[str, Membership] = {}

    @property
    def unanswered(self) -> Collection[Membership]:
        """Those that Redis may still have."""
        return self._unanswered.values()

    def leave(self, members: Sequence[Membership]) -> None:
        """Leaves groups in which nobody is a member here any more."""
        for member in members:
            if member.sent:
                self._unanswered[member.name] = member
            else:
                self._forget_channel(member)
        self.send_leaves([member for member in members if member.sent])

    def send_again(self) -> None:
        """What a connection that broke has left unanswered."""
        self.send_leaves(list(self._unanswered.values()))

    def send_leaves(self, members: list[Membership]) -> asyncio.Future[list[Any]]:
        """Returns what Redis answers, for who waits for it."""
        if not members:
            return self._send([])
        answers = self._send(self._layout.leave(members))
        answers.add_done_callback(functools.partial(self._receive_answers, members))
        return answers

    def _receive_answers(self, members: list[Membership], answers: asyncio.Future[list[Any]]) -> None:
        if answers.cancelled() or answers.exception() is not None:
            return  # the connection broke; the next one begins with these
        self._announce([member.group for member in members if member.group not in self._members])
        gone = [member for member in members if self._unanswered.get(member.name) is member]
        for member in gone:
            del self._unanswered[member.name]
        if gone:
            asyncio.get_running_loop().call_later(LINGER, self._forget_channels, gone)

    def _forget_channels(self, members: Iterable[Membership]) -> None:
        for member in members:
            self._forget_channel(member)

    def _forget_channel(self, member: Membership) -> None:
        """Unless somebody holds the group again under the same channel."""
        current = self._members.get(member.group)
        if member.name not in self._unanswered and (current is None or current.local != member.local):
            self._channels.remove_channel(member.local)
