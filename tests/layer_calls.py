"""A layer of channels_redis in a process of its own: reads calls from stdin, one a line in JSON, writes what they give.

Runs in whichever Python has the version that is asked for: nothing here needs the tests' packages.
"""

import asyncio
import json
import sys
from typing import Any

from channels_redis.core import RedisChannelLayer


async def serve(configuration: dict[str, Any]) -> None:
    layer = RedisChannelLayer(**configuration)
    while line := await asyncio.to_thread(sys.stdin.readline):
        name, *arguments = json.loads(line)
        print(json.dumps(await getattr(layer, name)(*arguments)), flush=True)


if __name__ == "__main__":
    asyncio.run(serve(json.loads(sys.argv[1])))
