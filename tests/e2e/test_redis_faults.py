"""Redis wiped, emptied, killed: browsers stay, are told nothing, and get events again; what is lost is in the books."""

import asyncio
import time
from collections.abc import Callable

import pytest
from browsers import Browser, close_browsers, open_browser
from events import GROUPS
from layer_forms import chosen_form
from producers import Producer
from redis_cuts import cut_pop
from redis_servers import RedisServer
from servers import AwxfastServer, wait_for
from stored_layers import of_stored_layers

GROUP = "job_events-1"


class Probe:
    """Sends one event at a time from outside until one arrives everywhere."""

    def __init__(self, new_producer: Callable[..., Producer]) -> None:
        self.producer, self.number = new_producer(7, 0, "--on-demand"), 0

    async def until_one_arrives(self, browsers: list[Browser]) -> None:
        """Prints how long it took (`pytest -rP` shows it), and judges nothing by it."""
        begin = time.monotonic()
        async with asyncio.timeout(30):
            while not all(browser.last_number == self.number for browser in browsers):
                self.number += 1
                self.producer.send(GROUP, self.number)
                await asyncio.sleep(0.05)
        print(f"events again after {time.monotonic() - begin:.2f} s")


def assert_all_open(browsers: list[Browser]) -> None:
    assert all(browser.closed is None and not browser.gone.is_set() for browser in browsers)


def names_in(redis_server: RedisServer) -> set[bytes]:
    """Everything that is in Redis but the sentinel's random name."""
    with redis_server.client() as client:
        return set(client.keys("*"))


@pytest.mark.usefixtures("one_redis")
@of_stored_layers
async def test_wiped_registrations_are_repaired_and_counted(
    redis_server: RedisServer, relay: AwxfastServer, new_producer: Callable[..., Producer]
) -> None:
    """Another AWX process deletes every `asgi:*` key: no socket closes, the log tells it (django/channels#312)."""
    browsers = [await open_browser(relay.url, [GROUP]) for _ in range(3)]
    before = relay.metric("awxfast_registrations_repaired_total")
    with redis_server.client() as client:
        client.delete(*client.keys("asgi:*"))
    await Probe(new_producer).until_one_arrives(browsers)
    assert_all_open(browsers)
    assert relay.metric("awxfast_registrations_repaired_total") > before
    assert relay.ledger()["gaps"]["wiped"]["times"] >= 1
    assert "vanished from Redis" in relay.text()
    await close_browsers(browsers)


async def test_flushall_costs_no_browser_its_socket(
    redis_server: RedisServer, relay: AwxfastServer, new_producer: Callable[..., Producer]
) -> None:
    browsers = [await open_browser(relay.url, [GROUP]) for _ in range(3)]
    with redis_server.client() as client:
        client.flushall()
    await Probe(new_producer).until_one_arrives(browsers)
    assert_all_open(browsers)
    await close_browsers(browsers)


@pytest.mark.usefixtures("one_redis")
async def test_killed_redis_that_comes_back_serves_the_same_sockets(
    redis_server: RedisServer, relay: AwxfastServer, new_producer: Callable[..., Producer]
) -> None:
    browsers = [await open_browser(relay.url, [GROUP]) for _ in range(3)]
    redis_server.kill()
    wait_for(lambda: relay.metric("awxfast_redis_up") == 0)
    waiting = asyncio.create_task(browsers[0].subscribe([GROUP, "job_events-2"]))
    await asyncio.sleep(0.5)
    assert not waiting.done(), "the reply waits for Redis"
    redis_server.start()
    reply = await waiting
    assert reply["groups_joined"] == ["job_events-2"]
    await Probe(new_producer).until_one_arrives(browsers)
    assert_all_open(browsers)
    assert relay.metric("awxfast_redis_up") == 1
    assert relay.ledger()["balance"] == {"events": 0, "frames": 0}
    await close_browsers(browsers)


