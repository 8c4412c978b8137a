"""What the intakes of one process have in common, be it one or, where its layer has several Redis, more."""

import asyncio
import dataclasses
import logging
from collections.abc import Iterable

from awxfast.intake.caught_up import CaughtUp
from awxfast.intake.groups import TURN_GROUPS
from awxfast.intake.notice_writer import NoticeWriter
from awxfast.turns import Turns

log = logging.getLogger(__name__)

START_TIMEOUT = 5.0
STOP_TIMEOUT = 3.0
"""Seconds that a Redis has for what the process waits for at its start, and at its end."""


@dataclasses.dataclass
class IntakeShared:
    """`failed`: set when one ended by a fault of its own; `apart`: how they tell other nodes of their groups."""

    caught_up: CaughtUp = dataclasses.field(default_factory=CaughtUp)
    failed: asyncio.Event = dataclasses.field(default_factory=asyncio.Event)
    turns: Turns = dataclasses.field(default_factory=lambda: Turns(TURN_GROUPS))
    apart: NoticeWriter | None = None

    def watch(self, tasks: Iterable[asyncio.Task[None]]) -> None:
        """They end by being cancelled, or when they are asked to; any other end is logged, and sets `failed`."""
        for task in tasks:
            task.add_done_callback(self._notice_end)

    def _notice_end(self, task: asyncio.Task[None]) -> None:
        if not task.cancelled() and (error := task.exception()) is not None:
            log.critical("the intake's %s ended: %r", task.get_name(), error, exc_info=error)
            self.failed.set()
