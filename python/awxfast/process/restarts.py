"""How soon another serving process follows one that ended unasked, and what the log hears of it."""

import logging
import time
from collections.abc import Mapping
from typing import Any

from awxfast.errors import ApplicationNeedsRedis, AwxfastError
from awxfast.pauses import Pauses

log = logging.getLogger(__name__)

FIRST_PAUSE = 0.1
LONGEST_PAUSE = 5.0
LONGEST_WAIT_FOR_REDIS = 1.0
HEALTHY_AFTER = 10.0
"""A child that lived so many seconds is no part of a series of failures."""


class Restarts:
    """`begin` at each start, `take_pause` at each end: pauses grow while processes do not live long."""

    def __init__(self) -> None:
        self._pauses = Pauses(FIRST_PAUSE, LONGEST_PAUSE)
        self._began = 0.0
        self._said = ""

    def begin(self) -> None:
        """One is started now."""
        self._began = time.monotonic()

    def take_pause(self, failure: AwxfastError | str) -> float:
        """Seconds until another one is to be started; `failure`: why the last one is gone, which is logged."""
        if time.monotonic() - self._began >= HEALTHY_AFTER:
            self._pauses.begin_again()
        pause = self._pauses.take()
        if isinstance(failure, ApplicationNeedsRedis):
            pause = min(pause, LONGEST_WAIT_FOR_REDIS)
        self._say_what_happened(failure, pause)
        return pause

    def _say_what_happened(self, failure: AwxfastError | str, pause: float) -> None:
        """While Redis is away the same is not said again and again."""
        if not isinstance(failure, ApplicationNeedsRedis):
            log.error("The serving process ended unasked (%s); another one starts in %.1f s", failure, pause)
        elif str(failure) != self._said:
            log.warning("%s; trying again until it does", failure)
        self._said = str(failure)

    def freeze(self) -> dict[str, Any]:
        """What `adopt` needs, as JSON has it."""
        return {"pauses": self._pauses.freeze(), "began": self._began}

    def adopt(self, frozen: Mapping[str, Any]) -> None:
        """Goes on with the series of main's former program."""
        self._pauses.adopt(frozen["pauses"])
        self._began = frozen["began"]
