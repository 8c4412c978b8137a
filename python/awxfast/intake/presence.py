"""How this process says in Redis that it lives, and who is about to go on under its names."""

import time

from awxfast.errors import RedisReplyError
from awxfast.intake.announcements import Announcements
from awxfast.intake.names import ProcessNames
from awxfast.intake.processes import ANNOUNCE_INTERVAL, ProcessIdentity, announce_commands
from awxfast.pauses import shorten_a_little
from awxfast.redis.connection import RedisConnection


class Presence:
    """To be told again and again. `announcements`: whoever hears of its groups is told where they end when it dies."""

    def __init__(self, names: ProcessNames, identity: ProcessIdentity, announcements: Announcements | None) -> None:
        self._names = names
        self._identity = identity
        self._announcements = announcements
        self._successor: ProcessIdentity | None = None
        self._may_name_successor = True
        """Whether Redis may have one: this process's own, or the one that a former process meant it to be."""
        self._due_at = 0.0

    def name_successor(self, pid: int | None) -> None:
        """A process here is about to go on under this one's names; None: it is not."""
        self._successor = self._identity.beside(pid) if pid is not None else None

    def begin(self) -> None:
        """Nobody knows what this Redis has."""
        self._may_name_successor = True

    @property
    def is_due(self) -> bool:
        """Whether it is time to tell again."""
        return time.monotonic() >= self._due_at

    async def tell(self, connection: RedisConnection) -> None:
        """Tells it. Raises `RedisError`."""
        commands = announce_commands(
            self._names, self._identity, self._successor, forgets_successor=self._may_name_successor
        )
        if self._announcements is not None:
            commands.append(self._announcements.mark())
        self._may_name_successor = self._successor is not None
        try:
            for reply in await connection.commands(commands):
                if isinstance(reply, RedisReplyError):
                    raise reply
        except BaseException:
            self._may_name_successor = True
            raise
        self._due_at = time.monotonic() + shorten_a_little(ANNOUNCE_INTERVAL)
