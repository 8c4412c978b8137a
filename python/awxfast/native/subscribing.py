"""The groups of one browser: another command replaces them, when Redis knows of the new ones."""

import sys
from collections.abc import Iterable, Set

from awxfast.errors import RedisError
from awxfast.native.access import Identity
from awxfast.native.shared import SharedBySessions
from awxfast.native.standing_replies import StandingReplies
from awxfast.wire.browser_replies import Refused, encode_subscribed

REPLY_GROUPS = 10
"""How many groups cost as much to write into a reply as one to join."""
NOT_SUBSCRIBED = Refused("redis", "the subscription failed: Redis refused it; nothing has changed")


class SubscribingSession(StandingReplies):
    """A browser's session as far as its groups go: they are held, counted for its user, and told to the fan-out."""

    __slots__ = ("_counted", "_groups", "_identity", "_protocol")

    def __init__(self, protocol: SharedBySessions, identity: Identity | None) -> None:
        super().__init__()
        self._protocol = protocol
        self._identity = identity
        self._groups: tuple[str, ...] = ()
        self._counted: frozenset[str] = frozenset()

    def _subscribe_at_once(self, groups: Set[str]) -> bool:
        """As `_subscribe` where nobody has to be waited for; whether that is so, else nothing has changed."""
        protocol = self._protocol
        joined, left = self._compare(groups)
        if not protocol.turns.take_at_once(1 + len(joined)) or not protocol.subscriptions.hold_at_once(joined):
            return False
        if self._count(frozenset(groups)):
            self._replace(groups, joined, left)
        else:
            protocol.subscriptions.release(joined)
            self._refuse(self._describe_excess())
        return True

    async def _subscribe(self, groups: Set[str]) -> None:
        """Replaces the groups. The reply follows when Redis knows of them, and nothing of a group left follows it."""
        joined, left = self._compare(groups)
        if not self._count(frozenset(groups)):
            self._refuse(self._describe_excess())
            return
        try:
            await self._hold(joined)
        except RedisError as error:
            self._protocol.failures.warn("redis", f"a subscription failed: {error}")
            self._count(frozenset(self._groups), always=True)
            self._refuse(NOT_SUBSCRIBED)
            return
        self._replace(groups, joined, left)

    def _compare(self, groups: Set[str]) -> tuple[list[str], list[str]]:
        """Which of them are joined, and which others are left."""
        if not self._groups:
            return sorted(groups), []
        held = set(self._groups)
        return sorted(groups - held), sorted(held - groups)

    def _replace(self, groups: Set[str], joined: list[str], left: list[str]) -> None:
        self._groups = tuple(sorted(groups))
        self._change(joined, left)
        if left:
            self._protocol.subscriptions.release(left)

    async def _hold(self, joined: list[str]) -> None:
        """Then waits for its turn: to tell the fan-out and to write the reply takes its time too."""
        subscriptions = self._protocol.subscriptions
        if joined:
            await subscriptions.hold(joined)
        try:
            await self._protocol.turns.take(1 + len(joined) // REPLY_GROUPS)
        except BaseException:
            subscriptions.release(joined)
            raise

    def _count(self, groups: frozenset[str], *, always: bool = False) -> bool:
        """Whether the user may have these groups here beside those of other connections; counts them if so.

        What is left is counted no more before Redis has answered: else two that change places would be too many.
        """
        if self._identity is None or self._identity.is_everybody:
            return True
        joined, left = groups - self._counted, self._counted - groups
        users, user = self._protocol.user_groups, self._identity.user
        if always:
            users.restore(user, joined, left)
        elif not users.replace(user, joined, left):
            return False
        self._counted = groups
        return True

    def _describe_excess(self) -> Refused:
        most = self._protocol.user_groups.most
        return Refused(
            "user_groups", f"a user has at most {most} groups over all connections; close some; nothing has changed"
        )

    def _refuse(self, refused: Refused) -> None:
        self._protocol.count_refusal(refused.reason)
        self._send(refused.reply)

    def _change(self, joined: list[str], left: list[str]) -> None:
        assert self._connection is not None
        reply = encode_subscribed(self._groups, left, joined)
        self._connection.subscribe(joined, left, reply)
        self._note_replies(len(reply))

    def _hold_inherited(self, groups: Iterable[str]) -> None:
        """Those of the process before this one."""
        self._groups = tuple(map(sys.intern, groups))
        self._protocol.subscriptions.hold_inherited(self._groups)
        self._count(frozenset(self._groups), always=True)

    def _leave_all(self) -> None:
        if self._groups:
            self._protocol.subscriptions.release(self._groups)
            self._groups = ()
        self._count(frozenset(), always=True)
