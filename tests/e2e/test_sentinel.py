"""The program on a master that Sentinel names, and that dies: browsers stay, and get the new master's events."""

import json
import subprocess
import sys

import pytest
from browsers import close_browsers, open_browser
from sentinels import Watched
from servers import AwxfastServer, wait_for

pytestmark = pytest.mark.timeout(300)

SEND = """
import asyncio, json, sys
from channels_redis.core import RedisChannelLayer
async def send(host, text):
    layer = RedisChannelLayer(hosts=[json.loads(host)], capacity=10_000)
    await layer.group_send("job_events-1", {"type": "internal.message", "text": text})
    await layer.close_pools()
asyncio.run(send(*sys.argv[1:]))
"""


def send(watched: Watched, text: str) -> None:
    subprocess.run([sys.executable, "-c", SEND, json.dumps(watched.host), text], check=True)


async def test_browsers_stay_when_the_master_dies_and_have_the_next_ones_events(
    watched: Watched,
) -> None:
    relay = AwxfastServer(watched.url)
    try:
        browser = await open_browser(relay.url, ["job_events-1"])
        send(watched, '{"of": "the first"}')
        await browser.until(lambda: browser.replies[-1] == {"of": "the first"})
        watched.servers[watched.first].kill()
        watched.wait_for_new_master()
        wait_for(lambda: relay.text().count(" is back after ") == 1)
        send(watched, '{"of": "the second"}')
        await browser.until(lambda: browser.replies[-1] == {"of": "the second"})
        assert relay.ledger()["gaps"]["pop_broken"]["times"] >= 1
        assert not browser.gone.is_set()
        await close_browsers([browser])
        assert relay.stop() == 0
        with watched.servers[watched.second].client() as client:
            assert client.keys("*") == []
    finally:
        relay.close()
