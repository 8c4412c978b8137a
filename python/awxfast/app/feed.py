"""Where events come from: Redis and other nodes; from nowhere, for an application without a channel layer."""

import asyncio
from collections.abc import Sequence

from awxfast.figures import IntakeFigures
from awxfast.hosted.channel_table import ChannelTable
from awxfast.hosted.layer_replacement import Replacement
from awxfast.intake.event_intake import EventIntake, describe_intake
from awxfast.nodes.engine_feed import EngineFeed, NoEngine
from awxfast.nodes.mesh import Nodes, NoNodes
from awxfast.redis.address import RedisAddress
from awxfast.wire.encryption_keys import EncryptionKeys


class Feed:
    """The intake from Redis, and the server's end of the nodes' links."""

    keeps_names = True
    """Whether the process's names in Redis are those of the one before it, and of the one after it."""

    def __init__(
        self, intake: EventIntake, nodes: Nodes | NoNodes, keys: EncryptionKeys, engine: EngineFeed | NoEngine
    ) -> None:
        self.addresses: Sequence[RedisAddress] = [part.address for part in intake.parts]
        self.nodes = nodes
        self.engine = engine
        self.intake = intake
        self._keys = keys
        self.failed = intake.failed
        self.tell_caught_up = intake.caught_up.tell

    @property
    def token(self) -> str | None:
        """The process's name in Redis; None where each process has one of its own."""
        return self.intake.token if self.keeps_names else None

    def expect_recovery(self) -> None:
        """The process before this one has died: its groups are kept for a moment where its names are."""
        self.intake.recovers = self.keeps_names

    async def start(self) -> None:
        """Connects to Redis, and passes on what nodes send; to the engine, which is told what Redis this is."""
        await self.intake.start()
        self.nodes.start()
        await self.engine.start()

    async def abandon(self) -> None:
        """In place of `stop` where another process goes on with all of it."""
        await self.engine.stop()
        await self._stop_layer()

    async def stop(self) -> None:
        """Nodes first, since what they sent goes into Redis."""
        await self.engine.stop()
        await self.nodes.stop()
        await self._stop_layer()
        await self.intake.stop()

    def reload_keys(self) -> None:
        """Reads the files of the layer's keys again. Raises `ConfigurationError`."""
        if self._keys.reload():
            self._use_keys()

    def _use_keys(self) -> None:
        """There are others now."""
        self.intake.entry_format.accept_keys(self._keys.values)

    async def _stop_layer(self) -> None:
        """What stands on the intake, which leaves its groups after it."""

    async def find_missing_rights(self) -> Sequence[str]:
        """A line for each Redis whose user lacks some."""
        found = [(part.address, await part.outages.find_missing_rights()) for part in self.intake.parts]
        return [f"Redis at {address}: {missing}" for address, missing in found if missing is not None]

    def intake_figures(self) -> IntakeFigures | None:
        """What of the intake is on `/metrics`."""
        return describe_intake(self.intake)

    def troubles(self) -> Sequence[str]:
        """What is wrong with Redis, or with an engine that has not been there yet."""
        redis = [f"Redis at {part.address} {part.trouble}" for part in self.intake.parts if part.trouble]
        return [*redis, *self.engine.troubles()]


class LayerFeed(Feed):
    """The feed of an application whose channel layer is replaced by one that shares the intake."""

    def __init__(
        self,
        intake: EventIntake,
        nodes: Nodes | NoNodes,
        keys: EncryptionKeys,
        engine: EngineFeed | NoEngine,
        replacement: Replacement,
        channels: ChannelTable,
        *,
        keeps_names: bool,
    ) -> None:
        super().__init__(intake, nodes, keys, engine)
        self._replacement = replacement
        self._is_installed = False
        self.channels = channels
        self.keeps_names = keeps_names

    async def start(self) -> None:
        """The layer last: what it does goes through the others."""
        await super().start()
        self.install_layer()

    def install_layer(self) -> None:
        """From now on the application has ours. Once."""
        if not self._is_installed:
            self._is_installed = True
            self._replacement.install()

    def _use_keys(self) -> None:
        super()._use_keys()
        self._replacement.use_keys()

    async def _stop_layer(self) -> None:
        await self._replacement.stop()


class NoFeed:
    """No Redis; nodes are the application's affair, or refused."""

    def __init__(self, nodes: NoNodes) -> None:
        self.addresses: Sequence[RedisAddress] = ()
        self.nodes = nodes
        self.engine = NoEngine()
        self.failed = asyncio.Event()

    token: str | None = None

    def expect_recovery(self) -> None:
        """There are no groups to keep."""

    def reload_keys(self) -> None:
        """There are no keys."""

    def tell_caught_up(self) -> None:
        """Nobody waits, since no events come."""

    async def start(self) -> None:
        """There is nothing to start."""

    async def abandon(self) -> None:
        """There is nothing to leave."""

    async def stop(self) -> None:
        """There is nothing to stop."""

    async def find_missing_rights(self) -> Sequence[str]:
        """There is no Redis."""
        return []

    def intake_figures(self) -> IntakeFigures | None:
        """None: an application without a channel layer has no intake."""
        return None

    def troubles(self) -> Sequence[str]:
        """Nothing can be wrong."""
        return []
