"""Keeps in mind who has which slot of a cluster, and connections to those servers.

Looked at every few seconds, and at once when something is not as it was: then several servers are asked, and the one
that knows the latest change is believed. A server that has frozen, or is cut off from its fellows, knows less.
"""

import asyncio
import contextlib
import random
from collections.abc import Callable

from awxfast.engine.address import HostPort, write_server
from awxfast.engine.cluster_map import MOST_SERVERS, SLOTS, ClusterView, Redirection, read_view
from awxfast.engine.cluster_options import at
from awxfast.engine.cluster_server import MOST_UNFINISHED, ClusterServer, ServerOwner, dial_bounded
from awxfast.errors import ConfigurationError, RedisError, RedisReplyError, RedisUnavailable
from awxfast.pauses import Pauses, shorten_a_little
from awxfast.redis.address import RedisAddress
from awxfast.redis.connection import RedisConnection
from awxfast.redis.unfinished_replies import UnfinishedReplies

LOOK_INTERVAL = 2.0
FIRST_LOOK = 0.1
LONGEST_LOOK = 1.0
"""Seconds between looks: while all is well, and while it is not."""
LEAST_LOOK = 0.05
"""Between two looks whatever happens: what a server refuses may be refused again at once."""
BEGIN_INTERVAL = 0.001
"""Between the first connections to two servers: a thousand may be named at once."""
ASKED = 5
"""Servers that are asked in one look while something is wrong."""
LOOKS_UNNEEDED = 3
"""In a row that show no slot at a server, after which it is left: just after a change some still tell of before."""
ANSWER_SECONDS = 1.0
GRACE_SECONDS = 0.1
"""For the others, once one has answered."""


