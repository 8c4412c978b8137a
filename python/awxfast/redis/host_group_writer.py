"""Writes events into groups of one Redis of several, as channels_redis does: members' queues may be on any of them."""

from collections.abc import Callable, Mapping, Sequence

from awxfast.errors import RedisError
from awxfast.redis.connection import RedisConnection
from awxfast.redis.group_writer import Event, Scores, Sent, run_for_numbers, run_script
from awxfast.redis.replies import describe, is_texts
from awxfast.settings import LayerSettings
from awxfast.wire.group_send import pack_event
from awxfast.wire.queue_send import (
    FIND_MEMBERS,
    SEND_TO_QUEUES,
    Queues,
    find_members_arguments,
    send_to_queues_arguments,
    sort_by_host,
)

Connect = Callable[[], RedisConnection | None]

Entry = tuple[float, bytes, Queues]
"""A score, the bytes up to the list of channels, and where to."""


class HostGroupWriter:
    """What `GroupWriter` does for groups of one Redis. `own`: a non-local name whose queue is left out."""

    def __init__(self, layer: LayerSettings, host: int, connects: Sequence[Connect], own: str = "") -> None:
        """`host`: the Redis whose groups these are; `connects`: the connection to each, None while it is away."""
        self._layer = layer
        self._host = host
        self._connects = connects
        self._own = own.encode()
        self._scores = Scores()
        self._members: Mapping[str, Mapping[int, Queues]] = {}

    async def find_heard(self, connection: RedisConnection, groups: Sequence[str], now: float) -> Mapping[str, bool]:
        """See `GroupWriter.find_heard`. Whoever is found is whom `send` writes to."""
        answers = await run_script(connection, FIND_MEMBERS, find_members_arguments(self._layer, groups, now))
        if type(answers) is not list or len(answers) != len(groups) or not all(map(is_texts, answers)):
            raise connection.distrust(f"{describe(answers)} to a script")
        found = [sort_by_host(channels, len(self._connects), self._own) for channels in answers]
        self._members = dict(zip(groups, found, strict=True))
        return {group: bool(queues) for group, queues in self._members.items()}

    async def send(self, connection: RedisConnection, events: Sequence[Event], now: float) -> Sent:
        """See `GroupWriter.send`. `find_heard` has found who is in their groups."""
        entries: dict[int, list[tuple[int, Entry]]] = {}
        for number, event in enumerate(events):
            scored = self._scores.next(now), pack_event(self._layer, event.text)
            for host, queues in self._members[event.group].items():
                entries.setdefault(host, []).append((number, (*scored, queues)))
        taken = [0] * len(events)
        full = unreached = 0
        for host, part in sorted(entries.items(), key=lambda item: item[0] != self._host):
            there = connection if host == self._host else self._connects[host]()
            counts = await self._send_to(there, [entry for _, entry in part], now, may_fail=host != self._host)
            if counts is None:
                unreached += sum(len(queues) for _, (_, _, queues) in part)
                continue
            full += counts[-1]
            for (number, _), count in zip(part, counts, strict=False):
                taken[number] += count
        return Sent(taken, full, unreached)

    async def _send_to(
        self, connection: RedisConnection | None, entries: Sequence[Entry], now: float, *, may_fail: bool
    ) -> Sequence[int] | None:
        """None: that Redis is away, or refuses; the others' queues have their copies all the same."""
        if connection is None:
            return None
        arguments = send_to_queues_arguments(self._layer, entries, now)
        try:
            return await run_for_numbers(connection, SEND_TO_QUEUES, arguments, len(entries) + 1)
        except RedisError:
            if not may_fail:
                raise
            return None
