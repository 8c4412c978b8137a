"""As whom a process speaks in an engine's channel of wants, taker or publisher: its name there, its node, its Redis."""

import hashlib
import random
from collections.abc import Collection
from typing import Protocol, TypedDict

from awxfast.engine.carrier import Carrier
from awxfast.wire.engine_notices import Notice, encode_notice

BEAT_SECONDS = 5.0


class OwnRedis(Protocol):
    """What is known of the Redis that this process uses (the intake)."""

    @property
    def redis_name(self) -> str | None:
        """Its fingerprint at present; None: it was not there yet. Empty: it does not say."""

    @property
    def redis_names(self) -> Collection[str]:
        """All that it had."""


class Speaker(TypedDict):
    """What notices say of whose they are."""

    who: str
    node: str
    redis: str


class Voice:
    """Speaks through `carrier`, as `who` on `node`."""

    def __init__(self, carrier: Carrier, who: str, node: str, redis: OwnRedis) -> None:
        self.carrier = carrier
        self.who = who
        self._node = node
        self._redis = redis
        self._nameless = hashlib.sha256(who.encode()).hexdigest()[:32]

    @property
    def redis(self) -> str | None:
        """Which Redis it is; None: it was not there yet. One that does not say has a name that nobody else's has."""
        name = self._redis.redis_name
        return self._nameless if name == "" else name

    @property
    def redis_names(self) -> Collection[str]:
        """All that it had."""
        return self._redis.redis_names

    @property
    def speaker(self) -> Speaker | None:
        """Whom others are to take this process for; None: Redis was not there yet, so it can't say."""
        redis = self.redis
        return None if redis is None else Speaker(who=self.who, node=self._node, redis=redis)

    def say(self, notice: Notice) -> None:
        """To all that listen."""
        self.carrier.publish(self.carrier.names.wants, encode_notice(notice), 0)


def name_process(kind: str, token: str) -> str:
    """What one is called in the engine, by its name in Redis, which the one after it has, too."""
    return hashlib.sha256(f"{kind} {token}".encode()).hexdigest()[:16]


def next_beat() -> float:
    """Seconds until the next one is due: not for all at the same time."""
    return BEAT_SECONDS * random.uniform(0.8, 1.2)
