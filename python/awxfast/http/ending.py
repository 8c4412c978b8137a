"""The end of an application's task that nobody waits for any more."""

import asyncio
import logging

log = logging.getLogger(__name__)


class Ending:
    """Ends one task whose time is up."""

    __slots__ = ("_is_told",)

    def __init__(self) -> None:
        self._is_told = False

    def cancel(self, task: asyncio.Task[None], label: str) -> None:
        """To be called as often as it takes: code that waits for a thread holds up its own cancellation."""
        if not self._is_told:
            self._is_told = True
            log.warning("The application took too long to end and is cancelled: %s", label)
        task.cancel()
