"""Which groups this process gets events of: counted holds here, one channel a group in Redis.

An event that is sent after `hold` returned arrives. All commands go through one connection, so that Redis sees joins
and leaves of a group in the order in which they happened here.
"""

import asyncio
import contextlib
import functools
import itertools
from collections.abc import Callable, Iterable, Mapping, Sequence
from typing import Any, Protocol

from awxfast.errors import RedisError, RedisReplyError, RedisUnavailable
from awxfast.intake.announcements import Announcements
from awxfast.intake.event_taker import EventTaker
from awxfast.intake.group_layout import GroupLayout, Layout
from awxfast.intake.idle_groups import PART, IdleGroups
from awxfast.intake.interest import Interest
from awxfast.intake.joining import Joining
from awxfast.intake.leaving import Leaving
from awxfast.intake.members import Membership, Patience, wait_for
from awxfast.intake.names import ProcessNames
from awxfast.redis.commands import Command
from awxfast.redis.connection import RedisConnection
from awxfast.turns import Turns

TURN_GROUPS = 150
"""Groups that join or leave in one turn of the loop: some milliseconds' work."""

LEAVE_AT_ONCE = 1_000
"""Groups that a process which ends leaves by one call of the script: a millisecond of Redis'."""


class Watcher(Protocol):
    """Who is told which groups this process holds, whether Redis is there or not."""

    def note_held(self, groups: Sequence[str]) -> None:
        """Somebody holds these from now on."""

    def note_left(self, groups: Sequence[str]) -> None:
        """Nobody has held these for a moment."""


