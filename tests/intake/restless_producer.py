"""A stock producer in a process of its own that sends the time, whatever becomes of it, until it is killed.

Arguments: an entry of `hosts` as JSON. Events go to the group `a`, one each 5 ms.
"""

import asyncio
import contextlib
import json
import sys
import time

from channels_redis.core import RedisChannelLayer

PACE = 0.005


async def send_for_ever(host: str) -> None:
    layer = RedisChannelLayer(hosts=[json.loads(host)], capacity=10_000)
    while True:
        with contextlib.suppress(Exception):  # it is between two masters
            await layer.group_send("a", {"type": "internal.message", "text": repr(time.monotonic())})
        await asyncio.sleep(PACE)


if __name__ == "__main__":
    asyncio.run(send_for_ever(sys.argv[1]))
