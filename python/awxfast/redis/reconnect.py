"""Keeps a connection to Redis up: again and again with growing pauses, and one log line an outage."""

import asyncio
import contextlib
import logging
import time
from collections.abc import Awaitable, Callable

from awxfast.errors import ConfigurationError, RedisError, RedisReplyError
from awxfast.pauses import Pauses
from awxfast.redis.address import RedisAddress
from awxfast.redis.connection import REPLY_LIMIT, RedisConnection
from awxfast.redis.login import open_connection
from awxfast.redis.rights import Missing, Rights

log = logging.getLogger(__name__)

FIRST_PAUSE = 0.05
LONGEST_PAUSE = 2.0


class Outages:
    """Tells the operator once for each change: Redis is away, it refuses (in its own word), it is back.

    However many connections notice.
    """

    def __init__(self, address: RedisAddress, rights: Rights | None = None) -> None:
        """`rights`: what its user has to be allowed."""
        self._address = address
        self._rights = rights
        self._reasons: dict[str, str] = {}
        self._said = ""
        self._since = 0.0

    @property
    def refusal(self) -> str:
        """What Redis says itself while something is wrong, to follow its name; empty: nothing."""
        reasons = [reason for reason in self._reasons.values() if find_word(reason)]
        return f"refuses: {reasons[0]}" if reasons else ""

    def broke(self, connection: str, error: Exception) -> None:
        """The connection of this name broke or could not be opened, or what it asks for is refused."""
        if not self._reasons:
            self._since = time.monotonic()
        self._reasons[connection] = strip_place(str(error), self._address).partition(". ")[0]
        self._tell()

    async def find_missing_rights(self) -> Missing | None:
        """What the user of Redis lacks, as `Rights` tells it; None where nobody knows of any."""
        return await self._rights.find_missing() if self._rights is not None else None

    async def explain(self, error: RedisReplyError) -> RedisReplyError:
        """The same, or one that names all rights that are missing."""
        return await self._rights.explain(error) if self._rights is not None else error

    def mended(self, connection: str) -> None:
        """The connection of this name works."""
        if self._reasons.pop(connection, None) is not None:
            self._tell()

    def _tell(self) -> None:
        reasons = list(self._reasons.values())
        state = self.refusal.partition(" ")[2].partition(" ")[0] or ("away" if reasons else "")
        if state == self._said:
            return
        self._said = state
        if reasons:
            trouble = self.refusal or f"is away: {reasons[0]}"
            log.warning("Redis at %s %s; clients stay, trying again", self._address, trouble)
        else:
            log.warning("Redis at %s is back after %.1f s", self._address, time.monotonic() - self._since)


def strip_place(text: str, address: RedisAddress) -> str:
    """An error's text without the server's name, which of a master that Sentinel names is its own."""
    place, separator, rest = text.partition(": ") if address.master_name else ("", "", text)
    return rest if separator and place.startswith("Redis at ") else text.removeprefix(f"Redis at {address}: ")


def find_word(reason: str) -> str:
    """The word with which Redis begins an error: MISCONF, OOM, READONLY, LOADING, NOPERM; empty: it says nothing."""
    word = reason.partition(" ")[0]
    return word if word.isupper() and word.isalpha() else ""


class KeptConnection:
    """A connection that is opened again when it breaks."""

    def __init__(
        self,
        address: RedisAddress,
        name: str,
        outages: Outages,
        patience: float = 5.0,
        reply_limit: int = REPLY_LIMIT,
        connect: Callable[[], Awaitable[RedisConnection]] | None = None,
    ) -> None:
        """`connect`: opens one of another kind."""
        self._address = address
        self._name = name
        self._outages = outages
        self._patience = patience
        self._reply_limit = reply_limit
        self._connect = connect or self._open
        self._up = asyncio.Event()
        self.reconnects = 0

    @property
    def up(self) -> bool:
        """Whether it works at present."""
        return self._up.is_set()

    async def wait_up(self) -> None:
        """Returns when it works."""
        await self._up.wait()

    async def run(self, work: Callable[[RedisConnection], Awaitable[None]]) -> None:
        """Runs `work` on a connection, again on a new one whenever it raises `RedisError`, until it returns.

        `work` calls `works` as soon as Redis does what it needs. What can never work, such as a password that was
        changed, is tried again too: clients are connected, and the operator may be about to mend it.
        """
        pauses = Pauses(FIRST_PAUSE, LONGEST_PAUSE)
        while True:
            try:
                connection = await self._connect()
                with contextlib.closing(connection):
                    return await self._work(work, connection)
            except (RedisError, ConfigurationError) as error:
                if self.up:
                    pauses.begin_again()
                self._outages.broke(self._name, error)
            finally:
                self._up.clear()
            await asyncio.sleep(pauses.take())
            self.reconnects += 1

    async def _open(self) -> RedisConnection:
        return await open_connection(self._address, patience=self._patience, reply_limit=self._reply_limit)

    async def _work(self, work: Callable[[RedisConnection], Awaitable[None]], connection: RedisConnection) -> None:
        try:
            await work(connection)
        except RedisReplyError as error:
            raise await self._outages.explain(error) from error

    async def explain(self, error: RedisReplyError) -> RedisReplyError:
        """The same error, or one that names all rights that are missing."""
        return await self._outages.explain(error)

    def refuse(self, error: RedisReplyError) -> None:
        """The connection is good, but Redis does not do what is needed."""
        self._up.clear()
        self._outages.broke(self._name, error)

    def works(self) -> None:
        """The connection proved good."""
        self._up.set()
        self._outages.mended(self._name)