class Groups:
    """The registrations of the process, its sentinel among them. `attach` and `detach` say which connection to use.

    `announcements`: other nodes are told of every change, on the same connection and so in the same order.
    """

    def __init__(
        self,
        names: ProcessNames,
        channels: EventTaker,
        group_expiry: int,
        announcements: Announcements | None = None,
        turns: Turns | None = None,
        layout: Layout | None = None,
    ) -> None:
        self._names = names
        self._channels = channels
        self._layout = layout or GroupLayout(names, group_expiry)
        self._connection: RedisConnection | None = None
        sentinel = f"g.{names.sentinel}"
        self._members = {names.sentinel: Membership(names.sentinel, sentinel, names.channel(sentinel))}
        self.turns = turns or Turns(TURN_GROUPS)
        """What all this costs is shared with whatever else subscriptions cost."""
        self.interest = Interest(names, self._members, announcements, self.send, self.turns, lambda: self._connection)
        farewell = functools.partial(self.interest.announce, wanted=False)
        self._leaving = Leaving(self._members, channels, self._layout, self.send, farewell)
        self._idle = IdleGroups(self._members, self.turns, self._leave)
        self._counter = itertools.count(1)
        self._patience = Patience()
        announce = functools.partial(self.interest.announce, wanted=True)
        self._joining = Joining(
            self._members, self._layout, self.send, lambda: self.is_attached, announce, self.turns, self._patience
        )
        self._flushes = 0
        self.on_attached: Callable[[], None] = lambda: None
        """Called when commands go somewhere again."""
        self._watcher: Watcher | None = None
        self._may_join = asyncio.Event()
        self._may_join.set()
        self._has_left = False

    def watch(self, watcher: Watcher) -> None:
        """From now on this one is told: of all that are held, and of each change."""
        self._watcher = watcher
        watcher.note_held([group for group in self._members if group != self._names.sentinel])

    @property
    def is_attached(self) -> bool:
        """Whether commands go somewhere."""
        return self._connection is not None

    @property
    def held(self) -> int:
        """Groups that somebody holds."""
        return len(self._members) - len(self._idle.names) - 1

    def has_joined(self, group: str) -> bool:
        """Whether its events come to this process, as far as is known."""
        member = self._members.get(group)
        return member is not None and member.ready

    @property
    def known(self) -> int:
        """Groups that Redis had answered for, when it was last there."""
        return sum(member.known for member in self._members.values()) - self._members[self._names.sentinel].known

    async def hold(self, groups: Iterable[str], *, gives_up: bool = False) -> None:
        """Makes events of `groups` come to this process. Returns when Redis has answered for all of them.

        While Redis is away that is when it is back. One `release` undoes it; cancelled, it undoes itself.
        Raises `ValueError` for a name that Channels does not take, and if it `gives_up` the `RedisReplyError` of a
        Redis that has been there, but refused, for `REFUSAL_PATIENCE` seconds.
        """
        wanted = list(dict.fromkeys(groups))
        for group in wanted:
            self._layout.check(group)
        members: list[Membership] = []
        try:
            for begin in range(0, len(wanted), PART):
                part = wanted[begin : begin + PART]
                await self._take_turn(len(part))
                members += self._join(part)
            await (self._patience.wait(members) if gives_up else wait_for(members))
        except BaseException:
            self.release(member.group for member in members)
            raise

    async def _take_turn(self, amount: int) -> None:
        """One in which groups may be joined: they may not any more when it comes."""
        while True:
            await self._may_join.wait()
            await self.turns.take(amount)
            if self._may_join.is_set():
                return

    def hold_at_once(self, groups: Sequence[str]) -> bool:
        """The same if Redis has answered for all of them already, so that nobody has to wait; else nothing is held."""
        for group in groups:
            member = self._members.get(group)
            if member is None or not member.ready:
                return False
        self._count(groups)
        return True

    def _count(self, groups: Iterable[str]) -> None:
        for group in groups:
            self._members[group].count += 1
        self._idle.names.difference_update(groups)

    def _join(self, groups: list[str]) -> list[Membership]:
        fresh = [self._add_member(group) for group in groups if group not in self._members]
        members = [self._members[group] for group in groups]
        refused = [member for member in members if member.refusal is not None]
        self._count(groups)
        self._joining.send_joins([*fresh, *refused])
        return members

    def tell_refused(self) -> None:
        """See `Patience.tell_refused`. To be called once a second."""
        self._patience.tell_refused()

    def refuse(self, error: RedisReplyError | None) -> None:
        """Redis takes nothing now, for this reason; None: it does again."""
        self._patience.refusal = error

    def begin_rest(self) -> None:
        """Holds wait: their commands would follow each other without an end."""
        self._may_join.clear()

    def end_rest(self) -> None:
        """Holds that waited go on, and new ones are as always; not those of a process that has left."""
        if not self._has_left:
            self._may_join.set()

    def freeze(self) -> dict[str, Any]:
        """The groups that are registered, for the process that goes on under the same names."""
        left = [member for member in self._leaving.unanswered if member.group not in self._members]
        members = [*(one for one in self._members.values() if one.group != self._names.sentinel), *left]
        return {"members": [[one.group, one.local, one.ready] for one in members], "next": next(self._counter)}

    def inherit(self, frozen: Mapping[str, Any]) -> None:
        """What `freeze` gave in the process before this one. Nobody holds the groups here yet."""
        self._counter = itertools.count(frozen["next"])
        for group, local, ready in frozen["members"]:
            member = self._add_channel(group, local)
            member.ready = member.known = ready
            member.sent = True

    def hold_inherited(self, groups: Iterable[str]) -> None:
        """Holds groups for somebody who held them in the process before this one."""
        for group in groups:
            if group not in self._members:
                self._add_member(group)
            self._members[group].count += 1

    def end_inheritance(self) -> None:
        """Groups that nobody holds any more are left as those are that were let go of."""
        self._idle.names.update(
            group for group, member in self._members.items() if not member.count and group != self._names.sentinel
        )
        self._idle.release(())

    def release(self, groups: Iterable[str]) -> None:
        """Undoes one `hold` of each of `groups`. Returns at once; a hold that comes meanwhile wins."""
        self._idle.release(groups)

    def attach(self, connection: RedisConnection) -> None:
        """From now on commands go to this connection. `register_all` must follow."""
        self._connection = connection
        self._leaving.send_again()
        self.on_attached()

    def begin_silence(self) -> None:
        """Nothing is sent from now on, though the connection is good: another process is to go on with it."""
        self._connection = None

    def detach(self) -> None:
        """The connection is gone: holds wait from now on."""
        self._connection = None
        self.forget_answers()

    def forget_answers(self) -> None:
        """Redis may have lost the registrations: holds wait until it has answered again."""
        for member in self._members.values():
            member.ready = False

    async def register_all(self) -> int:
        """Registers everything with the present time. Returns how many names had vanished.

        Raises `RedisUnavailable`, or `RedisReplyError` when Redis takes no registration at all.
        """
        vanished = await self._joining.register_all()
        return 0 if self._flushes else vanished

    async def register_refused(self) -> None:
        """Tries again what Redis refused."""
        await self._joining.register_refused()

    async def count_vanished(self, at_most: int) -> int:
        """Looks at the next few registrations; how many are not there. Raises `RedisUnavailable`."""
        return await self._joining.count_vanished(at_most)

    def begin_flush(self) -> None:
        """Somebody in this process is about to delete all groups, ours with them: that is no loss to be mended."""
        self._flushes += 1
        self._idle.settle()
        self._leave(self._idle.names)  # else whoever joins again would be taken for a member
        self._forget_all()

    async def end_flush(self) -> None:
        """They are deleted; whoever joined meanwhile, and the process itself, is added again."""
        self._flushes -= 1
        self._forget_all()
        with contextlib.suppress(RedisError):  # the next connection registers all
            await self.register_all()

    def _forget_all(self) -> None:
        for member in self._members.values():
            member.known = False
        self.forget_answers()

    async def leave_all(self) -> None:
        """Removes every name of the process, and joins none any more. Raises `RedisUnavailable`."""
        self.take_leave()
        members = [*self._members.values(), *self._leaving.unanswered]
        parts = [members[start : start + LEAVE_AT_ONCE] for start in range(0, len(members), LEAVE_AT_ONCE)]
        asked = [self.send(self._layout.leave_at_once(part)) for part in parts]
        for part, answers in zip(parts, asked, strict=True):
            if any(isinstance(reply, RedisReplyError) for reply in await answers):  # this user may not EVAL
                await self._leaving.send_leaves(part)

    def take_leave(self) -> None:
        """Says, once, that the process wants nothing any more; it joins no group from now on."""
        if not self._has_left:
            self._has_left = True
            self._may_join.clear()
            self._idle.stop()
            members = [*self._members.values(), *self._leaving.unanswered]
            self.interest.announce([member.group for member in members if member.known], wanted=False)

    def _add_member(self, group: str) -> Membership:
        return self._add_channel(group, self._names.local_of(group) or self._names.numbered(next(self._counter)))

    def _add_channel(self, group: str, local: str) -> Membership:
        """The channel table knows it before producers can."""
        member = self._members[group] = Membership(group, local, self._names.channel(local))
        self._channels.add_channel(local, group)
        if self._watcher is not None:
            self._watcher.note_held([group])
        return member

    def _leave(self, idle: Iterable[str]) -> None:
        groups = list(idle)
        self._idle.names.difference_update(groups)
        self._leaving.leave([self._members.pop(group) for group in groups])
        if self._watcher is not None:
            self._watcher.note_left(groups)

    def send(self, commands: list[Command]) -> asyncio.Future[list[Any]]:
        """While Redis is away nothing is sent, and nothing is lost: the next connection starts from our tables."""
        if self._connection is not None:
            return self._connection.commands(commands)
        unsent: asyncio.Future[list[Any]] = asyncio.get_running_loop().create_future()
        unsent.set_exception(RedisUnavailable("Redis is away"))
        unsent.exception()  # not everybody looks
        return unsent
