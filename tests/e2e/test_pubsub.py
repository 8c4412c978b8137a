"""A pub/sub layer, which stores nothing: what its connection to Redis goes through, and two nodes with a link."""

import asyncio
import os
import signal
from collections.abc import AsyncIterator, Callable, Iterator
from pathlib import Path
from types import SimpleNamespace

import pytest
from awxfast_dialler import AwxfastDialler
from browsers import Browser, close_browsers, open_browser
from certificates import SelfSigned
from channels_redis.pubsub import RedisPubSubChannelLayer
from events import GROUPS, event_text
from node_server import SECRET
from redis_servers import RedisServer, free_port, group_published_on
from servers import HANG, AwxfastServer, wait_for

GROUP = GROUPS[0]
PUBSUB = ("--layer", "pubsub")
SPREAD = [group_published_on(host) for host in range(3)]
"""Groups on three Redis."""


@pytest.fixture
def start(redis_server: RedisServer) -> Iterator[Callable[..., AwxfastServer]]:
    """Starts relays on the test's Redis, or another."""
    started: list[AwxfastServer] = []

    def begin(*options: str, server: RedisServer = redis_server) -> AwxfastServer:
        started.append(AwxfastServer(server.url, *PUBSUB, *options))
        return started[-1]

    yield begin
    for one in started:
        one.close()


@pytest.fixture
async def send(redis_server: RedisServer) -> AsyncIterator[Callable[..., object]]:
    """Sends events as stock does: `send(first, count)`, to the test's Redis or another's layer."""
    layers: dict[str, RedisPubSubChannelLayer] = {}

    async def run(first: int, count: int, server: RedisServer = redis_server) -> None:
        layer = layers.setdefault(server.url, RedisPubSubChannelLayer(hosts=[server.url]))
        for number in range(first, first + count):
            text = event_text(0, number, GROUP)
            await layer.group_send(GROUP, {"type": "internal.message", "text": text, "needs_relay": True})

    yield run
    for layer in layers.values():
        await layer.flush()


def subscribed(server: RedisServer) -> list[bytes]:
    with server.client() as client:
        return sorted(client.pubsub_channels())


def cut(server: RedisServer) -> None:
    with server.client() as client:
        client.execute_command("CLIENT", "KILL", "TYPE", "pubsub")


def assert_untouched(browsers: list[Browser]) -> None:
    assert all((one.closed, one.out_of_order, one.altered) == (None, 0, 0) for one in browsers)


async def test_cuts_are_counted_as_gaps_of_every_group_and_cost_no_browser_its_socket(
    redis_server: RedisServer, start: Callable[..., AwxfastServer], send: Callable[..., object]
) -> None:
    relay = start()
    browsers = [await open_browser(relay.url, GROUPS) for _ in range(2)]
    for round_ in range(5):
        cut(redis_server)
        await send(round_ * 300, 300)
        wait_for(lambda round_=round_: relay.ledger()["gaps"].get("unsubscribed", {}).get("times") == 3 * (round_ + 1))
    await send(1500, 1)
    for browser in browsers:
        await browser.until(lambda browser=browser: browser.last_number == 1500)
    assert_untouched(browsers)
    ledger = relay.ledger()
    assert ledger["balance"] == {"events": 0, "frames": 0}
    assert ledger["events"]["in"] == ledger["events"]["routed"] == browsers[0].events
    assert 1501 - browsers[0].events <= ledger["gaps"]["unsubscribed"]["at_most"]
    assert relay.metric("awxfast_registrations_repaired_total") == 15
    assert "groups were not subscribed to" in relay.text()
    await close_browsers(browsers)


async def test_reader_that_redis_cuts_off_for_being_slow_is_told_in_the_ledger(
    redis_server: RedisServer, start: Callable[..., AwxfastServer], send: Callable[..., object]
) -> None:
    with redis_server.client() as client:
        client.config_set("client-output-buffer-limit", "pubsub 200kb 200kb 1")
    relay = start()
    browser = await open_browser(relay.url, [GROUP])
    child = relay.child_pid()
    os.kill(child, signal.SIGSTOP)
    await send(0, 1000)
    wait_for(lambda: not subscribed(redis_server))
    os.kill(child, signal.SIGCONT)
    gap = wait_for(lambda: relay.ledger()["gaps"].get("unsubscribed"))
    await send(1000, 1)
    await browser.until(lambda: browser.last_number == 1000)
    assert_untouched([browser])
    assert 0 < 1001 - browser.events <= gap["at_most"]
    await close_browsers([browser])