@pytest.mark.timeout(180)
@pytest.mark.long
@of_stored_layers
@pytest.mark.usefixtures("one_redis")
async def test_subscription_while_redis_is_read_only_gets_its_error_within_ten_seconds(
    redis_server: RedisServer, relay: AwxfastServer
) -> None:
    """The connection is made anew every two seconds at most, since the master may be elsewhere now."""
    browser = await open_browser(relay.url, [GROUP])
    with redis_server.client() as client:
        client.replicaof("127.0.0.1", 1)
        wait_for(lambda: relay.metric("awxfast_redis_up") == 0)
        await asyncio.sleep(4)  # the pauses between the tries are as long as they get
        for number in range(3):
            begin = time.monotonic()
            reply = await browser.subscribe([GROUP, f"job_events-{number + 2}"])
            print(f"refused after {time.monotonic() - begin:.2f} s")
            assert reply == {"error": "the subscription failed: Redis refused it; nothing has changed"}
        client.replicaof("no", "one")
    wait_for(lambda: relay.metric("awxfast_redis_up") == 1)
    await browser.subscribe([GROUP, "job_events-2"])
    await close_browsers([browser])


@of_stored_layers
async def test_cut_connections_cost_at_most_a_pop_each_and_are_counted_as_gaps(
    redis_server: RedisServer, relay: AwxfastServer, new_producer: Callable[..., Producer]
) -> None:
    """django/channels_redis#256, scaled: ten cuts while two producers send as fast as they can."""
    browsers = [await open_browser(relay.url, GROUPS) for _ in range(2)]
    producers = [new_producer(producer, 2000) for producer in range(2)]
    for producer in producers:
        producer.start()
    cuts = 0
    while cuts < 10:
        with redis_server.client() as client:
            cuts += cut_pop(client)
        await asyncio.sleep(0.15)
    for producer in producers:
        await asyncio.to_thread(producer.wait)
    taken = wait_for(lambda: relay.metric("awxfast_intake_depth") == 0 and relay.ledger()["events"]["in"])
    for browser in browsers:
        await browser.until(lambda browser=browser: browser.events == relay.ledger()["events"]["routed"])

    assert_all_open(browsers)
    ledger = relay.ledger()
    assert ledger["events"]["in"] == ledger["events"]["routed"]
    assert ledger["balance"] == {"events": 0, "frames": 0}
    gap = ledger["gaps"].get("pop_broken", {"times": 0, "at_most": 0})
    assert gap["times"] <= cuts
    assert 4000 - taken <= gap["at_most"]
    assert all((browser.out_of_order, browser.altered) == (0, 0) for browser in browsers)
    await close_browsers(browsers)


@of_stored_layers
@pytest.mark.usefixtures("one_redis")
async def test_names_of_a_killed_relay_are_gone_once_the_next_serves(
    redis_server: RedisServer, relay: AwxfastServer, new_producer: Callable[..., Producer]
) -> None:
    browsers = [await open_browser(relay.url, [GROUP]) for _ in range(3)]
    with redis_server.client() as client:
        dead = client.zrange(chosen_form().group_key(GROUP), 0, -1)
    assert len(dead) == 1
    relay.kill()
    for browser in browsers:
        await browser.gone.wait()
    begin = time.monotonic()
    relay.start()
    process = dead[0].partition(b"!")[0].removeprefix(b"specific.")
    wait_for(lambda: not any(process in name for name in names_in(redis_server)))
    print(f"names of the dead gone {time.monotonic() - begin:.2f} s after the next was started")
    with redis_server.client() as client:
        assert not client.exists(chosen_form().group_key(GROUP))
    again = await open_browser(relay.url, [GROUP])
    await Probe(new_producer).until_one_arrives([again])
    await close_browsers([again])


@of_stored_layers
async def test_clean_exit_leaves_nothing_in_redis(redis_server: RedisServer, relay: AwxfastServer) -> None:
    browser = await open_browser(relay.url, [GROUP])
    assert names_in(redis_server)
    assert await asyncio.to_thread(relay.stop) == 0
    assert names_in(redis_server) == set()
    await browser.gone.wait()
    assert browser.closed == 1001
