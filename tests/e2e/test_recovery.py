"""A serving process that dies: what waited for it in Redis reaches whoever comes back, its memory is counted."""

import os
import signal
from collections.abc import Callable

import pytest
from browsers import NeverReads, close_browsers, open_browser
from events import GROUPS
from layer_forms import chosen_form
from producers import Producer
from redis_servers import RedisServer
from reloading import Faults
from servers import AwxfastServer, wait_for
from stored_layers import of_stored_layers

pytestmark = pytest.mark.timeout(600)

LONG_TIME = "import awxfast.intake.recovery as i; i.COME_BACK_SECONDS = 10.0"
SHORT_TIME = "import awxfast.intake.recovery as i; i.COME_BACK_SECONDS = 0.1"


def count_waiting(redis_server: RedisServer) -> int:
    """Events in the queues of all processes."""
    return chosen_form().count_waiting(redis_server.client())


@of_stored_layers
@pytest.mark.usefixtures("one_redis")
async def test_what_waited_in_redis_is_delivered_to_the_browsers_that_come_back(
    faults: Faults,
    start_relay: Callable[..., AwxfastServer],
    new_producer: Callable[..., Producer],
    redis_server: RedisServer,
) -> None:
    faults.set(LONG_TIME)
    relay = start_relay()
    groups = [GROUPS[0], GROUPS[2], GROUPS[1]]
    browsers = [await open_browser(relay.url, [group]) for group in (*groups, GROUPS[0])]
    producer, child = new_producer(0, 0, "--on-demand"), relay.child_pid()
    os.kill(child, signal.SIGSTOP)
    for number in range(10):
        for group in groups:
            producer.send(group, number)
    wait_for(lambda: count_waiting(redis_server) >= 29)  # one may have been popped already, and is its memory's
    os.kill(child, signal.SIGKILL)
    for browser in browsers:
        await browser.gone.wait()
    wait_for(lambda: relay.text().count("Listening on TCP") == 2)
    back = [await open_browser(relay.url, [group]) for group in (*groups[::-1], GROUPS[0])]
    producer.send(GROUPS[0], 10)
    for browser in back:
        await browser.until(lambda browser=browser: browser.last_number >= 9)
        assert (browser.events >= 9, browser.out_of_order, browser.altered) == (True, 0, 0)
    for browser in back[2:]:
        await browser.until(lambda browser=browser: browser.last_number == 10)
    ledger = relay.ledger()
    assert ledger["events"]["in"] == ledger["events"]["routed"] >= 30
    assert ledger["balance"] == {"events": 0, "frames": 0}
    assert ledger["gaps"]["died"]["times"] == 1
    await close_browsers(back)
    assert relay.stop() == 0
    assert redis_server.client().keys("*") == []


@of_stored_layers
async def test_what_nobody_comes_back_for_is_left_soon(
    faults: Faults,
    start_relay: Callable[..., AwxfastServer],
    new_producer: Callable[..., Producer],
    redis_server: RedisServer,
) -> None:
    faults.set(SHORT_TIME)
    relay = start_relay()
    browser = await open_browser(relay.url, GROUPS[:2])
    os.kill(relay.child_pid(), signal.SIGKILL)
    await browser.gone.wait()
    client = redis_server.client()
    wait_for(lambda: relay.text().count("Listening on TCP") == 2)
    wait_for(lambda: not client.exists(*map(chosen_form().group_key, GROUPS[:2])))
    assert len(client.keys("awxfast:process:*")) == 1
    producer = new_producer(0, 0, "--on-demand")
    back = await open_browser(relay.url, GROUPS[:1])
    producer.send(GROUPS[0], 3)
    await back.until(lambda: back.events == 1)
    await close_browsers([back])


async def test_frames_that_waited_for_clients_are_counted_as_a_gap(
    faults: Faults, start_relay: Callable[..., AwxfastServer], new_producer: Callable[..., Producer]
) -> None:
    faults.set(SHORT_TIME)
    relay = start_relay("--ping-interval", "3600", "--send-buffer", "16384")
    never = await NeverReads.open(relay.port, GROUPS[:1])
    producer = new_producer(0, 2000, "--group", GROUPS[0])
    producer.start()
    producer.wait()
    wait_for(lambda: relay.ledger()["events"]["in"] == 2000)
    pending = relay.ledger()["frames"]["pending"]
    assert pending > 500
    os.kill(relay.child_pid(), signal.SIGKILL)
    wait_for(lambda: relay.text().count("Listening on TCP") == 2)
    gap = relay.ledger()["gaps"]["died"]
    assert gap["times"] == 1
    assert gap["at_most"] >= pending
    never.abort()
