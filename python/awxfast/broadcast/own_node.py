"""This node as the peers that it dials are told of it and reach it: how it dials, its Redis, what it wants."""

import collections
from collections.abc import Callable, Collection
from typing import Protocol

from awxfast.broadcast.dial_attempt import Caller
from awxfast.broadcast.era import Era
from awxfast.broadcast.joined_groups import JoinedGroups
from awxfast.engine.publisher import Publisher


class LocalRedis(Protocol):
    """Where events and metrics of other nodes go."""

    def send(self, group: str, text: bytes) -> None:
        """To all members of the group."""

    def store(self, key: str, value: str) -> bool:
        """A key without expiry. False: too much waits already."""


class OwnNode:
    """What all peers of one dialler share. `own_redis` gives the names of our Redis, as peers may say it."""

    def __init__(
        self,
        caller: Caller,
        era: Era | None,
        redis: LocalRedis,
        joined: JoinedGroups,
        own_redis: Callable[[], Collection[str]],
        backplane_group: str,
        engine: Publisher | None = None,
    ) -> None:
        self.caller = caller
        self.era = era
        self.redis = redis
        self.joined = joined
        self.own_redis = own_redis
        self.backplane_group = backplane_group
        self.engine = engine
        """What carries events to nodes that are in it, too."""
        self.crowded = False
        """Set while no peer is to be read, see `DialledLink.hold_reading`."""
        self.is_beside = False
        """Whether links stand beside another process's, and what comes on them waits."""
        self.has_left = False
        """Whether another process has taken this one's place, so that nobody is dialled any more."""
        self.dials: collections.Counter[tuple[str, str]] = collections.Counter()