class ClusterTopology:
    """`seeds`: the servers to begin with. `on_change`: called when slots have other owners, and after each look."""

    def __init__(
        self, access: RedisAddress, seeds: tuple[HostPort, ...], owner: ServerOwner, on_change: Callable[[], None]
    ) -> None:
        self._access = access
        self._seeds = seeds
        self._owner = owner
        self._on_change = on_change
        self._unfinished = UnfinishedReplies(MOST_UNFINISHED)
        self._owners: list[HostPort | None] = [None] * SLOTS
        self._epoch = -1
        self._known: frozenset[HostPort] = frozenset()
        self.servers: dict[HostPort, ClusterServer] = {}
        self._unneeded: dict[HostPort, int] = {}
        self._leaving: set[asyncio.Task[None]] = set()
        self._begin = 0.0
        self._lacking: set[HostPort] = set()
        """Owners of slots that were not connected to at the last look: there must be room for these."""
        self._alarm = asyncio.Event()
        self._reconnects = 0
        self.failure: RedisError | ConfigurationError | None = None
        """Of the last look, if nobody has told anything."""

    @property
    def is_known(self) -> bool:
        """Whether any server has told."""
        return self._epoch >= 0

    @property
    def is_whole(self) -> bool:
        """Whether any server has told, and each that is needed answers."""
        return self.is_known and all(
            server.is_up for where, server in self.servers.items() if where not in self._unneeded
        )

    @property
    def has_any(self) -> bool:
        """Whether any server answers."""
        return any(server.commands is not None for server in self.servers.values())

    @property
    def reconnects(self) -> int:
        """Connections that were opened again."""
        return self._reconnects + sum(server.reconnects for server in self.servers.values())

    def find_owner(self, slot: int) -> HostPort | None:
        """Who has it, as far as is known."""
        return self._owners[slot]

    def server(self, where: HostPort) -> ClusterServer | None:
        """The one to this server; begins to connect where there is none. None: too many, with those about to go."""
        found = self.servers.get(where)
        if found is None and len(self.servers) + len(self._leaving) < MOST_SERVERS:
            self._begin = max(self._begin + BEGIN_INTERVAL, asyncio.get_running_loop().time())
            found = self.servers[where] = ClusterServer(self._access, where, self._owner, self._unfinished, self._begin)
        return found

    def follow(self, redirection: Redirection) -> None:
        """A server says that another one has the slot."""
        self.look_soon()
        if self.admit(redirection.where):
            self._owners[redirection.slot] = redirection.where

    def admit(self, where: HostPort) -> bool:
        """Begins to connect to a server that another one has named, which may name them without end; whether it may."""
        has_room = len(self.servers) + len(self._lacking) < MOST_SERVERS
        return (has_room or where in self._lacking or where in self.servers) and self.server(where) is not None

    def look_soon(self) -> None:
        """Something is not as it was."""
        self._alarm.set()

    async def run(self, is_well: Callable[[], bool]) -> None:
        """Looks again and again, until it is cancelled; `is_well`: whether it can take its time."""
        pauses = Pauses(FIRST_LOOK, LONGEST_LOOK)
        while True:
            self._alarm.clear()
            await self._look(1 if is_well() else ASKED)
            self._on_change()
            if is_well():
                pauses.begin_again()
                with contextlib.suppress(TimeoutError):
                    await asyncio.wait_for(self._alarm.wait(), shorten_a_little(LOOK_INTERVAL))
                await asyncio.sleep(LEAST_LOOK)
            else:
                await asyncio.sleep(pauses.take())

    async def close(self) -> None:
        """Ends the connections to all servers."""
        servers, self.servers = list(self.servers.values()), {}
        await asyncio.gather(*(server.close() for server in servers), *self._leaving)

    async def _look(self, most: int) -> None:
        self.failure = None
        tasks = {asyncio.create_task(self._ask(where)) for where in self._choose(most)}
        try:
            views = await gather_views(tasks)
        finally:
            for task in tasks:
                task.cancel()
        if views:
            self.failure = None
            view = max(views, key=lambda view: view.epoch)
            if view.epoch >= self._epoch or len(views) > 1:
                self._believe(view)

    def _choose(self, most: int) -> list[HostPort]:
        """Servers to ask: all alike, so that one that is wrong is not asked for ever.

        Those to begin with are never lost among the many that one may have named.
        """
        known = list(self._known | set(self._seeds)) if self._epoch < 0 or most > 1 else self._up()
        chosen = random.sample(known, min(most, len(known)))
        return list({*chosen[1:], random.choice(self._seeds)}) if most > 1 else chosen

    def _up(self) -> list[HostPort]:
        up = [where for where, server in self.servers.items() if server.commands is not None]
        return up or list(self._known | set(self._seeds))

    async def _ask(self, where: HostPort) -> ClusterView | None:
        server = self.servers.get(where)
        connection = server.commands if server is not None else None
        try:
            if connection is not None:
                return await ask_view(connection, where)
            connection = await dial_bounded(at(self._access, where), ANSWER_SECONDS, self._unfinished)
            try:
                return await ask_view(connection, where)
            finally:
                connection.close()
        except (RedisError, ConfigurationError, ValueError) as error:
            if not isinstance(self.failure, ConfigurationError):
                self.failure = name_failure(error, at(self._access, where))
            return None

    def _believe(self, view: ClusterView) -> None:
        self._epoch = view.epoch
        self._known = view.servers
        self._owners = list(view.owners)
        owners = {where for where in view.owners if where is not None}
        self._unneeded = {where: self._unneeded.get(where, 0) + 1 for where in self.servers if where not in owners}
        self._lacking = owners - self.servers.keys()
        for where in [where for where, looks in self._unneeded.items() if looks >= LOOKS_UNNEEDED]:
            self._leave(where)

    def _leave(self, where: HostPort) -> None:
        del self._unneeded[where]
        server = self.servers.pop(where)
        self._reconnects += server.reconnects
        leaving = asyncio.create_task(server.retire())
        self._leaving.add(leaving)
        leaving.add_done_callback(self._leaving.discard)


def name_failure(error: Exception, where: RedisAddress) -> RedisError | ConfigurationError:
    """With the server in its text, and by its kind: whether another try may help."""
    if isinstance(error, RedisUnavailable | ConfigurationError):
        return error
    text = f"Redis at {where}: {error}"
    may_pass = isinstance(error, RedisReplyError) and error.code not in ("ERR", "NOPERM")
    return RedisUnavailable(text) if may_pass else ConfigurationError(text)


async def gather_views(tasks: set[asyncio.Task[ClusterView | None]]) -> list[ClusterView]:
    """What comes in time: those that are silent are not waited for once another has answered."""
    views: list[ClusterView] = []
    while tasks:
        limit = GRACE_SECONDS if views else None
        done, tasks = await asyncio.wait(tasks, timeout=limit, return_when=asyncio.FIRST_COMPLETED)
        if not done:
            break
        views += [view for task in done if (view := task.result()) is not None]
    return views


async def ask_view(connection: RedisConnection, where: HostPort) -> ClusterView:
    """The cluster as this server sees it. Raises `RedisError`, or `ValueError` for an answer that makes no sense."""
    try:
        async with asyncio.timeout(ANSWER_SECONDS):
            info, slots = await connection.commands([("CLUSTER", "INFO"), ("CLUSTER", "SLOTS")])
    except TimeoutError:
        raise RedisUnavailable(f"Redis at {write_server(where)}: no answer within {ANSWER_SECONDS:g} s") from None
    for reply in (info, slots):
        if isinstance(reply, RedisError):
            raise reply
    return read_view(info, slots, where)
