"""What an operator is told of an engine that is away or refuses something: a line an outage and reason, none twice."""

import logging
import time

from awxfast.engine.address import EngineAddress
from awxfast.quiet_log import QuietLog

MOST_SAID = 20
"""Reasons that are told in one outage; some have words of a server's."""
REFUSED_SECONDS = 10.0
"""For so long a refused message is news: a beat is refused every 5 s, and nobody says when it would not be."""


class Troubles:
    """Writes to `log`, of the engine at `address`."""

    def __init__(self, log: logging.Logger, address: EngineAddress) -> None:
        self._log = log
        self._address = address
        self._quiet = QuietLog(log)
        self._said: set[str] = set()
        self._refusal = ""
        self._refused_at = float("-inf")

    @property
    def refusal(self) -> str:
        """Which message was refused lately, in words; empty: none was."""
        return self._refusal if time.monotonic() - self._refused_at < REFUSED_SECONDS else ""

    def tell(self, reason: str, text: str) -> None:
        """Once an outage and reason, whatever else is in the text: many servers may have it, or many channels."""
        if reason not in self._said and len(self._said) < MOST_SAID:
            self._said.add(reason)
            self._quiet.warn(reason, f"engine: {self._address}: {text}; trying again")

    def refuse(self, text: str) -> None:
        """A message was refused."""
        self._refusal, self._refused_at = text, time.monotonic()
        self.tell("refused", text)

    def look(self) -> None:
        """Once in a while: nobody says that a message is refused no more."""
        if self._refusal and not self.refusal:
            self._refusal = ""
            self._said.discard("refused")
            self._log.info("engine: %s: nothing was refused for %g s", self._address, REFUSED_SECONDS)

    def end(self, text: str) -> None:
        """It is there, again or for the first time."""
        self._said = {"refused"} if self.refusal else set()
        self._log.info("engine: %s: %s", self._address, text)