async def test_browser_that_reads_slowly_costs_others_nothing(
    start: Callable[..., AwxfastServer], send: Callable[..., object]
) -> None:
    relay = start("--queue-frames", "500")
    browsers = [await open_browser(relay.url, [GROUP]) for _ in range(3)]
    slow = browsers[0]
    slow.transport.underlying_transport.pause_reading()
    await send(0, 3000)
    for browser in browsers[1:]:
        await browser.until(lambda browser=browser: browser.last_number == 2999)
        assert browser.events == 3000
    slow.transport.underlying_transport.resume_reading()
    await slow.until(lambda: slow.last_number == 2999)
    assert_untouched(browsers)
    ledger = relay.ledger()
    assert ledger["gaps"] == {}
    assert ledger["frames"]["shed"] == {"queue_frames": 3000 - slow.events}
    await close_browsers(browsers)


async def test_nothing_stays_of_a_relay_however_it_ends(
    redis_server: RedisServer, start: Callable[..., AwxfastServer]
) -> None:
    for end in (AwxfastServer.stop, AwxfastServer.kill):
        relay = start()
        browser = await open_browser(relay.url, GROUPS)
        assert {f"asgi__group__{group}".encode() for group in GROUPS} < {*subscribed(redis_server)}
        end(relay)
        wait_for(lambda: not subscribed(redis_server))
        await browser.gone.wait()
    with redis_server.client() as client:
        assert client.keys("*") == []


@pytest.fixture
def spread(three_redis: list[RedisServer], start: Callable[..., AwxfastServer]) -> AwxfastServer:
    """A relay whose layer has three Redis."""
    more = [word for server in three_redis[1:] for word in ("--redis", server.url)]
    return start(*more, server=three_redis[0])


async def send_to_all(servers: list[RedisServer], first: int, count: int) -> None:
    """Sends events to a group on each of a stock layer's Redis."""
    layer = RedisPubSubChannelLayer(hosts=[server.url for server in servers])
    for number in range(first, first + count):
        for group in SPREAD:
            text = event_text(0, number, group)
            await layer.group_send(group, {"type": "internal.message", "text": text, "needs_relay": True})
    await layer.flush()


async def test_layer_with_three_redis_reaches_browsers_and_one_away_costs_its_own_groups_alone(
    three_redis: list[RedisServer], spread: AwxfastServer
) -> None:
    browsers = [await open_browser(spread.url, [group]) for group in SPREAD]
    await send_to_all(three_redis, 0, 300)
    for browser in browsers:
        await browser.until(lambda browser=browser: browser.events == 300)
    three_redis[1].kill()
    wait_for(lambda: "is away" in spread.text())
    three_redis[1].start()
    wait_for(lambda: subscribed(three_redis[1]))
    await send_to_all(three_redis, 300, 300)
    for browser in browsers:
        await browser.until(lambda browser=browser: browser.events == 600)
    assert_untouched(browsers)
    assert spread.ledger()["gaps"]["unsubscribed"]["times"] == 1
    await close_browsers(browsers)


async def test_relay_with_three_redis_is_reloaded_without_loss(
    three_redis: list[RedisServer], spread: AwxfastServer
) -> None:
    browsers = [await open_browser(spread.url, [group]) for group in SPREAD]
    sending = asyncio.ensure_future(send_to_all(three_redis, 0, 500))
    done = await asyncio.to_thread(spread.reload)
    assert done.returncode == 0, done.stderr + spread.text()
    await sending
    for browser in browsers:
        await browser.until(lambda browser=browser: browser.last_number == 499)
        assert browser.events == 500
    assert_untouched(browsers)
    assert spread.ledger()["gaps"] == {}
    await close_browsers(browsers)


async def test_reload_over_tls_counts_what_was_lost_and_costs_no_browser_its_socket(
    redis_server: RedisServer, start: Callable[..., AwxfastServer], send: Callable[..., object], tmp_path: Path
) -> None:
    """The connection can't be handed on: the new process subscribes anew."""
    signed, port = SelfSigned(tmp_path), free_port()
    certificate, key = signed.files
    tls = {"tls-cert-file": certificate, "tls-key-file": key, "tls-ca-cert-file": certificate}
    with redis_server.client() as client:
        client.config_set(*[word for item in tls.items() for word in item], "tls-auth-clients", "no", "tls-port", port)
    relay = start(server=SimpleNamespace(url=f"rediss://localhost:{port}?ssl_ca_certs={certificate}"))
    browsers = [await open_browser(relay.url, [GROUP]) for _ in range(2)]
    for round_ in range(2):
        sending = asyncio.ensure_future(send(round_ * 1000, 999))
        done = await asyncio.to_thread(relay.reload)
        assert done.returncode == 0, done.stderr + relay.text()
        await sending
        wait_for(lambda round_=round_: relay.ledger()["gaps"].get("unsubscribed", {}).get("times") == round_ + 1)
        await send(round_ * 1000 + 999, 1)
        for browser in browsers:
            await browser.until(lambda browser=browser, last=round_ * 1000 + 999: browser.last_number == last)
    assert_untouched(browsers)
    assert 2000 - browsers[0].events <= relay.ledger()["gaps"]["unsubscribed"]["at_most"]
    await close_browsers(browsers)


