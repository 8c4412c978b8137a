"""What only happens when everything happens at once."""

import asyncio
import random
from collections.abc import Callable
from typing import Any

import pytest
from browsers import Browser, close_browsers, open_browser
from events import GROUPS
from producers import Producer
from servers import AwxfastServer, wait_for


class Wanderer:
    """A browser that subscribes and leaves at random and knows, of every event, whether it may come now."""

    def __init__(self, browser: Browser) -> None:
        self.browser = browser
        self.current: set[str] = set()
        self.coming: set[str] = set()
        self.strangers: list[dict[str, Any]] = []
        browser.on_event = self.receive

    def receive(self, head: dict[str, Any]) -> None:
        # A reply is taken the moment it comes, before the next frame is looked at.
        self.take_reply()
        if head["group"] not in self.current | self.coming:
            self.strangers.append(head)

    def take_reply(self) -> None:
        if "groups_current" in self.browser.replies[-1]:
            self.current = set(self.browser.replies[-1]["groups_current"])

    async def wander(self, rounds: int, rng: random.Random) -> None:
        for _ in range(rounds):
            groups = rng.sample(GROUPS, rng.randint(0, len(GROUPS)))
            self.coming = set(groups)
            await self.browser.subscribe(groups)
            self.take_reply()
            assert self.current == set(groups)
            self.coming = set()
            await asyncio.sleep(rng.uniform(0, 0.005))


@pytest.mark.timeout(180)
async def test_browser_never_gets_an_event_of_a_group_after_the_reply_that_it_left(
    relay: AwxfastServer, new_producer: Callable[..., Producer]
) -> None:
    stays = await open_browser(relay.url, GROUPS)
    producers = [new_producer(producer, 2000) for producer in range(2)]
    wanderers = [Wanderer(await open_browser(relay.url, [])) for _ in range(8)]
    for producer in producers:
        producer.start()
    rng = random.Random(5)
    await asyncio.gather(*(wanderer.wander(100, random.Random(rng.random())) for wanderer in wanderers))
    for wanderer in wanderers[::2]:
        wanderer.browser.transport.disconnect()
    await asyncio.gather(*(wanderer.wander(100, random.Random(rng.random())) for wanderer in wanderers[1::2]))
    for producer in producers:
        await asyncio.to_thread(producer.wait)
    await stays.until(lambda: stays.events == 4000)

    assert [wanderer.strangers for wanderer in wanderers] == [[]] * len(wanderers)
    assert sum(wanderer.browser.events for wanderer in wanderers) > 0
    assert (stays.out_of_order, stays.altered) == (0, 0)
    await close_browsers([stays, *(wanderer.browser for wanderer in wanderers[1::2])])
    wait_for(lambda: relay.ledger()["clients"] == 0)
    ledger = relay.ledger()
    assert (ledger["balance"], ledger["groups"]) == ({"events": 0, "frames": 0}, 0)


@pytest.mark.timeout(180)
async def test_event_sent_after_the_reply_arrives(relay: AwxfastServer, new_producer: Callable[..., Producer]) -> None:
    """1,000 rounds of subscribe, reply, `group_send` from another process at once: all arrive (ansible/awx#13059)."""
    producer = new_producer(3, 0, "--on-demand")
    browser = await open_browser(relay.url, [])
    for number in range(1000):
        await browser.subscribe([f"job_events-{number}"])
        producer.send(f"job_events-{number}", number)
        await browser.until(lambda number=number: browser.last_number == number)
    assert (browser.events, browser.altered) == (1000, 0)
    await close_browsers([browser])
