"""Tries an engine as `--check` does: whether it lets us do what a server or a dialler does there."""

import asyncio
import logging
from collections.abc import Collection, Sequence

from awxfast.engine.carrier import Carrier
from awxfast.engine.endings import end_tasks
from awxfast.engine.voice import name_process
from awxfast.errors import ConfigurationError, StartError
from awxfast.wire.engine_notices import Ask, encode_notice

PROBE_SECONDS = 5.0
SURE_SECONDS = 1.0
"""A refusal that stands for so long is one: another server may let us in, or a later look find the cluster whole."""
LOOK_SECONDS = 0.05

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


async def probe(carrier: Carrier) -> str:
    """In words what it lets us do. Raises `ConfigurationError` for what somebody has to change, else `StartError`.

    The log says nothing of it.
    """
    level = WHAT_CARRIERS_LOG.level
    WHAT_CARRIERS_LOG.setLevel(logging.CRITICAL)
    channels = carrier.names.wants, *map(carrier.names.of, GROUPS)
    echoes = Echoes(channels)
    await carrier.start(echoes)
    tasks = [asyncio.create_task(_speak(carrier, channels, echoes)), asyncio.create_task(_wait_refused(carrier))]
    try:
        await asyncio.wait(tasks, timeout=PROBE_SECONDS, return_when=asyncio.FIRST_COMPLETED)
        if tasks[0].done():
            await tasks[0]
            return f"{carrier.address} answers, and lets us publish and subscribe"
        kind = ConfigurationError if carrier.needs_change else StartError
        raise kind(f"the engine {carrier.address}: {carrier.trouble or 'what we publish does not come back'}")
    finally:
        await end_tasks(*tasks)
        await carrier.stop()
        WHAT_CARRIERS_LOG.setLevel(level)


async def _speak(carrier: Carrier, channels: Collection[str], echoes: Echoes) -> None:
    # That nobody answers, and as long as what nodes say of themselves.
    question = encode_notice(Ask(of=tuple(name_process("check", group) for group in GROUPS)))
    await carrier.subscribe(channels)
    for channel in channels:
        carrier.publish(channel, question, 0)
    await echoes.all_heard.wait()


async def _wait_refused(carrier: Carrier) -> None:
    loop = asyncio.get_running_loop()
    since = loop.time()
    while True:
        await asyncio.sleep(LOOK_SECONDS)
        if not carrier.needs_change:
            since = loop.time()
        elif loop.time() - since >= SURE_SECONDS:
            return
