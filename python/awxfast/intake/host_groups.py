"""The groups of a process whose layer has several Redis: each with those of its own host, under one interface."""

import asyncio
from collections.abc import Callable, Iterable, Mapping, Sequence
from typing import Any

from awxfast.intake.groups import Groups
from awxfast.wire.host_choice import sort_by_host


class HostGroups:
    """What `Groups` does for whoever holds groups, each on the Redis that producers look for it."""

    def __init__(self, hosts: Sequence[Groups], choose: Callable[[str], int]) -> None:
        """`hosts`: in the layer's order. They share their turns. `choose` says which one has a group."""
        self._hosts = hosts
        self._choose = choose
        self.turns = hosts[0].turns

    @property
    def held(self) -> int:
        """Groups that somebody holds."""
        return sum(host.held for host in self._hosts)

    def freeze(self) -> dict[str, Any]:
        """As those of one Redis would have it (`Groups.freeze`): the next process knows where each group belongs."""
        frozen = [host.freeze() for host in self._hosts]
        members = [member for one in frozen for member in one["members"]]
        return {"members": members, "next": max(one["next"] for one in frozen)}

    def inherit(self, frozen: Mapping[str, Any]) -> None:
        """What `freeze` gave in the process before this one."""
        parts = sort_by_host(frozen["members"], lambda member: self._choose(member[0]))
        for number, host in enumerate(self._hosts):
            host.inherit({"members": parts.get(number, []), "next": frozen["next"]})

    def split(self, groups: Iterable[str]) -> Mapping[Groups, list[str]]:
        """Each group with the others of its Redis."""
        return {self._hosts[host]: part for host, part in sort_by_host(groups, self._choose).items()}

    async def hold(self, groups: Iterable[str], *, gives_up: bool = False) -> None:
        """See `Groups.hold`: of all at once, so that a Redis which is away keeps nobody from the others' groups."""
        parts = self.split(dict.fromkeys(groups))
        if len(parts) == 1:
            ((host, part),) = parts.items()
            await host.hold(part, gives_up=gives_up)
            return
        holds = {asyncio.ensure_future(host.hold(part, gives_up=gives_up)): host for host, part in parts.items()}
        try:
            await asyncio.gather(*holds)
        except BaseException:
            for (hold, host), part in zip(holds.items(), parts.values(), strict=True):
                undo(hold, host, part)
            raise

    def hold_at_once(self, groups: Sequence[str]) -> bool:
        """See `Groups.hold_at_once`; all or none."""
        held: list[tuple[Groups, list[str]]] = []
        for host, part in self.split(groups).items():
            if not host.hold_at_once(part):
                for other, others in held:
                    other.release(others)
                return False
            held.append((host, part))
        return True

    def hold_inherited(self, groups: Iterable[str]) -> None:
        """Holds what was held before (`Groups.hold_inherited`)."""
        for host, part in self.split(groups).items():
            host.hold_inherited(part)

    def release(self, groups: Iterable[str]) -> None:
        """Lets go of groups (`Groups.release`)."""
        for host, part in self.split(groups).items():
            host.release(part)

    def begin_flush(self) -> None:
        """See `Groups.begin_flush`: a flush deletes what all Redis have."""
        for host in self._hosts:
            host.begin_flush()

    async def end_flush(self) -> None:
        """Registers on all what is held again (`Groups.end_flush`)."""
        await asyncio.gather(*(host.end_flush() for host in self._hosts))


def undo(hold: asyncio.Future[None], host: Groups, groups: Iterable[str]) -> None:
    """Of several holds that belong together, one has failed or all are cancelled: nothing is to be held."""
    if not hold.done():
        hold.cancel()  # it undoes itself
    elif not hold.cancelled() and hold.exception() is None:
        host.release(groups)
