"""Keeps in mind who has which slot of a cluster, and the links to those servers.

Looked at every few seconds, and at once when something is not as it was: then several servers are asked, and the one
that knows the latest change is believed. A server that has frozen, or is cut off from its fellows, knows less.
"""

import asyncio
import contextlib
import random
from collections.abc import Callable

from awxfast.engine.cluster_link import PATIENCE, ClusterLink, LinkOwner
from awxfast.engine.cluster_map import SLOTS, ClusterView, Place, Redirection, read_view
from awxfast.engine.cluster_options import at
from awxfast.errors import ConfigurationError, RedisError, RedisUnavailable
from awxfast.pauses import Pauses, shorten_a_little
from awxfast.redis.address import RedisAddress
from awxfast.redis.connection import RedisConnection
from awxfast.redis.dialling import dial

LOOK_INTERVAL = 2.0
FIRST_LOOK = 0.1
LONGEST_LOOK = 1.0
"""Seconds between looks: while all is well, and while it is not."""
ASKED = 5
"""Servers that are asked in one look while something is wrong."""
ANSWER_SECONDS = 1.0
GRACE_SECONDS = 0.1
"""For the others, once one has answered."""


class ClusterTopology:
    """`seeds`: the servers to begin with. `on_change`: called when slots have other owners, and after each look."""

    def __init__(
        self, access: RedisAddress, seeds: tuple[Place, ...], owner: LinkOwner, on_change: Callable[[], None]
    ) -> None:
        self._access = access
        self._seeds = seeds
        self._owner = owner
        self._on_change = on_change
        self._owners: list[Place | None] = [None] * SLOTS
        self._epoch = -1
        self._servers: frozenset[Place] = frozenset()
        self.links: dict[Place, ClusterLink] = {}
        self._leaving: set[asyncio.Task[None]] = set()
        self._alarm = asyncio.Event()
        self._reconnects = 0
        self.trouble = ""

    @property
    def is_known(self) -> bool:
        """Whether any server has told."""
        return self._epoch >= 0

    @property
    def reconnects(self) -> int:
        """Connections that were opened again."""
        return self._reconnects + sum(link.reconnects for link in self.links.values())

    def find_owner(self, slot: int) -> Place | None:
        """Who has it, as far as is known."""
        return self._owners[slot]

    def link(self, place: Place) -> ClusterLink:
        """The one to this server; begins to connect where there is none."""
        found = self.links.get(place)
        if found is None:
            found = self.links[place] = ClusterLink(self._access, place, self._owner)
        return found

    def follow(self, redirection: Redirection) -> None:
        """A server says that another one has the slot."""
        self._owners[redirection.slot] = redirection.place
        self.look_soon()

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
            else:
                await asyncio.sleep(pauses.take())

    async def close(self) -> None:
        """Ends all links."""
        links, self.links = list(self.links.values()), {}
        await asyncio.gather(*(link.close() for link in links), *self._leaving)

    async def _look(self, most: int) -> None:
        tasks = {asyncio.create_task(self._ask(place)) for place in self._choose(most)}
        try:
            views = await gather_views(tasks)
        finally:
            for task in tasks:
                task.cancel()
        if views:
            self.trouble = ""
            view = max(views, key=lambda view: view.epoch)
            if view.epoch >= self._epoch or len(views) > 1:
                self._believe(view)

    def _choose(self, most: int) -> list[Place]:
        """Servers to ask: all alike, so that one that is wrong is not asked for ever."""
        known = list(self._servers | set(self._seeds)) if self._epoch < 0 or most > 1 else self._up()
        return random.sample(known, min(most, len(known)))

    def _up(self) -> list[Place]:
        up = [place for place, link in self.links.items() if link.commands is not None]
        return up or list(self._servers | set(self._seeds))

    async def _ask(self, place: Place) -> ClusterView | None:
        link = self.links.get(place)
        connection = link.commands if link is not None else None
        try:
            if connection is not None:
                return await ask_view(connection, place)
            connection = await dial(at(self._access, place), ANSWER_SECONDS, PATIENCE)
            try:
                return await ask_view(connection, place)
            finally:
                connection.close()
        except (RedisError, ConfigurationError, ValueError) as error:
            self.trouble = str(error)
            return None

    def _believe(self, view: ClusterView) -> None:
        self._epoch = view.epoch
        self._servers = view.servers
        self._owners = list(view.owners)
        owners = set(self._owners)
        for place in [place for place in self.links if place not in owners]:
            link = self.links.pop(place)
            self._reconnects += link.reconnects
            leaving = asyncio.create_task(link.close())
            self._leaving.add(leaving)
            leaving.add_done_callback(self._leaving.discard)


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


async def ask_view(connection: RedisConnection, place: Place) -> ClusterView:
    """The cluster as this server sees it. Raises `RedisError`, or `ValueError` for an answer that makes no sense."""
    try:
        async with asyncio.timeout(ANSWER_SECONDS):
            info, slots = await connection.commands([("CLUSTER", "INFO"), ("CLUSTER", "SLOTS")])
    except TimeoutError:
        raise RedisUnavailable(f"Redis at {place[0]}:{place[1]}: no answer within {ANSWER_SECONDS:g} s") from None
    for reply in (info, slots):
        if isinstance(reply, RedisError):
            raise reply
    return read_view(info, slots, place)
