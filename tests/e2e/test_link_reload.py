"""A new process goes on with the links of other nodes: their ends are stock's own library, or bytes."""

import asyncio
import json
import re
from collections.abc import AsyncIterator, Callable
from pathlib import Path
from typing import Any

import aiohttp
import pytest
from browsers import Browser, close_browsers, open_browser
from channels_redis.core import RedisChannelLayer
from events import GROUPS, event_text
from node_server import SECRET, relayed, sign
from raw_browser import RawBrowser, frame
from redis_servers import RedisServer
from reloading import Faults
from servers import HANG, AwxfastServer, wait_for
from stock_layer import BACKPLANE, internal_message, new_layer

GROUP = GROUPS[0]
ERAS = ("broadcast", "relay")
StartNode = Callable[..., AwxfastServer]


@pytest.fixture
def start_node(start_relay: Callable[..., AwxfastServer], tmp_path: Path) -> StartNode:
    """Servers that other nodes may link to."""
    secret = tmp_path / "secret-of-nodes"
    secret.write_text(SECRET)
    return lambda *options: start_relay("--secret-file", str(secret), *options)


Link = aiohttp.ClientWebSocketResponse


class Links:
    """Those that stock's own library has dialled."""

    def __init__(self) -> None:
        self.session = aiohttp.ClientSession()
        self.links: list[Link] = []

    async def dial(self, node: AwxfastServer, era: str, **headers: str) -> Link:
        url = f"http://127.0.0.1:{node.port}/websocket/{era}/"
        self.links.append(await self.session.ws_connect(url, headers=headers or sign(), heartbeat=20))
        return self.links[-1]

    async def close(self) -> None:
        for link in self.links:
            await link.close()
        await self.session.close()


@pytest.fixture
async def links() -> AsyncIterator[Links]:
    dialled = Links()
    yield dialled
    await dialled.close()


@pytest.fixture
async def layer(redis_server: RedisServer) -> AsyncIterator[RedisChannelLayer]:
    layer = new_layer(redis_server.url)
    yield layer
    await layer.close_pools()


async def dial_raw(node: AwxfastServer, era: str, **options: Any) -> RawBrowser:
    lines = [f"{name}: {value}" for name, value in sign().items()]
    return await RawBrowser.open(("127.0.0.1", node.port), *lines, path=f"/websocket/{era}/", **options)


async def reload(node: AwxfastServer) -> None:
    done = await asyncio.to_thread(node.reload)
    assert done.returncode == 0, done.stderr + node.text()


def copy(number: int) -> str:
    """What the backplane carries of an event in the broadcast era."""
    return json.dumps({"group": GROUP, "message": event_text(0, number, GROUP)})


def event(number: int) -> str:
    """The same as a node of the relay era sends it."""
    return relayed(GROUP, event_text(0, number, GROUP))


async def wait_until_joined(node: AwxfastServer) -> None:
    """A link is in the backplane's group, so that it misses nothing from now on."""
    await asyncio.to_thread(wait_for, lambda: node.ledger()["groups"] >= 1)


async def wait_for_all(browser: Browser, count: int) -> None:
    await browser.until(lambda: browser.events >= count)
    assert (browser.events, browser.out_of_order, browser.altered) == (count, 0, 0)


def find_peer(node: AwxfastServer) -> dict[str, Any]:
    (peer,) = node.ledger()["peers"]
    return peer


def is_balanced(node: AwxfastServer) -> bool:
    return node.ledger()["balance"] == {"events": 0, "frames": 0}


class Burst:
    """Events on a link, many at once, until it is told to stop."""

    def __init__(self, link: Link) -> None:
        self.link, self.sent, self.stopping = link, 0, False
        self.task = asyncio.ensure_future(self.send())

    async def send(self) -> None:
        while not self.stopping:
            for _ in range(20):
                await self.link.send_str(event(self.sent))
                self.sent += 1
            await asyncio.sleep(0.1)

    async def stop(self) -> int:
        self.stopping = True
        await self.task
        return self.sent


class Reading:
    """All that comes on a link, read at once as stock's dialler does: else its library takes the peer for dead."""

    def __init__(self, link: Link) -> None:
        self.link, self.texts, self.came = link, [], asyncio.Event()
        self.task = asyncio.ensure_future(self.read())

    async def read(self) -> None:
        async for message in self.link:
            self.texts.append(message.data)
            self.came.set()

    async def wait_for(self, count: int) -> list[str]:
        """All of it, once that are so many."""
        async with asyncio.timeout(3 * HANG):
            while len(self.texts) < count:
                assert not self.task.done(), self.link.close_code
                self.came.clear()
                await asyncio.wait([self.task, asyncio.ensure_future(self.came.wait())], return_when="FIRST_COMPLETED")
        return self.texts


