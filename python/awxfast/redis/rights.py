"""What a user of Redis is not allowed to do and would have to, in the words of ACL SETUSER.

Redis says `NOPERM` for one command at a time, and to a script not even which. All that will be asked is asked at once
inside of a transaction that is discarded: Redis checks a user's rights as it queues.
"""

import contextlib
import dataclasses
import logging
from collections.abc import Callable, Sequence

from awxfast.errors import ConfigurationError, RedisError, RedisReplyError
from awxfast.redis.address import RedisAddress
from awxfast.redis.commands import Command
from awxfast.redis.connection import RedisConnection
from awxfast.redis.login import open_connection
from awxfast.redis.server_facts import ServerFacts, ask_facts

log = logging.getLogger(__name__)

_OF_SCRIPTS = ("script can't", "ACL failure in script")
"""What Redis up to 7.0, and from 7.2 on, says where a script lacks a right; its first word is ERR."""


_CONTAINERS = ("client", "pubsub")
"""Commands whose parts are allowed one by one."""


@dataclasses.dataclass(frozen=True, slots=True)
class Need:
    """A command that is sent, and where it points. `patterns`: what ACL SETUSER calls its keys or channels.

    `is_vital`: without it no events come. Without the others something is not tidied up, or slower.
    """

    command: Command
    patterns: tuple[str, ...] = ()
    is_vital: bool = True


@dataclasses.dataclass(frozen=True, slots=True)
class Missing:
    """The user, and in words of ACL SETUSER what to add."""

    user: str
    words: tuple[str, ...]
    is_vital: bool

    def __str__(self) -> str:
        return f"the user {self.user} lacks rights: ACL SETUSER {self.user} {' '.join(self.words)}"


def is_permission(error: RedisReplyError) -> bool:
    """Whether a right is what is missing."""
    return error.code == "NOPERM" or any(words in str(error) for words in _OF_SCRIPTS)


class Rights:
    """Of the user that `address` names, to do all that `list_needs` has for a Redis of that kind."""

    def __init__(self, address: RedisAddress, list_needs: Callable[[ServerFacts], Sequence[Need]]) -> None:
        self._address = address
        self._list_needs = list_needs

    async def find_missing(self) -> Missing | None:
        """None: nothing, as far as is known. On a connection of its own, which may be of no use afterwards."""
        try:
            with contextlib.closing(await open_connection(self._address)) as connection:
                return await self._look(connection)
        except (RedisError, ConfigurationError) as error:
            log.debug("not known what the user of Redis may do: %s", error)
            return None

    async def explain(self, error: RedisReplyError) -> RedisReplyError:
        """The same error; where rights are missing, one that names all of them."""
        missing = await self.find_missing() if is_permission(error) else None
        return RedisReplyError(f"NOPERM {missing}") if missing is not None else error

    async def tell(self) -> None:
        """One line about what is missing, if all that is vital is there: else Redis' refusal says it."""
        missing = await self.find_missing()
        if missing is not None and not missing.is_vital:
            log.warning("Redis at %s: %s", self._address, missing)

    async def _look(self, connection: RedisConnection) -> Missing | None:
        lacking = await list_lacking(connection, self._list_needs(await ask_facts(connection)))
        if not lacking:
            return None
        words = tuple(dict.fromkeys(word for _, said in lacking for word in said))
        ordered = sorted(words, key=lambda word: word.startswith("+"))  # places first
        return Missing(await self._ask_user(connection), tuple(ordered), any(need.is_vital for need, _ in lacking))

    async def _ask_user(self, connection: RedisConnection) -> str:
        if self._address.username is not None:
            return self._address.username
        try:
            user: bytes = await connection.command("ACL", "WHOAMI")
        except RedisReplyError:
            return "default" if self._address.credential_provider is None else "USER"
        return user.decode("utf-8", "replace")


async def list_lacking(connection: RedisConnection, needs: Sequence[Need]) -> list[tuple[Need, tuple[str, ...]]]:
    """Each that is refused, with the words that would allow it. Raises `RedisError`.

    Who may not begin a transaction can't be asked what else he may not do, and is told all of it.
    """
    try:
        await connection.command("MULTI")
    except RedisReplyError as error:
        if not is_permission(error):
            return []
        return [(Need(("MULTI",)), ("+multi", "+exec", "+discard")), *((need, all_words(need)) for need in needs)]
    # The second MULTI is an error that does no harm: with it in the same write, what follows is expected to be queued.
    _, *replies, _ = await connection.commands([("MULTI",), *(need.command for need in needs), ("DISCARD",)])
    found = [(need, lacking_words(need, reply)) for need, reply in zip(needs, replies, strict=True)]
    return [(need, words) for need, words in found if words]


def lacking_words(need: Need, reply: object) -> tuple[str, ...]:
    """What one answer says: first Redis looks at the command, then at its keys, then at its channels."""
    if not isinstance(reply, RedisReplyError) or reply.code != "NOPERM":
        return ()
    return all_words(need) if "to run" in str(reply) else need.patterns


def all_words(need: Need) -> tuple[str, ...]:
    """All that allows it."""
    name = str(need.command[0]).lower()
    return (*need.patterns, f"+{name}|{str(need.command[1]).lower()}" if name in _CONTAINERS else f"+{name}")
