"""Events for groups that are spread over several Redis: one `EventWriter` each, behind the interface of one."""

import asyncio
import functools
from collections.abc import Callable, Mapping, Sequence
from typing import Any

from awxfast._rust import EntryFormat
from awxfast.redis.address import RedisAddress
from awxfast.redis.connection import RedisConnection
from awxfast.redis.event_writer import EventWriter, Outcomes
from awxfast.redis.group_publisher import GroupPublisher
from awxfast.redis.group_writer import Event
from awxfast.redis.host_group_writer import HostGroupWriter
from awxfast.redis.reconnect import Outages
from awxfast.redis.whole_group_writer import make_group_writer
from awxfast.settings import LayerSettings
from awxfast.wire.host_choice import choose_by_group, sort_by_host

WriterHost = tuple[RedisAddress, Outages, str]
"""One Redis, who tells of its outages, and the non-local name there whose queue is left out; empty: none is."""


def open_event_writer(
    name: str,
    layer: LayerSettings,
    entry_format: EntryFormat,
    hosts: Sequence[WriterHost],
    outcomes: Outcomes,
    note_crowd: Callable[[bool], None] = lambda _: None,
    is_joined: Callable[[str], bool] = lambda _: False,
) -> "EventWriter | EventWriters":
    """For the one Redis of a layer, or for all. See `EventWriter` for the rest.

    `is_joined`: whether this process is subscribed to a group (`GroupPublisher`).
    """
    if len(hosts) > 1:
        return EventWriters(name, layer, entry_format, hosts, outcomes, note_crowd, is_joined)
    ((address, outages, own),) = hosts
    if layer.layer == "pubsub":
        publisher = GroupPublisher(layer, entry_format, own, is_joined)
        return EventWriter(name, address, publisher, outages, outcomes, note_crowd)
    return EventWriter(name, address, make_group_writer(layer, entry_format, own), outages, outcomes, note_crowd)


class EventWriters:
    """What `EventWriter` does, each event on the Redis of its group. What one waits for costs no other."""

    def __init__(
        self,
        name: str,
        layer: LayerSettings,
        entry_format: EntryFormat,
        hosts: Sequence[WriterHost],
        outcomes: Outcomes,
        note_crowd: Callable[[bool], None] = lambda _: None,
        is_joined: Callable[[str], bool] = lambda _: False,
    ) -> None:
        self._choose = choose_by_group(layer, len(hosts))
        self._note_crowd = note_crowd
        self._crowded = False
        connects = [functools.partial(self._connect, host) for host in range(len(hosts))]
        self._hosts = []
        for host, (address, outages, own) in enumerate(hosts):
            writer = (
                GroupPublisher(layer, entry_format, own, is_joined)
                if layer.layer == "pubsub"
                else HostGroupWriter(layer, entry_format, own, host, connects)
            )
            self._hosts.append(EventWriter(name, address, writer, outages, outcomes, self._note_crowd_of_one))

    def _connect(self, host: int) -> RedisConnection | None:
        return self._hosts[host].connect()

    def _note_crowd_of_one(self, _: bool) -> None:
        """Who brings events brings them for all: they wait for the one that has too many."""
        if self._crowded != self.crowded:
            self._crowded = self.crowded
            self._note_crowd(self._crowded)

    @property
    def up(self) -> bool:
        """Whether every Redis takes events."""
        return all(host.up for host in self._hosts)

    @property
    def crowded(self) -> bool:
        """Whether who brings events should wait."""
        return any(host.crowded for host in self._hosts)

    @property
    def pending(self) -> int:
        """Events that wait or whose answer is still to come."""
        return sum(host.pending for host in self._hosts)

    @property
    def queued_bytes(self) -> int:
        """Bytes of those that wait."""
        return sum(host.queued_bytes for host in self._hosts)

    async def wait_up(self) -> None:
        """Returns when every Redis answers."""
        for host in self._hosts:
            await host.wait_up()

    def put(self, events: Sequence[Event]) -> None:
        """Queues events, for each Redis in their order."""
        for host, part in sort_by_host(events, lambda event: self._choose(event.group)).items():
            self._hosts[host].put(part)

    def store(self, key: str, value: str) -> bool:
        """Sets a key of the first Redis, where AWX's programs look for it."""
        return self._hosts[0].store(key, value)

    async def run(self) -> None:
        """Writes until it is cancelled, whatever each Redis does."""
        async with asyncio.TaskGroup() as group:
            for host in self._hosts:
                group.create_task(host.run())

    async def rest(self) -> None:
        """Returns when nothing is on its way."""
        await asyncio.gather(*(host.rest() for host in self._hosts))

    def end_rest(self) -> None:
        """Writes what has waited, and what comes from now on."""
        for host in self._hosts:
            host.end_rest()

    def freeze(self) -> dict[str, Any]:
        """What waits, as one would have it: the next process may know of other Redis."""
        frozen = [host.freeze() for host in self._hosts]
        return {"events": [event for one in frozen for event in one["events"]], "values": frozen[0]["values"]}

    def inherit(self, frozen: Mapping[str, Any]) -> None:
        """What `freeze` gave in the process before this one."""
        self.put([Event(group, text.encode(), taken) for group, text, taken in frozen["events"]])
        for key, value in frozen["values"].items():
            self.store(key, value)

    async def drained(self, seconds: float) -> None:
        """Returns when nothing waits any more, or after `seconds`."""
        await asyncio.gather(*(host.drained(seconds) for host in self._hosts))

    def give_up(self) -> None:
        """Counts what still waits as lost."""
        for host in self._hosts:
            host.give_up()