async def test_burst_of_a_peer_arrives_once_and_in_order(start_node: StartNode, links: Links) -> None:
    node = start_node()
    browser = await open_browser(node.url, [GROUP])
    link = await links.dial(node, "relay")
    burst = Burst(link)
    for _ in range(2):
        await reload(node)
    sent = await burst.stop()
    await wait_for_all(browser, sent)
    ledger = await asyncio.to_thread(node.ledger)
    assert ledger["events"] == {"in": sent, "routed": sent, "no_subscriber": 0, "rejected": {}}
    assert (ledger["balance"], ledger["gaps"]) == ({"events": 0, "frames": 0}, {})
    (peer,) = ledger["peers"]
    assert (peer["state"], peer["received"]) == ("connected", sent)
    assert not link.closed
    await close_browsers([browser])


async def test_frame_and_message_that_are_half_there_are_whole_after(start_node: StartNode) -> None:
    node = start_node()
    browser = await open_browser(node.url, [GROUP])
    link = await dial_raw(node, "relay")
    whole, text = frame(event(0)), event(1)
    pieces = [whole[:3], whole[3:], frame(text[:40], final=False), frame(text[40:], opcode=0)[:9]]
    for piece in pieces:
        link.send(piece)
        await link.writer.drain()
        await reload(node)
    link.send(frame(text[40:], opcode=0)[9:])
    await wait_for_all(browser, 2)
    link.reset()
    await close_browsers([browser])


async def test_stock_peer_is_told_of_each_change_once(start_node: StartNode, links: Links) -> None:
    node = start_node()
    first = await open_browser(node.url, [GROUPS[0]])
    link = await links.dial(node, "relay")
    assert (await link.receive_json())["groups"] == [GROUPS[0]]
    await reload(node)
    second = await open_browser(node.url, [GROUPS[1]])
    heard = await link.receive_json()
    assert (heard["type"], heard["groups"]) == ("consumer.subscribe", [GROUPS[1]])
    await reload(node)
    await close_browsers([second])
    heard = await link.receive_json()
    assert (heard["type"], heard["groups"]) == ("consumer.unsubscribe", [GROUPS[1]])
    await link.ping()
    await close_browsers([first])
    heard = await link.receive_json()
    assert (heard["type"], heard["groups"]) == ("consumer.unsubscribe", [GROUPS[0]])


async def test_copies_of_events_come_once_and_in_order_on_every_link(
    start_node: StartNode, links: Links, layer: RedisChannelLayer
) -> None:
    node = start_node()
    all_links = [await links.dial(node, era) for era in (*ERAS, *ERAS)]
    for link in (all_links[1], all_links[3]):
        assert (await link.receive_json())["type"] == "consumer.subscribe"
    readings = [Reading(link) for link in all_links]
    await wait_until_joined(node)

    async def send(until: asyncio.Event) -> int:
        number = -1
        while not until.is_set():
            number += 1
            await layer.group_send(BACKPLANE, internal_message(copy(number)))
            await asyncio.sleep(0.01)
        return number

    done = asyncio.Event()
    sending = asyncio.ensure_future(send(done))
    for _ in range(2):
        await reload(node)
    done.set()
    last = await sending
    for reading in readings:
        assert await reading.wait_for(last + 1) == [copy(number) for number in range(last + 1)]
    await asyncio.to_thread(wait_for, lambda: node.ledger()["frames"]["pending"] == 0)
    assert is_balanced(node)
    assert find_peer(node)["sent"] == 4 * (last + 1) + 2


async def test_peer_that_reads_nothing_has_all_of_it_later(
    start_node: StartNode, links: Links, layer: RedisChannelLayer
) -> None:
    node = start_node("--send-buffer", "16384", "--ping-interval", "3600")
    slow = await dial_raw(node, "broadcast", receive_buffer=4096)
    slow.writer.transport.pause_reading()  # type: ignore[attr-defined]
    other = Reading(await links.dial(node, "broadcast"))
    await wait_until_joined(node)
    for number in range(600):
        await layer.group_send(BACKPLANE, internal_message(copy(number)))
    assert await other.wait_for(600) == [copy(number) for number in range(600)]
    for number in range(600, 602):
        assert find_peer(node)["queued"] > 300
        await reload(node)
        assert is_balanced(node)
        await layer.group_send(BACKPLANE, internal_message(copy(number)))
        assert (await other.wait_for(number + 1))[number:] == [copy(number)]
    slow.writer.transport.resume_reading()  # type: ignore[attr-defined]
    assert [await slow.read_text() for _ in range(602)] == [copy(number) for number in range(602)]
    await asyncio.to_thread(wait_for, lambda: find_peer(node)["queued"] == 0)
    peer = find_peer(node)
    assert (peer["sent"], sum(peer["lost"].values())) == (2 * 602, 0)
    slow.reset()


