"""The private Redis that ends unasked: another one takes its place, on the same socket and empty."""

import asyncio
import logging
import time

from awxfast.errors import StartError
from awxfast.pauses import Pauses
from awxfast.redis.private import PrivateRedis

log = logging.getLogger(__name__)

LOOK_SECONDS = 0.25
FIRST_PAUSE = 0.1
LONGEST_PAUSE = 5.0
HEALTHY_AFTER = 10.0
"""One that lived so many seconds is no part of a series of failures."""


async def keep_running(private: PrivateRedis) -> None:
    """Looks after it until it is cancelled. The serving process finds the new one by itself and counts the gap."""
    pauses = Pauses(FIRST_PAUSE, LONGEST_PAUSE)
    began = time.monotonic()
    while True:
        await asyncio.sleep(LOOK_SECONDS)
        if private.exit_code is not None:
            if time.monotonic() - began > HEALTHY_AFTER:
                pauses.begin_again()
            await start_another(private, pauses.take())
            began = time.monotonic()


async def start_another(private: PrivateRedis, pause: float) -> None:
    """Waits for `pause` seconds, then tries it once."""
    log.error("The private Redis ended unasked (exit code %s); another one starts in %.1f s", private.exit_code, pause)
    await asyncio.sleep(pause)
    try:
        private.start_again()
    except StartError as error:
        log.error("%s", error)  # noqa: TRY400  the machine's fault, not ours
