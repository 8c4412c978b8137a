"""An unmodified producer in a process of its own: sends one event to each group that it reads from its input.

Usage: stock_producer.py REDIS_URL
"""

import asyncio
import sys

from channels_redis.core import RedisChannelLayer


async def produce(url: str) -> None:
    layer = RedisChannelLayer(hosts=[url], capacity=10_000)
    await layer.group_send("warm-up", {"type": "internal.message", "text": ""})
    print("ready", flush=True)
    while group := (await asyncio.to_thread(sys.stdin.readline)).strip():
        await layer.group_send(group, {"type": "internal.message", "text": group})
    await layer.close_pools()


if __name__ == "__main__":
    asyncio.run(produce(sys.argv[1]))