async def test_peers_that_close_and_reset_in_the_very_middle_are_gone_after(
    start_node: StartNode, links: Links, layer: RedisChannelLayer
) -> None:
    node = start_node()
    stays = await links.dial(node, "broadcast")
    reading = Reading(stays)
    await wait_until_joined(node)
    number = 0
    for _ in range(2):
        leaving = [await dial_raw(node, era) for era in ERAS * 15]
        reloading = asyncio.ensure_future(reload(node))
        while leaving and not reloading.done():
            link = leaving.pop()
            await layer.group_send(BACKPLANE, internal_message(copy(number)))
            number += 1
            if len(leaving) % 3:
                link.reset()
            else:
                link.send(frame(b"\x03\xe8", opcode=8))
                await link.close()
            await asyncio.sleep(0.05)
        await reloading
        for link in leaving:
            link.reset()
    await asyncio.to_thread(wait_for, lambda: find_peer(node)["links"] == 1)
    await layer.group_send(BACKPLANE, internal_message(copy(number)))
    assert await reading.wait_for(number + 1) == [copy(one) for one in range(number + 1)]
    ledger = await asyncio.to_thread(node.ledger)
    assert (ledger["balance"], ledger["clients"]) == ({"events": 0, "frames": 0}, 0)
    await stays.close()
    await reading.task
    await asyncio.to_thread(wait_for, lambda: node.ledger()["groups"] == 0)


KILL_AT_THE_FIRST_CLIENT = """
import awxfast.app.handover as h
receive, seen = h.receive_message, []
def die(sock):
    if seen: os.kill(os.getpid(), 9)
    seen.append(1)
    return receive(sock)
h.receive_message = die
"""
KILL_WITH_ALL_OF_IT = (
    "import awxfast.app.native_relay as r\nr.NativeRelay.accept = lambda self, all: os.kill(os.getpid(), 9)"
)


@pytest.mark.parametrize(
    "fault",
    [
        pytest.param(KILL_AT_THE_FIRST_CLIENT, id="half-way", marks=pytest.mark.long),
        pytest.param(KILL_WITH_ALL_OF_IT, id="with all of it"),
    ],
)
async def test_old_process_goes_on_with_its_links_where_the_new_one_is_killed(
    start_node: StartNode,
    links: Links,
    layer: RedisChannelLayer,
    faults: Faults,
    fault: str,
) -> None:
    node = start_node()
    browser = await open_browser(node.url, [GROUP])
    link = await links.dial(node, "relay")
    assert (await link.receive_json())["groups"] == [GROUP]
    child = node.child_pid()
    burst = Burst(link)
    faults.set(fault)
    failed = await asyncio.to_thread(node.reload)
    assert (failed.returncode, "the old process goes on" in failed.stderr) == (1, True)
    assert node.child_pid() == child
    await layer.group_send(BACKPLANE, internal_message("to the link"))
    assert await link.receive_str() == "to the link"
    faults.clear()
    await reload(node)
    await wait_for_all(browser, await burst.stop())
    await layer.group_send(BACKPLANE, internal_message("after"))
    assert await link.receive_str() == "after"
    assert is_balanced(node)
    await close_browsers([browser])


async def test_header_that_was_used_before_is_a_repeat_after(start_node: StartNode, links: Links) -> None:
    node = start_node()
    header = sign()
    await links.dial(node, "relay", **header)
    await reload(node)
    await links.dial(node, "relay", **header)
    assert re.search(r"^awxfast_handshakes_total\{[^}]*node_repeated[^}]*\} 1\.0$", node.ask("/metrics"), re.MULTILINE)


async def test_events_for_others_that_wait_for_redis_are_written_by_the_new_process(
    start_node: StartNode, links: Links, layer: RedisChannelLayer
) -> None:
    """A stock consumer on the same Redis, which the link's events reach through it."""
    node = start_node()
    channel = await layer.new_channel()
    await layer.group_add(GROUP, channel)
    link = await links.dial(node, "relay")
    received: asyncio.Queue[str] = asyncio.Queue()

    async def receive() -> None:
        while True:
            received.put_nowait((await layer.receive(channel))["text"])

    burst = Burst(link)
    receiving = asyncio.ensure_future(receive())
    for _ in range(2):
        await reload(node)
    sent = await burst.stop()
    async with asyncio.timeout(3 * HANG):
        texts = [await received.get() for _ in range(sent)]
    receiving.cancel()
    assert texts == [event_text(0, number, GROUP) for number in range(sent)]
    events = (await asyncio.to_thread(node.ledger))["events"]
    assert (events["in"], events["routed"]) == (sent, sent)
