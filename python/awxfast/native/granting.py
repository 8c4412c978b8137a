"""Which groups of a command are granted: at once where all is known, else one by one, with an error for each other."""

import dataclasses
import sys

from awxfast.errors import AccessUnavailable
from awxfast.native.access import Access, Identity
from awxfast.turns import Turns
from awxfast.wire.browser_commands import Command, Want
from awxfast.wire.browser_replies import Errors, Refused, deny

PART = 100
"""How many of one client's groups are looked at before another client has its turn."""


@dataclasses.dataclass(slots=True)
class Granted:
    """The groups, and for each of the others an error in the order of the command: its reason, and the replies."""

    groups: set[str]
    reasons: list[str]
    errors: list[bytes]


def recall_groups(access: Access, turns: Turns, identity: Identity, command: Command) -> set[str] | None:
    """The groups of a command of which all are granted without a question; None: it is another one.

    Or this turn has no room to look at them.
    """
    if not command.replaces or len(command.steps) > PART or not turns.take_at_once(len(command.steps)):
        return None
    recall, groups = access.recall_right, set()
    for step in command.steps:
        if isinstance(step, Refused) or not recall(identity, step):
            return None
        groups.add(sys.intern(step.group))
    return groups


async def grant(access: Access, turns: Turns, identity: Identity, command: Command) -> Granted:
    """Asks for the right to each."""
    groups = set()
    errors = Errors()
    reasons: list[str] = []
    for number, step in enumerate(command.steps):
        if number % PART == 0:
            await turns.take(min(PART, len(command.steps) - number))
        refused = step if isinstance(step, Refused) else await _check(access, identity, step)
        if refused is None and isinstance(step, Want):
            groups.add(sys.intern(step.group))
        elif refused is not None:
            reasons.append(refused.reason)
            errors.add(refused)
    return Granted(groups, reasons, errors.finish())


async def _check(access: Access, identity: Identity, want: Want) -> Refused | None:
    try:
        allowed = await access.may_subscribe(identity, want)
    except AccessUnavailable:
        return deny(want.kind, want.value, "unavailable")
    return None if allowed else deny(want.kind, want.value)
