"""Tabs that open and close all day: nothing of them may stay behind."""

import asyncio
import time
from collections.abc import Callable
from pathlib import Path

import pytest
from browsers import Browser, open_browser, reset
from layer_forms import chosen_form
from producers import Producer
from redis_servers import RedisServer
from servers import HANG, AwxfastServer, wait_for

EVENTS = 10


class Footprint:
    """What the serving process holds, apart from memory."""

    def __init__(self, relay: AwxfastServer, redis_server: RedisServer) -> None:
        self.descriptors = len(list(Path(f"/proc/{relay.child_pid()}/fd").iterdir()))
        with redis_server.client() as client:
            self.keys = set(client.keys("*"))
            own = client.client_id()
            self.connections = len([entry for entry in client.client_list() if int(entry["id"]) != own])
        ledger = relay.ledger()
        self.clients, self.groups = ledger["clients"], ledger["groups"]

    @property
    def is_settled(self) -> bool:
        """Whether nobody is there, and all groups are left, in Redis too: that is done a moment later, and in parts."""
        jobs = chosen_form().group_key("job_events").encode()
        return not (self.clients or self.groups or any(key.startswith(jobs) for key in self.keys))

    def is_within(self, other: "Footprint") -> bool:
        """Whether there is nothing that the other has not."""
        sizes = self.descriptors <= other.descriptors and self.connections <= other.connections
        return sizes and self.is_settled and self.keys <= other.keys

    def __repr__(self) -> str:
        return repr(vars(self))


def settle(relay: AwxfastServer, redis_server: RedisServer) -> Footprint:
    """What is held when nobody is there."""
    footprint = Footprint(relay, redis_server)
    while not footprint.is_settled:  # the test's own time limit ends it
        time.sleep(0.01)
        footprint = Footprint(relay, redis_server)
    return footprint


async def run_round(relay: AwxfastServer, producer: Producer, number: int, sockets: int) -> None:
    groups = [f"job_events-{index}" for index in range(5)]
    browsers: list[Browser] = [await open_browser(relay.url, groups) for _ in range(sockets)]
    for index in range(EVENTS):
        producer.send(groups[index % 5], number * EVENTS + index)
    for browser in browsers:
        await browser.until(lambda browser=browser: browser.events == EVENTS)
    for browser in browsers[::2]:
        browser.transport.send_close(1000)
    for browser in browsers[1::2]:
        reset(browser)
    for browser in browsers:
        await browser.gone.wait()
    await asyncio.to_thread(wait_for, lambda: relay.ledger()["clients"] == 0)


@pytest.mark.timeout(900)
@pytest.mark.parametrize(
    ("rounds", "sockets", "growth"),
    [pytest.param(8, 60, 1.5, id="scaled"), pytest.param(20, 500, 1.05, id="in_full", marks=pytest.mark.long)],
)
async def test_browsers_that_come_and_go_leave_nothing_behind(
    relay: AwxfastServer,
    redis_server: RedisServer,
    new_producer: Callable[..., Producer],
    rounds: int,
    sockets: int,
    growth: float,
) -> None:
    """django/channels#1703: connect, subscribe to 5 groups, receive 10 events, half closes properly, half by RST."""
    producer = new_producer(1, 0, "--on-demand")
    await run_round(relay, producer, 0, 1)
    before = await asyncio.to_thread(settle, relay, redis_server)
    resident = []
    for number in range(1, rounds + 1):
        await run_round(relay, producer, number, sockets)
        resident.append(relay.resident())
    await asyncio.to_thread(wait_for, lambda: Footprint(relay, redis_server).is_within(before), 4 * HANG)
    assert resident[-1] <= growth * resident[2], resident
    assert relay.ledger()["balance"] == {"events": 0, "frames": 0}
