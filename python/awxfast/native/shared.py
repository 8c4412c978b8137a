"""What all sessions of native mode share: who gets them events, who says what they may see, and what is counted."""

import logging
from collections.abc import Iterable, Sequence
from typing import Protocol

from awxfast.intake.group_holder import Holder
from awxfast.native.access import Access
from awxfast.native.user_groups import UserGroups
from awxfast.quiet_log import QuietLog
from awxfast.settings import MAX_GROUPS
from awxfast.turns import Turns

log = logging.getLogger(__name__)

USER_GROUPS = 5_000
"""Groups that one user may have over all connections: what a node can carry is for all of its users."""


class Subscriptions(Holder, Protocol):
    """Who gets the process the events of groups. `turns` are shared with it, since one turn of the loop is for all."""

    def hold_at_once(self, groups: Sequence[str]) -> bool:
        """As `hold` where nobody has to wait for Redis; whether that is so, else nothing is held."""

    def hold_inherited(self, groups: Iterable[str]) -> None:
        """As `hold` for what was held in the process before this one."""

    @property
    def turns(self) -> Turns:
        """How many groups join in a turn of the loop, or what costs as much."""


class SharedBySessions:
    """`refusals` counts error replies by reason. `max_groups` is how many groups a client may have."""

    def __init__(self, subscriptions: Subscriptions, access: Access, max_groups: int = MAX_GROUPS) -> None:
        self.subscriptions = subscriptions
        self.access = access
        self.max_groups = max_groups
        self.user_groups = UserGroups(max(USER_GROUPS, max_groups))
        self.turns = subscriptions.turns
        self.refusals: dict[str, int] = {}
        self.unserved = 0
        """What commands of all browsers count for that are not served to their end."""
        self.failures = QuietLog(log)

    def count_refusal(self, reason: str) -> None:
        """Counts an error reply."""
        self.refusals[reason] = self.refusals.get(reason, 0) + 1