class Nodes:
    """Two nodes with a Redis each; the second one dials the first."""

    def __init__(self, start: Callable[..., AwxfastServer], folder: Path) -> None:
        secret = folder / "secret"
        secret.write_text(SECRET)
        self.far = RedisServer()
        self.server = start("--secret-file", str(secret))
        peers = [f"127.0.0.1:{self.server.port}"]
        self.dialler = AwxfastDialler(self.far.url, secret, "relay", peers, *PUBSUB, "--name", "far")
        self.dialler.start()

    def close(self) -> None:
        self.dialler.close()
        self.far.close()


@pytest.fixture
def nodes(start: Callable[..., AwxfastServer], tmp_path: Path) -> Iterator[Nodes]:
    made = Nodes(start, tmp_path)
    yield made
    made.close()


async def test_events_cross_a_link_once_and_reach_stock_processes_there(
    nodes: Nodes, redis_server: RedisServer, send: Callable[..., object]
) -> None:
    stock = RedisPubSubChannelLayer(hosts=[redis_server.url])
    channel = await stock.new_channel()
    await stock.group_add(GROUP, channel)
    browser = await open_browser(nodes.server.url, [GROUP])
    wait_for(lambda: f"asgi__group__{GROUP}".encode() in subscribed(nodes.far))
    await send(0, 50, server=nodes.far)
    await browser.until(lambda: browser.last_number == 49)
    async with asyncio.timeout(HANG):
        texts = [(await stock.receive(channel))["text"] for _ in range(50)]
    assert texts == [event_text(0, number, GROUP) for number in range(50)]
    assert browser.events == 50
    await send(50, 1)
    await browser.until(lambda: browser.last_number == 50)
    assert browser.events == 51
    assert_untouched([browser])
    ledger = nodes.server.ledger()
    assert ledger["events"] == {"in": 51, "routed": 51, "no_subscriber": 0, "rejected": {}}
    await close_browsers([browser])
    wait_for(lambda: f"asgi__group__{GROUP}".encode() not in subscribed(nodes.far))
    await stock.flush()


async def test_dialler_is_reloaded_without_loss(nodes: Nodes, send: Callable[..., object]) -> None:
    browser = await open_browser(nodes.server.url, [GROUP])
    wait_for(lambda: f"asgi__group__{GROUP}".encode() in subscribed(nodes.far))
    sending = asyncio.ensure_future(send(0, 1500, server=nodes.far))
    done = await asyncio.to_thread(nodes.dialler.reload)
    assert done.returncode == 0, done.stderr + nodes.dialler.text()
    await sending
    await browser.until(lambda: browser.last_number == 1499)
    assert browser.events == 1500
    assert_untouched([browser])
    await close_browsers([browser])


async def test_dialler_of_a_layer_with_three_redis_brings_events_and_is_reloaded_without_loss(
    three_redis: list[RedisServer], start: Callable[..., AwxfastServer], tmp_path: Path
) -> None:
    secret = tmp_path / "secret"
    secret.write_text(SECRET)
    server = start("--secret-file", str(secret))
    more = [word for one in three_redis[1:] for word in ("--redis", one.url)]
    peers = [f"127.0.0.1:{server.port}"]
    dialler = AwxfastDialler(three_redis[0].url, secret, "relay", peers, *PUBSUB, *more, "--name", "far")
    try:
        dialler.start()
        browsers = [await open_browser(server.url, [group]) for group in SPREAD]
        for redis, group in zip(three_redis, SPREAD, strict=True):
            wait_for(lambda redis=redis, group=group: f"asgi__group__{group}".encode() in subscribed(redis))
        sending = asyncio.ensure_future(send_to_all(three_redis, 0, 300))
        done = await asyncio.to_thread(dialler.reload)
        assert done.returncode == 0, done.stderr + dialler.text()
        await sending
        for browser in browsers:
            await browser.until(lambda browser=browser: browser.last_number == 299)
            assert browser.events == 300
        assert_untouched(browsers)
        await close_browsers(browsers)
    finally:
        dialler.close()
