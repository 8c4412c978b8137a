"""How soon another process follows one that ended unasked, and what the log hears of a serving process's end."""

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
"""One that lived so many seconds is no part of a series of failures."""


class RestartPauses:
    """`begin` at each start, `take` at each end, in seconds: they grow while processes do not live long."""

    def __init__(self) -> None:
        self._pauses = Pauses(FIRST_PAUSE, LONGEST_PAUSE)
        self._began = 0.0

    def begin(self) -> None:
        """A process is started now."""
        self._began = time.monotonic()

    def take(self) -> float:
        """The pause before the next start, after the end of the one that was begun last."""
        if time.monotonic() - self._began >= HEALTHY_AFTER:
            self._pauses.begin_again()
        return self._pauses.take()

    def freeze(self) -> dict[str, Any]:
        """What `adopt` needs, as JSON has it."""
        return {"pauses": self._pauses.freeze(), "began": self._began}

    def adopt(self, frozen: Mapping[str, Any]) -> None:
        """Goes on with the series of main's former program."""
        self._pauses.adopt(frozen["pauses"])
        self._began = frozen["began"]


class Restarts(RestartPauses):
    """The pauses between serving processes, whose ends are logged."""

    def __init__(self) -> None:
        super().__init__()
        self._said = ""

    def take_after(self, failure: AwxfastError | str, name: str = "The serving process") -> float:
        """The pause after the end of `name` for this reason; that Redis is away is not said again and again."""
        pause = self.take()
        if isinstance(failure, ApplicationNeedsRedis):
            if str(failure) != self._said:
                log.warning("%s; trying again until it does", failure)
            pause = min(pause, LONGEST_WAIT_FOR_REDIS)
        else:
            log.error("%s ended unasked (%s); another one starts in %.1f s", name, failure, pause)
        self._said = str(failure)
        return pause
