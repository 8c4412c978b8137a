"""The private Redis that ends unasked: another one takes its place, on the same socket and empty."""

import asyncio
import logging

from awxfast.errors import StartError
from awxfast.process.restart_pauses import RestartPauses
from awxfast.redis.private import PrivateRedis

log = logging.getLogger(__name__)

LOOK_SECONDS = 0.25


async def keep_running(private: PrivateRedis) -> None:
    """Looks after it until it is cancelled. The serving process finds the new one by itself and counts the gap."""
    pauses = RestartPauses()
    pauses.begin()
    while True:
        await asyncio.sleep(LOOK_SECONDS)
        if private.exit_code is not None:
            await start_another(private, pauses.take())
            pauses.begin()


async def start_another(private: PrivateRedis, pause: float) -> None:
    """Waits for `pause` seconds, then tries it once."""
    log.error("The private Redis ended unasked (exit code %s); another one starts in %.1f s", private.exit_code, pause)
    await asyncio.sleep(pause)
    try:
        private.start_again()
    except StartError as error:
        log.error("%s", error)  # noqa: TRY400  the machine's fault, not ours
