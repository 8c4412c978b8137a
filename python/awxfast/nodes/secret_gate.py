"""Who may link: the `secret` header of a node's handshake (AWX's WebsocketSecretAuthHelper, made safe).

Sessions, cookies and the database play no part. Why somebody is refused is for the log, never for the caller.
"""

import asyncio
import collections
import dataclasses
import time
from base64 import b64decode, b64encode
from collections.abc import Awaitable, Callable, Iterable, Mapping, Sequence
from typing import Any

from awxfast._rust import SecretVerifier
from awxfast.wire.request import Request

HEADER = b"secret"
REMEMBERED = 4_096
"""Headers whose sender's address is kept, for telling where a repeat comes from."""
CLAIM_SECONDS = 5.0
"""How long it may take to learn whether another process of this server has let in somebody by the same header."""


@dataclasses.dataclass(frozen=True, slots=True)
class Verdict:
    """What a handshake's header says. `refused`: why not, empty for those who may link.

    `skew` is the sender's clock less ours in seconds, None where the header does not prove whose it is.
    `first_from` is another address that this very header came from before.
    """

    refused: str = ""
    skew: int | None = None
    old_secret: bool = False
    repeated: bool = False
    first_from: str | None = None


class Gate:
    """Checks headers with all `secrets`; `tolerance` in seconds. `refuse_repeats`: a header counts only once."""

    def __init__(
        self,
        secrets: Sequence[str],
        *,
        tolerance: int,
        refuse_repeats: bool,
        clock: Callable[[], float] = time.time,
        steady: Callable[[], float] = time.monotonic,
    ) -> None:
        """`clock` may step; `steady` says when what was used can be forgotten."""
        self._verifier = SecretVerifier(secrets, tolerance)
        self._refuse_repeats = refuse_repeats
        self._clock = clock
        self._steady = steady
        self._senders: collections.OrderedDict[bytes, str] = collections.OrderedDict()
        self._report_used: Callable[[str], None] = lambda header: None
        self.claim: Callable[[str], Awaitable[bool]] | None = None
        """Says of a header, in its short form, whether no process has let in anybody by it; None: there are no others.

        `check` knows of this process's own; `check_others` is to follow then.
        """

    def accept_secrets(self, secrets: Sequence[str]) -> None:
        """Others from now on; what was used stays used."""
        self._verifier.accept_secrets(secrets)

    def share_used(self, used: Sequence[str], report: Callable[[str], None]) -> None:
        """`used` headers count as used here, too; where that matters, `report` hears of each from now on."""
        if self._refuse_repeats:
            for header in used:
                self._verifier.remember(header.encode(), int(self._steady()))
            self._report_used = report

    def freeze(self) -> dict[str, Any]:
        """The headers that were used, for another process; never to be logged."""
        senders = [[header.decode(), host] for header, host in self._senders.items()]
        return {"seen": b64encode(self._verifier.freeze()).decode(), "senders": senders}

    def inherit(self, frozen: Mapping[str, Any]) -> None:
        """What `freeze` gave in the process before this one."""
        self._verifier.inherit(b64decode(frozen["seen"]))
        self._senders.update((header.encode(), host) for header, host in frozen["senders"])

    def check(self, request: Request, host: str) -> Verdict:
        """The verdict on a handshake from `host`."""
        header = secret_header(request.values(HEADER))
        reason, index, skew, repeated = self._verifier.verify(header, int(self._clock()), int(self._steady()))
        if reason != "ok":
            return Verdict(reason, skew if index >= 0 else None, old_secret=index > 0)
        first_from = self._note_sender(header, host)
        if not repeated and self.claim is None:
            self._report_used(header.decode())
        refused = "repeat" if repeated and self._refuse_repeats else ""
        return Verdict(refused, skew, index > 0, repeated, first_from if repeated else None)

    async def check_others(self, request: Request, verdict: Verdict) -> Verdict:
        """The verdict on one that `check` lets in, when all processes of this server have been asked.

        Where a header counts only once, one of which nobody can say that it is the first is refused.
        """
        is_first = await self._ask(secret_header(request.values(HEADER)).decode().rpartition(" ")[2])
        if is_first is None:
            return dataclasses.replace(verdict, refused="unanswered") if self._refuse_repeats else verdict
        if is_first:
            return verdict
        return dataclasses.replace(verdict, repeated=True, refused="repeat" if self._refuse_repeats else "")

    async def _ask(self, header: str) -> bool | None:
        """None: there was no answer."""
        assert self.claim is not None
        try:
            async with asyncio.timeout(CLAIM_SECONDS):
                return await self.claim(header)
        except (TimeoutError, OSError):
            return None

    def _note_sender(self, header: bytes, host: str) -> str | None:
        """Who sent this header before, if that was somebody else."""
        first = self._senders.setdefault(header, host)
        if len(self._senders) > REMEMBERED:
            self._senders.popitem(last=False)
        return first if first != host else None


def secret_header(values: Iterable[bytes]) -> bytes:
    """The header as one value. Several lines are one with commas (RFC 9110 section 5.3), which is nobody's."""
    return b",".join(values)
