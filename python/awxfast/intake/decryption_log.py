"""Stands before whoever takes the events of an encrypted layer, and says in words why some can't be read."""

import logging
import time
from collections.abc import Callable, Sequence
from typing import Any

from awxfast._rust import EntryFormat
from awxfast.intake.event_taker import EventTaker
from awxfast.quiet_log import QuietLog

log = logging.getLogger(__name__)

REASONS = {
    "no_token": "they are not encrypted: the programs that send them have no symmetric_encryption_keys",
    "wrong_key": "no key reads them: symmetric_encryption_keys of those who send them have another one first",
    "too_old": "they have expired: two machines' clocks differ, or events wait for longer than the layer's expiry",
    "too_early": "they are from the future: the clocks of two machines differ by more than a minute",
}
"""What each means for an operator."""

SECONDS = 600.0
"""Between two lines of one reason; the counters have the rest."""


class DecryptionLog:
    """Passes all on to `taker`, who counts them; `entry_format` knows the reasons."""

    def __init__(self, taker: EventTaker, entry_format: EntryFormat, now: Callable[[], float] = time.monotonic) -> None:
        self._taker = taker
        self._format = entry_format
        self._seen = entry_format.refused()
        self._log = QuietLog(log, now, SECONDS)

    def publish_batch(self, entries: Sequence[Any]) -> object:
        """Takes a batch; what could not be decrypted is told."""
        answer = self._taker.publish_batch(entries)
        self._look()
        return answer

    def publish_pushed(self, messages: list[tuple[bool, bytes, bytes]]) -> object:
        """The same of published messages."""
        answer = self._taker.publish_pushed(messages)
        self._look()
        return answer

    def _look(self) -> None:
        refused = self._format.refused()
        if refused != self._seen:
            former, self._seen = self._seen, refused
            self._tell({reason: count - former[reason] for reason, count in refused.items()})

    def _tell(self, fresh: dict[str, int]) -> None:
        for reason, count in fresh.items():
            if count:
                self._log.warn(reason, f"events that can't be decrypted are dropped and counted: {REASONS[reason]}")

    def wait_time(self) -> float:
        """As the taker says."""
        return self._taker.wait_time()

    def add_channel(self, local: str, group: str) -> None:
        """Entries for the channel are events of `group`, for the taker."""
        self._taker.add_channel(local, group)

    def remove_channel(self, local: str) -> None:
        """Entries for the channel are its group's no longer, for the taker."""
        self._taker.remove_channel(local)

    def count_too_large(self, count: int) -> None:
        """Passes on how many events were too large."""
        self._taker.count_too_large(count)

    def count_gap(self, reason: str, at_most: int, times: int = 1) -> None:
        """Passes on a loss that nobody can number."""
        self._taker.count_gap(reason, at_most, times)


def tell_undecryptable(taker: EventTaker, entry_format: EntryFormat) -> EventTaker:
    """The taker, with a log before it if entries are encrypted."""
    return DecryptionLog(taker, entry_format) if entry_format.is_encrypted else taker
