"""What the log says about nodes at the gate: in words, and once a minute at most for each address and reason.

Addresses may be anybody's invention, where forwarded ones are trusted, so lines are bounded. That bound is not shared
by those who have no secret header, who have a wrong one, and who prove that they know the secret: a flood of the first
two kinds costs nothing to send, and hides no node whose clock is wrong.
"""

import logging
import time
from collections.abc import Callable

from awxfast.nodes.secret_gate import Verdict
from awxfast.quiet_log import QuietLog
from awxfast.wire.handshake import Reason

log = logging.getLogger(__name__)

QUIET_SECONDS = 60.0


class RefusalLog:
    """Writes warnings. `tolerance` is how many seconds clocks may differ."""

    def __init__(self, tolerance: int, now: Callable[[], float] = time.monotonic) -> None:
        self._tolerance = tolerance
        self._malformed, self._wrong, self._proved = (QuietLog(log, now, QUIET_SECONDS) for _ in range(3))
        self._said = False

    def refuse(self, host: str, path: str, verdict: Verdict) -> None:
        """A node was refused."""
        if verdict.refused == "no_secret":
            self._say_once(host, path)
            return
        text = f"refused ({name_reason(verdict)}) {path!r} from {host}: {self.describe(verdict)}"
        self._log_of(verdict).warn(f"{verdict.refused} {host}", text)

    def _log_of(self, verdict: Verdict) -> QuietLog:
        if verdict.skew is not None:
            return self._proved
        return self._wrong if verdict.refused == "digest" else self._malformed

    def repeat(self, host: str, verdict: Verdict) -> None:
        """A header was accepted that somebody else sent first."""
        text = (
            f"a node at {host} linked with a secret header that came from {verdict.first_from} before: two nodes that "
            "dialled in the same second, or a header that was copied"
        )
        self._proved.warn(f"copied {host}", text)

    def describe(self, verdict: Verdict) -> str:
        """Why a node was refused, in words."""
        if verdict.refused == "nonce":
            return f"{describe_skew(verdict.skew or 0)}, more than {self._tolerance} s apart; set the clocks"
        if verdict.refused == "repeat":
            return "its secret header was used before (--nonce-replay refuse)"
        if verdict.refused == "unanswered":
            return "whether its secret header was used before could not be found out in time"
        if verdict.refused == "digest":
            return "its secret is not ours"
        return "it has no secret header, or one that is not well-formed"

    def _say_once(self, host: str, path: str) -> None:
        if not self._said:
            self._said = True
            text = "other nodes are refused, no secret is known (--secret-file, AWXFAST_SECRET)"
            log.warning("refused (secret) %r from %s: %s", path, host, text)


def name_reason(verdict: Verdict) -> Reason:
    """Whether it was the secret, or the time of the header."""
    return "nonce" if verdict.refused in ("nonce", "repeat", "unanswered") else "secret"


def describe_skew(skew: int) -> str:
    """A difference of clocks in words."""
    seconds = f"{abs(skew)} second{'' if abs(skew) == 1 else 's'}"
    return f"its clock is {seconds} {'ahead of' if skew > 0 else 'behind'} ours"
