"""This process's channels in groups, and how holds wait until Redis has answered for them."""

import asyncio
import functools
import time
from collections.abc import Iterable, Sequence

from awxfast.errors import RedisReplyError
from awxfast.turns import Turns

REFUSAL_PATIENCE = 5.0
"""Seconds that a hold waits for a Redis that answers, but refuses."""
TURN_HOLDS = 50
"""Holds of one group that go on together."""


class Membership:
    """This process's channel in one group, of which there may be many. `ready` while Redis has answered for it.

    `waiting` are those who wait for that; None while nobody does.
    `sent`: Redis may have it. `known`: Redis had it, so that it must be there unless somebody deleted it.
    """

    __slots__ = ("count", "group", "known", "local", "name", "ready", "refusal", "sent", "waiting")

    def __init__(self, group: str, local: str, name: str) -> None:
        self.group = group
        self.local = local
        self.name = name
        self.count = 0
        self.ready = self.sent = self.known = False
        self.refusal: RedisReplyError | None = None
        self.waiting: dict[asyncio.Future[None], None] | None = None

    async def wait(self) -> None:
        """Returns when it is ready."""
        if self.ready:
            return
        if self.waiting is None:
            self.waiting = {}
        waiting, answered = self.waiting, asyncio.get_running_loop().create_future()
        waiting[answered] = None
        try:
            await answered
        finally:
            del waiting[answered]

    def get_ready(self, turns: Turns) -> None:
        """Redis has answered for it: who waits goes on, so many in a turn, since a whole site may want one group."""
        self.ready = True
        waiting, self.waiting = self.waiting, None
        holds = list(waiting or ())
        for begin in range(0, len(holds), TURN_HOLDS):
            part = holds[begin : begin + TURN_HOLDS]
            turns.call(len(part), functools.partial(let_go, part))


class _PatientHold:
    """A hold that is told of a refusal: when it began, what it waits for, and its time limit."""

    __slots__ = ("began", "limit", "members", "refusal")

    def __init__(self, members: Sequence[Membership], limit: asyncio.Timeout) -> None:
        self.began = time.monotonic()
        self.members = members
        self.limit = limit
        self.refusal: RedisReplyError | None = None


class Patience:
    """How long holds wait for a Redis that refuses. `refusal`: why it takes nothing at all now."""

    def __init__(self) -> None:
        self._holds: set[_PatientHold] = set()
        self.refusal: RedisReplyError | None = None

    async def wait(self, members: Sequence[Membership]) -> None:
        """Returns when all are ready. Raises the `RedisReplyError` of a Redis that has refused for too long."""
        if all(member.ready for member in members):
            return
        async with asyncio.timeout(None) as limit:
            hold = _PatientHold(members, limit)
            self._holds.add(hold)
            try:
                await wait_for(members)
            except asyncio.CancelledError:
                if hold.refusal is None:
                    raise
                raise hold.refusal from None
            finally:
                self._holds.discard(hold)

    def tell_refused(self) -> None:
        """Ends the holds that have waited long enough for what Redis refuses."""
        for hold in self._holds:
            refusals = [member.refusal or self.refusal for member in hold.members if not member.ready]
            refusal = next(filter(None, refusals), None)
            if refusal is not None and time.monotonic() - hold.began >= REFUSAL_PATIENCE:
                hold.refusal = refusal
                hold.limit.reschedule(asyncio.get_running_loop().time())


async def wait_for(members: Sequence[Membership]) -> None:
    """Returns when all are ready."""
    for member in members:
        await member.wait()


def let_go(waiting: Iterable[asyncio.Future[None]]) -> None:
    """Lets them go on, those who have not gone."""
    for answered in waiting:
        if not answered.done():
            answered.set_result(None)
