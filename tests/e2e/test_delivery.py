"""Every event that unmodified producers send reaches every subscribed browser: all of it, in order, byte for byte."""

import asyncio
from collections.abc import Callable

import pytest
from browsers import Browser, NeverReads, close_browsers, open_browser
from events import GROUPS, group_of
from layer_forms import chosen_form
from producers import Producer
from servers import AwxfastServer, wait_for

# Which groups the readers are in: three groups that overlap.
SUBSCRIPTIONS = [GROUPS[:1], GROUPS[1:2], GROUPS[2:], GROUPS[:2], GROUPS[1:]]


def expected(groups: tuple[str, ...], producers: int, count: int) -> int:
    return producers * sum(group_of(number) in groups for number in range(count))


async def run_producers(producers: list[Producer]) -> None:
    for producer in producers:
        producer.start()
    for producer in producers:
        await asyncio.to_thread(producer.wait)


def assert_nothing_lost(browsers: list[tuple[tuple[str, ...], Browser]], producers: int, count: int) -> None:
    for groups, browser in browsers:
        assert browser.events == expected(groups, producers, count)
        assert (browser.out_of_order, browser.altered, browser.closed) == (0, 0, None)


async def open_readers(url: str, number: int) -> list[tuple[tuple[str, ...], Browser]]:
    wanted = [SUBSCRIPTIONS[index % len(SUBSCRIPTIONS)] for index in range(number)]
    return [(groups, await open_browser(url, groups)) for groups in wanted]


@pytest.mark.timeout(300)
@pytest.mark.parametrize(
    ("stuck", "each"),
    [
        pytest.param(10, 3000, id="10_more_never_read"),
        pytest.param(0, 5000, id="all_read_20000", marks=pytest.mark.long),
        pytest.param(10, 5000, id="10_more_never_read_20000", marks=pytest.mark.long),
    ],
)
async def test_fifty_browsers_get_all_events_of_four_producers(
    start_relay: Callable[..., AwxfastServer], new_producer: Callable[..., Producer], stuck: int, each: int
) -> None:
    # Who never reads answers no pings either, and is not to be taken for dead however long this takes.
    relay = start_relay("--ping-interval", "3600")
    readers = await open_readers(relay.url, 50)
    never = [await NeverReads.open(relay.port, GROUPS) for _ in range(stuck)]

    rate = str(chosen_form().rate)
    await run_producers([new_producer(producer, each, "--rate", rate) for producer in range(4)])
    for groups, browser in readers:
        wanted = expected(groups, 4, each)
        await browser.until(lambda browser=browser, wanted=wanted: browser.events >= wanted)

    assert_nothing_lost(readers, 4, each)
    ledger, events = relay.ledger(), 4 * each
    assert ledger["events"] == {"in": events, "routed": events, "no_subscriber": 0, "rejected": {}}
    assert ledger["balance"] == {"events": 0, "frames": 0}
    assert relay.metric("awxfast_encodings_total") == events, "one an event, however many clients"
    read = sum(browser.events + len(browser.replies) for _, browser in readers)
    taken = ledger["frames"]["written"] - read
    assert ledger["frames"]["queued"] == read + stuck * (events + 2)
    assert sum(ledger["frames"]["shed"].values()) == stuck * (events + 2) - taken - ledger["frames"]["pending"]
    assert (ledger["frames"]["shed"] != {}) == (stuck > 0)
    assert "overloaded" not in ledger["gaps"]

    for client in never:
        client.abort()
    await close_browsers([browser for _, browser in readers])
    wait_for(lambda: relay.ledger()["clients"] == 0)
    assert relay.ledger()["balance"] == {"events": 0, "frames": 0}


async def test_producer_with_a_new_event_loop_for_each_event_is_served_like_any_other(
    relay: AwxfastServer, new_producer: Callable[..., Producer]
) -> None:
    readers = await open_readers(relay.url, 5)
    await run_producers([new_producer(producer, 300, "--fresh-loops") for producer in range(2)])
    for groups, browser in readers:
        wanted = expected(groups, 2, 300)
        await browser.until(lambda browser=browser, wanted=wanted: browser.events >= wanted)
    assert_nothing_lost(readers, 2, 300)
    await close_browsers([browser for _, browser in readers])


async def test_subscription_replaces_the_one_before(
    relay: AwxfastServer, new_producer: Callable[..., Producer]
) -> None:
    browser = await open_browser(relay.url, ["job_events-1", "jobs-status_changed"])
    reply = await browser.subscribe(["jobs-status_changed", "job_events-2"])
    assert reply == {
        "groups_current": reply["groups_current"],
        "groups_left": ["job_events-1"],
        "groups_joined": ["job_events-2"],
    }
    assert sorted(reply["groups_current"]) == ["job_events-2", "jobs-status_changed"]
    await run_producers([new_producer(1, 30)])
    await browser.until(lambda: browser.events >= 20)
    assert {group for _, group in browser.next} == {"job_events-2", "jobs-status_changed"}
    assert (browser.events, browser.altered) == (20, 0)
    await close_browsers([browser])
