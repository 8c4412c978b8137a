"""One server of a cluster: a connection that commands go over, and one that subscribes. Each is kept up.

A server that stops without a word (frozen, or cut off) is noticed by what it does not answer.
"""

import asyncio
import contextlib
import functools
from collections.abc import Awaitable, Callable
from typing import Protocol

from awxfast.engine.address import HostPort
from awxfast.engine.cluster_options import at
from awxfast.engine.endings import end_tasks
from awxfast.errors import ConfigurationError, RedisError
from awxfast.pauses import Pauses
from awxfast.redis.address import RedisAddress
from awxfast.redis.cluster_push_connection import ClusterPushConnection
from awxfast.redis.connection import RedisConnection
from awxfast.redis.dialling import dial
from awxfast.redis.unfinished_replies import UnfinishedReplies

FIRST_PAUSE = 0.05
LONGEST_PAUSE = 1.0

PATIENCE = 1.5
"""Seconds without an answer that is due after which a connection counts as broken, or can't be opened."""
ASK_INTERVAL = 0.5
"""Seconds after which a quiet server is asked for a sign of life."""

REPLY_LIMIT = 33_554_432
"""Bytes of one reply or message; of more Redis itself does not let wait for a subscriber."""
MOST_UNFINISHED = 134_217_728
"""Bytes of those that are not whole, of all servers: there may be a thousand, of which one alone may be true."""


class ServerOwner(Protocol):
    """Who is told how a server is."""

    def commands_up(self, server: "ClusterServer") -> None:
        """Commands can be sent."""

    def pushes_up(self, server: "ClusterServer") -> None:
        """Channels can be subscribed to; none is yet."""

    def pushes_down(self, server: "ClusterServer") -> None:
        """Nothing is subscribed to any more."""

    def server_failed(self, server: "ClusterServer", error: Exception) -> None:
        """A connection broke, or could not be opened."""


class ClusterServer:
    """Opens its first connection from that time of the loop on, the one for subscriptions when it is wanted.

    `unfinished`: all servers'.
    """

    def __init__(
        self, access: RedisAddress, where: HostPort, owner: ServerOwner, unfinished: UnfinishedReplies, begin: float
    ) -> None:
        self.where = where
        self._address = at(access, where)
        self._owner = owner
        self._unfinished = unfinished
        self._begin = begin
        self.commands: RedisConnection | None = None
        self.pushes: ClusterPushConnection | None = None
        self.is_publishing = False
        """Whether a batch is on its way."""
        self.reconnects = 0
        self._pushes_task: asyncio.Task[None] | None = None
        self._commands_task = asyncio.create_task(self._keep(self._open_commands, self._close_commands))

    def want_pushes(self) -> ClusterPushConnection | None:
        """The connection that subscribes, if it is up; else it will be."""
        if self._pushes_task is None:
            self._pushes_task = asyncio.create_task(self._keep(self._open_pushes, self._close_pushes))
        return self.pushes

    @property
    def is_up(self) -> bool:
        """Whether all that is wanted works."""
        return self.commands is not None and (self._pushes_task is None or self.pushes is not None)

    async def close(self) -> None:
        """Lets go of both."""
        tasks = [task for task in (self._commands_task, self._pushes_task) if task is not None]
        await end_tasks(*tasks)

    async def retire(self) -> None:
        """As `close`, when what is on its way has its answers: the server has no slot any more, but may be well."""
        if self.commands is not None:
            with contextlib.suppress(RedisError, TimeoutError):
                await asyncio.wait_for(self.commands.settle(), PATIENCE)
        await self.close()

    async def _keep(self, open_one: Callable[[], Awaitable[RedisConnection]], forget: Callable[[], None]) -> None:
        pauses = Pauses(FIRST_PAUSE, LONGEST_PAUSE)
        is_first = True
        await asyncio.sleep(self._begin - asyncio.get_running_loop().time())
        while True:
            try:
                connection = await open_one()
            except (RedisError, ConfigurationError) as error:
                self._owner.server_failed(self, error)
            else:
                self.reconnects += not is_first
                is_first = False
                try:
                    if await stay(connection):
                        pauses.begin_again()
                finally:
                    connection.close()
                    forget()
                self._owner.server_failed(self, connection.lost.result())
            await asyncio.sleep(pauses.take())

    async def _open_commands(self) -> RedisConnection:
        self.commands = await dial_bounded(self._address, PATIENCE, self._unfinished)
        self._owner.commands_up(self)
        return self.commands

    def _close_commands(self) -> None:
        self.commands = None

    async def _open_pushes(self) -> RedisConnection:
        connection = await dial_bounded(self._address, PATIENCE, self._unfinished, ClusterPushConnection)
        assert isinstance(connection, ClusterPushConnection)
        self.pushes = connection
        self._owner.pushes_up(self)
        return connection

    def _close_pushes(self) -> None:
        self.pushes = None
        self._owner.pushes_down(self)


async def dial_bounded(
    address: RedisAddress,
    seconds: float,
    unfinished: UnfinishedReplies,
    kind: type[RedisConnection] = RedisConnection,
) -> RedisConnection:
    """As `dial`, with a cluster's bounds."""
    return await dial(address, seconds, PATIENCE, REPLY_LIMIT, functools.partial(kind, unfinished=unfinished))


async def stay(connection: RedisConnection) -> bool:
    """Returns when it is lost: whether it had held for a while. Meanwhile it is asked for signs of life."""
    has_held = False
    while not connection.lost.done():
        await asyncio.wait((connection.lost,), timeout=ASK_INTERVAL)
        if not connection.lost.done() and connection.is_idle:
            connection.command("PING").add_done_callback(_look_away)
            has_held = True
    return has_held


def _look_away(future: asyncio.Future[object]) -> None:
    """An error is an answer too; that the connection broke is told elsewhere."""
    with contextlib.suppress(asyncio.CancelledError):
        future.exception()
