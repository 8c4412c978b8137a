"""Waits for something with a time limit, to be stopped and continued by a test meanwhile.

Usage: paused_program.py (redis URL | head | limit); the last two wait for a byte of stdin.
Says `ready`, then how it ended.
"""

import asyncio
import sys

import uvloop

LIMIT = 0.2
"""Seconds; the test stops it for longer."""


async def wait_for_redis(url: str) -> str:
    from awxfast.redis import connection as redis_module
    from awxfast.redis.address import RedisAddress
    from awxfast.redis.login import open_connection

    redis_module._WATCH_INTERVAL = 0.05
    connection = await open_connection(RedisAddress.parse(url), patience=LIMIT)
    pop = connection.command("BZPOPMIN", "queue", 0)
    await asyncio.sleep(0.01)
    print("ready", flush=True)
    return repr(await pop)


async def wait_for_head() -> str:
    from awxfast.http.timeouts import Timeouts

    class Reader:
        ended: asyncio.Future[str] = asyncio.get_running_loop().create_future()

        def end_late_head(self) -> None:
            self.ended.set_result("late")

        def read(self) -> None:
            asyncio.get_running_loop().remove_reader(0)
            heads.stop(self)
            self.ended.set_result("in time")

    heads, reader = Timeouts(LIMIT, Reader.end_late_head), Reader()
    asyncio.get_running_loop().add_reader(0, reader.read)
    heads.start(reader)
    print("ready", flush=True)
    return await reader.ended


async def wait_within_limit() -> str:
    from awxfast.late_timeouts import answered_within

    arrived = asyncio.Event()
    asyncio.get_running_loop().add_reader(0, arrived.set)
    async with answered_within(LIMIT):
        print("ready", flush=True)
        await arrived.wait()
        asyncio.get_running_loop().remove_reader(0)
    return "in time"


CASES = {"redis": wait_for_redis, "head": wait_for_head, "limit": wait_within_limit}

if __name__ == "__main__":
    print(uvloop.run(CASES[sys.argv[1]](*sys.argv[2:])))  # type: ignore[operator]
