"""What the intake is for those whose subscriptions may be refused: browsers, and an application."""

from collections.abc import Iterable, Sequence

from awxfast.intake.groups import Groups
from awxfast.intake.host_groups import HostGroups


class Subscriptions:
    """What browsers and an application hold: where Redis refuses it, they are told."""

    def __init__(self, groups: Groups | HostGroups) -> None:
        self._groups = groups
        self.turns = groups.turns

    async def hold(self, groups: Iterable[str]) -> None:
        """See `Groups.hold`; gives up."""
        await self._groups.hold(groups, gives_up=True)

    def hold_at_once(self, groups: Sequence[str]) -> bool:
        """Holds groups if that needs no waiting (`Groups.hold_at_once`); whether it did."""
        return self._groups.hold_at_once(groups)

    def hold_inherited(self, groups: Iterable[str]) -> None:
        """Holds what was held before (`Groups.hold_inherited`)."""
        self._groups.hold_inherited(groups)

    def release(self, groups: Iterable[str]) -> None:
        """Lets go of groups (`Groups.release`)."""
        self._groups.release(groups)

    def begin_flush(self) -> None:
        """Announces that all groups are deleted (`Groups.begin_flush`)."""
        self._groups.begin_flush()

    async def end_flush(self) -> None:
        """Registers what is held again (`Groups.end_flush`)."""
        await self._groups.end_flush()
