"""`awxfast.layer` where channels_redis 2 is installed: the bytes of its own layer, in its own lists."""

import subprocess
import time

import pytest
from environments import AWX_14, find_python
from redis_servers import RedisServer

SEND = """
import asyncio, sys
{imports}
async def send():
    layer = RedisChannelLayer(hosts=[sys.argv[1]], capacity=3)
    for number in range(5):
        await layer.group_send("jobs-1", {{"type": "internal.message", "text": str(number), "needs_relay": True}})
    await layer.close_pools()
asyncio.run(send())
"""
OURS = "from awxfast.layer import RedisChannelLayer"
STOCK = "from channels_redis.core import RedisChannelLayer"


def sent_by(server: RedisServer, imports: str) -> list[bytes]:
    with server.client() as client:
        client.flushall()
        client.zadd("asgi::group:jobs-1", {"specific.x!a": time.time(), "specific.x!b": time.time() + 1})
        words = [str(find_python(AWX_14)), "-c", SEND.format(imports=imports), server.url]
        done = subprocess.run(words, capture_output=True, text=True, timeout=100, check=False)
        assert done.returncode == 0, done.stderr
        assert 0 < client.ttl("asgi:specific.x!") <= 60
        entries: list[bytes] = client.lrange("asgi:specific.x!", 0, -1)
        return entries


@pytest.mark.timeout(200)
def test_layer_writes_what_channels_redis_2_writes(redis_server: RedisServer) -> None:
    assert sent_by(redis_server, OURS) == sent_by(redis_server, STOCK)
