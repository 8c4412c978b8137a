"""A process for tests to kill: registers in the groups that it is given, says so, and lives until its input ends.

Usage: lonely_process.py REDIS_URL PREFIX GROUP...
"""

import asyncio
import sys
from collections.abc import Sequence
from typing import Any

import uvloop
from awxfast.intake.intake import Intake
from awxfast.redis.address import RedisAddress
from awxfast.settings import Settings


class NoFanout:
    """Takes events and forgets them."""

    def publish_batch(self, entries: Sequence[Any]) -> None: ...
    def wait_time(self) -> float:
        return 0.0

    def count_gap(self, reason: str, at_most: int) -> None: ...
    def add_channel(self, local: str, group: str) -> None: ...
    def remove_channel(self, local: str) -> None: ...


async def live(url: str, prefix: str, groups: Sequence[str]) -> None:
    intake = Intake(Settings(prefix=prefix), RedisAddress.parse(url), NoFanout())
    await intake.start()
    await intake.hold(groups)
    print(intake.names.token, flush=True)
    await asyncio.get_running_loop().run_in_executor(None, sys.stdin.read)


if __name__ == "__main__":
    uvloop.run(live(sys.argv[1], sys.argv[2], sys.argv[3:]))
