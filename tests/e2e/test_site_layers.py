"""A hosted application on each kind of layer that its settings may name, beside a stock process, through reloads."""

import asyncio
import itertools
import json
from collections.abc import AsyncIterator, Callable, Iterator
from typing import Any

import pytest
from environments import AWX_24, NEWEST, find_python
from layer_forms import KEY_FILE
from redis_servers import HANG, RedisServer, group_on
from reloaded_site import Site
from sentinels import Watched
from site_browsers import browser, command, receive
from stock_producers import StockProcess
from websockets.asyncio.client import ClientConnection

KEYS = KEY_FILE.read_text().splitlines()
GROUPS = [group_on(host, name="room") for host in range(3)]
RELOADS = {"drain": (), "replay": ("--reload-consumers", "replay")}
SHORT = {
    ("encrypted", AWX_24, "replay"),
    ("encrypted_json", NEWEST, "drain"),
    ("several_hosts", AWX_24, "drain"),
    ("several_hosts", NEWEST, "replay"),
    ("sentinel", NEWEST, "replay"),
}
"""Each layer, and each way of reloading; all combinations have their turn with the long tests."""
pytestmark = pytest.mark.timeout(300)


@pytest.fixture
def servers() -> Iterator[list[Any]]:
    """What a test starts for its layer."""
    started: list[Any] = []
    yield started
    for one in started:
        one.close()


def one_host(servers: list[Any]) -> list[Any]:
    servers.append(RedisServer())
    return [servers[0].url]


def several_hosts(servers: list[Any]) -> list[Any]:
    servers.extend(RedisServer() for _ in range(3))
    return [server.url for server in servers]


def sentinel(servers: list[Any]) -> list[Any]:
    servers.append(Watched())
    return [servers[0].host]


LAYERS: dict[str, tuple[Callable[[list[Any]], list[Any]], dict[str, Any]]] = {
    "encrypted": (one_host, {"symmetric_encryption_keys": KEYS}),
    "encrypted_json": (one_host, {"symmetric_encryption_keys": KEYS, "serializer_format": "json"}),
    "several_hosts": (several_hosts, {}),
    "several_hosts_encrypted": (several_hosts, {"symmetric_encryption_keys": KEYS}),
    "sentinel": (sentinel, {}),
}


@pytest.fixture
async def configuration(layer: str, servers: list[Any]) -> dict[str, Any]:
    """As in CHANNEL_LAYERS."""
    begin, options = LAYERS[layer]
    hosts = await asyncio.to_thread(begin, servers)
    return {"hosts": hosts, "capacity": 10_000, **options}


@pytest.fixture
async def stock(configuration: dict[str, Any], packages: str) -> AsyncIterator[StockProcess]:
    """A stock process beside ours."""
    process = StockProcess(str(find_python(packages)), configuration)
    yield process
    await process.close_pools()


async def take(layer: StockProcess, channel: str) -> str:
    async with asyncio.timeout(HANG):
        return str((await layer.receive(channel))["text"])


def chat(text: str) -> dict[str, str]:
    return {"type": "chat.message", "text": text}


async def assert_both_ways(connection: ClientConnection, name: str, stock: StockProcess) -> None:
    """By groups of each host, and by channels."""
    theirs = await stock.new_channel()
    for group in GROUPS:
        await stock.group_add(group, theirs)
        for number in range(20):
            await stock.group_send(group, chat(f"{number} ä"))
        assert [await receive(connection) for _ in range(20)] == [f"chat {number} ä" for number in range(20)]
        assert [await take(stock, theirs) for _ in range(20)] == [f"{number} ä" for number in range(20)]
        await connection.send(f"send {group} мир")
        assert {await receive(connection) for _ in range(2)} == {"done send", "chat мир"}
        assert await take(stock, theirs) == "мир"
        await stock.group_discard(group, theirs)
    await stock.send(name, chat("for one"))
    assert await receive(connection) == "chat for one"
    await command(connection, f"tell {theirs} back")
    assert await take(stock, theirs) == "back"


async def ask_name(connection: ClientConnection) -> str:
    await connection.send("name")
    name = await receive(connection)
    assert await receive(connection) == "done name"
    return name


async def join_all(connection: ClientConnection) -> str:
    for group in GROUPS:
        await command(connection, f"join {group}")
    return await ask_name(connection)


COMBINATIONS = [
    pytest.param(layer, packages, how, marks=[pytest.mark.long] * ((layer, packages, how) not in SHORT))
    for layer, packages, how in itertools.product(LAYERS, (NEWEST, AWX_24), RELOADS)
    if packages == NEWEST or layer not in ("encrypted_json", "sentinel")
]
"""channels_redis 3 has no JSON, and its client library does not find a sentinel's master on today's Python."""


@pytest.mark.parametrize(("layer", "packages", "how"), COMBINATIONS)
async def test_consumer_and_stock_process_reach_each_other_before_and_after_a_reload(
    how: str,
    start_site: Callable[..., Site],
    configuration: dict[str, Any],
    stock: StockProcess,
    monkeypatch: pytest.MonkeyPatch,
    servers: list[Any],
) -> None:
    monkeypatch.setenv("EVENTS_SITE_LAYER", "core")
    monkeypatch.setenv("EVENTS_SITE_OPTIONS", json.dumps(configuration))
    site = await asyncio.to_thread(start_site, *RELOADS[how])
    async with browser(site.port) as early:
        await assert_both_ways(early, await join_all(early), stock)
        await command(early, f"join {GROUPS[1]}")  # what is replayed
        said = await site.must_reload()
        assert (", 1 sockets kept, 0 drained" if how == "replay" else ", 0 sockets kept, 1 drained") in said
        await stock.group_send(GROUPS[1], chat("after the reload"))
        assert await receive(early) == "chat after the reload"
        await assert_both_ways(early, await join_all(early), stock)
        for group in GROUPS:
            await command(early, f"leave {group}")
        async with browser(site.port) as late:
            await assert_both_ways(late, await join_all(late), stock)
        await site.until(lambda: site.server.ledger()["gaps"] == {})
    assert await asyncio.to_thread(site.server.stop) == 0
    assert "stays as it is" not in site.server.text()
    masters = [one.servers[one.first] if isinstance(one, Watched) else one for one in servers]
    assert [one.client().keys("awxfast*") + one.client().keys("asgi:group:*") for one in masters] == [[]] * len(masters)
