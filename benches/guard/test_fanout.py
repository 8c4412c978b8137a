"""The fan-out of one thread: a batch of events to so many clients, and who gets what."""

import os
from collections.abc import Iterator
from contextlib import contextmanager

import msgpack
import orjson
import pytest
from awxfast._rust import Fanout, encode_text_frame

from guard.comparison import Compare
from guard.samples import GROUP, RANDOM_PREFIX, event_text, queue_entry
from guard.sinks import Sinks

EVENTS = 16
TEXT = event_text(1024)


@contextmanager
def fanout_of(sinks: Sinks) -> Iterator[tuple[Fanout, list[int]]]:
    """A fan-out whose clients write into sinks, and the clients."""
    fanout = Fanout(threads=1)
    try:
        fanout.add_channel(f"g.{GROUP}", GROUP)
        yield fanout, [fanout.attach(sink.fileno()) for sink in sinks.sockets]
    finally:
        fanout.stop()


def wait_until_written(fanout: Fanout, frames: int) -> None:
    """Returns when so many frames are on the wire; the test's time limit ends it otherwise."""
    while fanout.ledger()["frames"]["written"] < frames:
        os.sched_yield()


@pytest.mark.parametrize("clients", [1, 100, 1000])
def test_publish_batch(compare: Compare, clients: int) -> None:
    entry = queue_entry(TEXT)
    batch = [[entry, b"1795561314.5"]] * EVENTS
    frames = encode_text_frame(TEXT.encode()) * EVENTS
    published = 0
    with Sinks(clients) as sinks, fanout_of(sinks) as (fanout, all_clients):
        for client in all_clients:
            fanout.subscribe(client, [GROUP], [])

        def publish() -> None:
            nonlocal published
            published += EVENTS * clients
            fanout.publish_batch(batch)
            wait_until_written(fanout, published)

        def write_in_python() -> None:
            for member, _ in batch:
                msgpack.unpackb(member[len(RANDOM_PREFIX) :])
            sinks.write(frames)

        compare(publish, write_in_python)
        assert fanout.ledger()["frames"]["lost_at_close"] == 0


def test_subscription_change(compare: Compare) -> None:
    """A browser that goes from page to page: other groups, and the reply that says so."""
    pages = [["jobs-status_changed", "jobs-summary"], ["job_events-4711", "jobs-status_changed"]]
    reply = orjson.dumps({"groups_current": pages[0], "groups_left": pages[1], "groups_joined": pages[0]})
    changes = 0
    with Sinks(1) as sinks, fanout_of(sinks) as (fanout, [client]):

        def change() -> None:
            nonlocal changes
            for there in (0, 1):
                fanout.subscribe(client, pages[there], pages[1 - there], reply)
            changes += 2
            wait_until_written(fanout, changes)

        def change_in_python() -> None:
            for there in (0, 1):
                set(pages[there]).difference(pages[1 - there])
                orjson.loads(reply)
                sinks.write(encode_text_frame(reply))

        compare(change, change_in_python)
        assert fanout.groups_of(client) == pages[1]
