"""What the intakes of one process have in common, where its layer has several Redis."""

import asyncio
import dataclasses

from awxfast.intake.caught_up import CaughtUp
from awxfast.intake.groups import TURN_GROUPS
from awxfast.intake.notice_writer import NoticeWriter
from awxfast.turns import Turns


@dataclasses.dataclass
class IntakeShared:
    """`failed`: set when one ended by a fault of its own; `apart`: how they tell other nodes of their groups."""

    caught_up: CaughtUp = dataclasses.field(default_factory=CaughtUp)
    failed: asyncio.Event = dataclasses.field(default_factory=asyncio.Event)
    turns: Turns = dataclasses.field(default_factory=lambda: Turns(TURN_GROUPS))
    apart: NoticeWriter | None = None
