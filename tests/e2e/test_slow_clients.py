"""Clients that don't read: bounded, counted, shed; never a burden to others."""

import asyncio
from collections.abc import Callable

import pytest
from browsers import Browser, NeverReads, close_browsers, open_browser
from producers import Producer
from servers import AwxfastServer, wait_for

GROUP = "job_events-1"


async def send_in_step(producer: Producer, readers: list[Browser], count: int) -> None:
    """Sends in bursts, each when all readers have the one before: so readers keep up, however busy the machine."""
    seen = readers[0].events
    for begin in range(seen, seen + count, 200):
        for number in range(begin, begin + 200):
            producer.send(GROUP, number)
        for reader in readers:
            await reader.until(lambda reader=reader, end=begin + 200: reader.events == end)


@pytest.mark.timeout(180)
async def test_client_that_stops_reading_costs_its_bound_and_no_more(
    start_relay: Callable[..., AwxfastServer], new_producer: Callable[..., Producer]
) -> None:
    """django/daphne#170, scaled: 20 clients, 2,400 events; the bound on memory is ten times as wide as it need be."""
    bound = 1 << 20
    relay = start_relay("--queue-bytes", str(bound), "--ping-interval", "3600")
    readers = [await open_browser(relay.url, [GROUP]) for _ in range(20)]
    stuck = await NeverReads.open(relay.port, [GROUP])
    before = relay.resident()

    await send_in_step(new_producer(1, 0, "--on-demand"), readers, 2400)

    assert all((reader.out_of_order, reader.altered, reader.closed) == (0, 0, None) for reader in readers)
    grown = relay.resident() - before
    assert grown <= 10 * (bound + (1 << 20))
    frames = relay.ledger()["frames"]
    taken = frames["written"] - sum(reader.events + len(reader.replies) for reader in readers)
    assert sum(frames["shed"].values()) == 2402 - taken - frames["pending"] > 0
    assert relay.ledger()["balance"] == {"events": 0, "frames": 0}
    stuck.abort()
    await close_browsers(readers)


async def test_client_that_answers_no_ping_is_noticed_though_data_is_queued_to_it(
    start_relay: Callable[..., AwxfastServer], new_producer: Callable[..., Producer]
) -> None:
    relay = start_relay("--ping-interval", "1", "--ping-timeout", "8")
    reader = await open_browser(relay.url, [GROUP])
    stuck = await NeverReads.open(relay.port, [GROUP])
    producer = new_producer(1, 1_000_000, "--group", GROUP, "--rate", "100")
    producer.start()
    await asyncio.to_thread(wait_for, lambda: relay.ledger()["clients"] == 1)
    assert producer.process.poll() is None, "noticed while data was being queued"
    producer.close()
    assert reader.closed is None, "who answers pings stays"
    stuck.abort()
    await close_browsers([reader])


async def test_slow_client_is_closed_with_4008_where_that_is_asked_for(
    start_relay: Callable[..., AwxfastServer], new_producer: Callable[..., Producer]
) -> None:
    relay = start_relay("--slow-client", "close", "--queue-frames", "400")
    reader = await open_browser(relay.url, [GROUP])
    slow = await open_browser(relay.url, [GROUP])
    slow.transport.underlying_transport.pause_reading()
    producer = new_producer(1, 0, "--on-demand")
    for _ in range(10):  # no more of them than it takes: who is closed has 10 s to read that
        await send_in_step(producer, [reader], 200)
        if relay.ledger()["frames"]["lost_at_close"]:
            break
    slow.transport.underlying_transport.resume_reading()
    await slow.gone.wait()
    assert slow.closed == 4008
    assert reader.closed is None
    await close_browsers([reader])
