"""Reads what comes on the control channel, and counts what is no notice."""

import collections
import logging

from awxfast.quiet_log import QuietLog
from awxfast.wire.backplane import Fault
from awxfast.wire.engine_notices import Notice, names_groups, read_notice

log = logging.getLogger(__name__)


class NoticeReader:
    """`faults`: messages that are no notices, by reason."""

    def __init__(self) -> None:
        self.faults: collections.Counter[str] = collections.Counter()
        self._log = QuietLog(log)

    def read(self, message: bytes, *, wants_groups: bool) -> Notice | None:
        """None: it is none, or names others' groups, which are no affair of a reader who does not want them."""
        if not wants_groups and names_groups(message):
            return None
        notice = read_notice(message)
        if isinstance(notice, Fault):
            self.faults[notice] += 1
            self._log.warn(notice, f"the engine brought a message that is no notice ({notice})")
            return None
        return notice
