"""Two nodes with a link, whose layers are those of channels_redis 2."""

import asyncio
import json
import time
from collections.abc import Callable, Iterator
from pathlib import Path

import msgpack
import pytest
from awxfast.producer.emit import Sender
from awxfast.wire.groups import BACKPLANE_GROUP
from awxfast_dialler import AwxfastDialler
from browsers import close_browsers, open_browser
from events import GROUPS, event_text
from node_server import SECRET
from redis_servers import RedisServer
from servers import AwxfastServer, wait_for

GROUP = GROUPS[0]
LISTS = ("--layer", "lists")
COUNT = 600


class Nodes:
    """Each has a Redis; the far one dials the other, which serves browsers."""

    def __init__(self, near: RedisServer, secret: Path, era: str) -> None:
        secret.write_text(SECRET)
        self.near, self.far = near, RedisServer()
        self.server = AwxfastServer(near.url, *LISTS, "--secret-file", str(secret))
        peers = [f"127.0.0.1:{self.server.port}"]
        self.dialler = AwxfastDialler(self.far.url, secret, era, peers, *LISTS, "--name", "far")
        self.dialler.start()
        wait_for(self.dialler.connected)

    def close(self) -> None:
        self.dialler.close()
        self.server.close()
        self.far.close()


@pytest.fixture
def dial(redis_server: RedisServer, tmp_path: Path) -> Iterator[Callable[[str], Nodes]]:
    made: list[Nodes] = []

    def begin(era: str) -> Nodes:
        made.append(Nodes(redis_server, tmp_path / "secret", era))
        return made[-1]

    yield begin
    for nodes in made:
        nodes.close()


def send(server: RedisServer, group: str, texts: list[str]) -> None:
    sender = Sender({"hosts": [server.url], "capacity": 10_000}, "lists")
    for text in texts:
        sender.send(group, {"type": "internal.message", "text": text, "needs_relay": True})
    sender.close()
    assert sender.full.dropped == 0


def join(server: RedisServer) -> None:
    """A process that is none of awxfast's."""
    with server.client() as client:
        client.zadd(f"asgi::group:{GROUP}", {"specific.stock!x": time.time()})


def read(server: RedisServer) -> list[str]:
    """What waits for it, the oldest first."""
    with server.client() as client:
        return [msgpack.unpackb(entry)["text"] for entry in reversed(client.lrange("asgi:specific.stock!", 0, -1))]


def is_heard(server: RedisServer, group: str) -> bool:
    with server.client() as client:
        return bool(client.exists(f"asgi::group:{group}"))


@pytest.mark.timeout(300)
async def test_events_of_the_dialling_node_reach_browsers_and_others_on_the_one_that_is_dialled(
    dial: Callable[[str], Nodes],
) -> None:
    nodes = await asyncio.to_thread(dial, "relay")
    browser = await open_browser(nodes.server.url, [GROUP])
    join(nodes.near)
    await asyncio.to_thread(wait_for, lambda: is_heard(nodes.far, GROUP))
    texts = [event_text(0, number, GROUP) for number in range(COUNT)]
    await asyncio.to_thread(send, nodes.far, GROUP, texts)
    await browser.until(lambda: browser.events >= COUNT)
    assert (browser.events, browser.out_of_order, browser.altered) == (COUNT, 0, 0)
    await asyncio.to_thread(wait_for, lambda: len(read(nodes.near)) >= COUNT)
    assert read(nodes.near) == texts
    await close_browsers([browser])


@pytest.mark.timeout(300)
async def test_events_of_the_dialled_node_are_written_for_those_of_the_dialling_one(
    dial: Callable[[str], Nodes],
) -> None:
    nodes = await asyncio.to_thread(dial, "broadcast")
    join(nodes.far)
    await asyncio.to_thread(wait_for, lambda: is_heard(nodes.near, BACKPLANE_GROUP))
    texts = [event_text(0, number, GROUP) for number in range(COUNT)]
    copies = [json.dumps({"group": GROUP, "message": text}) for text in texts]
    await asyncio.to_thread(send, nodes.near, BACKPLANE_GROUP, copies)
    await asyncio.to_thread(wait_for, lambda: len(read(nodes.far)) >= COUNT)
    assert read(nodes.far) == texts
