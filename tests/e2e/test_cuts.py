"""A minute of events through connections that are cut: what is lost stands in the books, in any form of the layer."""

import asyncio
from collections.abc import Callable

import pytest
import redis
from browsers import close_browsers, open_browser
from events import GROUPS
from layer_forms import chosen_form
from producers import Producer
from redis_cuts import cut_pop, cut_subscriptions
from servers import AwxfastServer, wait_for

CUTS = 10
RATE = 1_000
"""Events a second of each of two producers."""


def cut(url: str) -> bool:
    """Ends the connection by which events come from this Redis; whether there was one."""
    with redis.Redis.from_url(url) as client:
        return cut_pop(client) if chosen_form().stores else cut_subscriptions(client)


async def cut_in_turns(urls: list[str], seconds: float) -> None:
    """Each of several Redis is cut as often as the others."""
    for number in range(CUTS):
        await asyncio.sleep(seconds / (CUTS + 1))
        while not cut(urls[number % len(urls)]):  # noqa: ASYNC110  nobody tells when the next pop has begun
            await asyncio.sleep(0.001)


@pytest.mark.timeout(400)
@pytest.mark.parametrize(
    "seconds", [pytest.param(3, id="scaled"), pytest.param(60, id="in_full", marks=pytest.mark.long)]
)
async def test_what_ten_cuts_cost_is_within_the_gaps_that_are_counted(
    relay: AwxfastServer, layer_urls: list[str], new_producer: Callable[..., Producer], seconds: int
) -> None:
    """django/channels_redis#256. Stored forms lose a pop a cut at most; pub/sub counts a gap a group and cut."""
    browsers = [await open_browser(relay.url, GROUPS) for _ in range(2)]
    producers = [new_producer(producer, RATE * seconds, "--rate", str(RATE)) for producer in range(2)]
    for producer in producers:
        producer.start()
    await cut_in_turns(layer_urls, seconds)
    for producer in producers:
        await asyncio.to_thread(producer.wait)
    wait_for(lambda: relay.metric("awxfast_intake_depth") == 0)
    for browser in browsers:
        await browser.until(lambda browser=browser: browser.events == relay.ledger()["events"]["routed"])

    ledger = relay.ledger()
    lost = 2 * RATE * seconds - ledger["events"]["in"]
    gaps = ledger["gaps"]
    print(f"lost {lost} of {2 * RATE * seconds}; gaps {gaps}")
    assert 0 <= lost <= sum(gap["at_most"] for gap in gaps.values())
    assert ledger["balance"] == {"events": 0, "frames": 0}
    assert ledger["events"]["in"] == ledger["events"]["routed"]
    assert gaps.keys() <= ({"pop_broken"} if chosen_form().stores else {"unsubscribed"})
    assert sum(gap["times"] for gap in gaps.values()) <= CUTS * (1 if chosen_form().stores else len(GROUPS))
    assert all((one.out_of_order, one.altered, one.closed) == (0, 0, None) for one in browsers)
    await close_browsers(browsers)
