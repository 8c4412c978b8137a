"""Tries an engine as `--check` does: whether it lets us do what a server or a dialler does there."""

import asyncio
import contextlib
import logging
from collections.abc import Collection, Sequence

from awxfast.engine.carrier import Carrier, ChannelNames
from awxfast.engine.voice import name_process
from awxfast.errors import ConfigurationError, StartError
from awxfast.wire.engine_notices import Ask, encode_notice

PROBE_SECONDS = 5.0

GROUPS = tuple(f"awxfast-check-{number}" for number in range(64))
"""Nobody wants them but who checks; so many that each server of a cluster has one."""

WHAT_CARRIERS_LOG = logging.getLogger(__package__)


class Echoes:
    """Hears what it has published itself."""

    def __init__(self, channels: Collection[str]) -> None:
        self._missing = set(channels)
        self.all_heard = asyncio.Event()

    def receive(self, messages: Sequence[tuple[str, bytes]]) -> None:
        """Others' words in the channel of wants say nothing against it."""
        self._missing.difference_update(channel for channel, _ in messages)
        if not self._missing:
            self.all_heard.set()

    def note_lost(self, events: int, reason: str) -> None:
        """Then nothing is heard."""

    def note_cut(self, channels: Collection[str] | None) -> None:
        """Then nothing is heard."""


async def probe(carrier: Carrier, names: ChannelNames) -> str:
    """In words what it lets us do. Raises `ConfigurationError` for what somebody has to change, else `StartError`.

    The log says nothing of it.
    """
    question = encode_notice(Ask(of=(name_process("check", GROUPS[0]),)))  # that nobody answers
    channels = names.wants, *map(names.of, GROUPS)
    echoes = Echoes(channels)
    level = WHAT_CARRIERS_LOG.level
    WHAT_CARRIERS_LOG.setLevel(logging.CRITICAL)
    await carrier.start(echoes)
    try:
        with contextlib.suppress(TimeoutError):
            async with asyncio.timeout(PROBE_SECONDS):
                await carrier.subscribe(channels)
                for channel in channels:
                    carrier.publish(channel, question, 0)
                await echoes.all_heard.wait()
                return f"{carrier.address} answers, and lets us publish and subscribe"
        kind = ConfigurationError if carrier.needs_change else StartError
        raise kind(f"the engine {carrier.address}: {carrier.trouble or 'what we publish does not come back'}")
    finally:
        await carrier.stop()
        WHAT_CARRIERS_LOG.setLevel(level)
