"""Writes events into groups of a layer whose entries Redis can't complete: encrypted ones, and those in JSON."""

import asyncio
import dataclasses
import functools
from collections.abc import Iterator, Mapping, Sequence
from typing import Any

from awxfast._rust import EntryFormat
from awxfast.redis.commands import Command, SendCommands
from awxfast.redis.connection import RedisConnection
from awxfast.redis.group_writer import (
    MAX_BATCH_BYTES,
    MAX_BATCH_EVENTS,
    Event,
    GroupWriter,
    Sent,
    ask_numbers,
    run_script,
)
from awxfast.redis.replies import describe
from awxfast.settings import LayerSettings
from awxfast.wire.entry_bodies import is_completed_by_redis, pack_whole
from awxfast.wire.group_send import EVENT_TYPE
from awxfast.wire.whole_send import (
    FIND_MEMBERS,
    WRITE_WHOLE,
    find_members_arguments,
    sort_by_queue,
    write_whole_arguments,
)

Members = Mapping[str, Sequence[bytes]]
"""Names of the channels in each group."""


def make_group_writer(layer: LayerSettings, entry_format: EntryFormat, own: str = "") -> GroupWriter:
    """Writes as the layer is configured. `own`: a non-local name (`specific.<token>!`) whose queue is left out."""
    if is_completed_by_redis(entry_format):
        return GroupWriter(layer, own)
    return WholeGroupWriter(layer, entry_format, own)


class WholeGroupWriter(GroupWriter):
    """Asks who is in the groups, then writes an entry a queue."""

    def __init__(self, layer: LayerSettings, entry_format: EntryFormat, own: str = "") -> None:
        super().__init__(layer, own)
        self._format = entry_format
        self._found: Members = {}
        """What `find_heard` has just found, for the `send` that follows."""

    def under(self, prefix: str) -> GroupWriter:
        """The same for groups of another prefix, with no queue left out."""
        return WholeGroupWriter(dataclasses.replace(self._layer, prefix=prefix), self._format)

    async def find_heard(self, connection: RedisConnection, groups: Sequence[str], now: float) -> Mapping[str, bool]:
        """For each of `groups` whether anybody but us is in it. Raises `RedisError`."""
        self._found = await self._find_members(connection, groups, now)
        return {group: bool(sort_by_queue(self._found[group], self._own)) for group in groups}

    async def send(self, connection: RedisConnection, events: Sequence[Event], now: float) -> Sent:
        """Writes events in their order. Raises `RedisError`: then nobody knows whether they were written."""
        members, self._found = self._found, {}
        if unknown := sorted({event.group for event in events} - members.keys()):
            members = {**members, **await self._find_members(connection, unknown, now)}
        numbers, entries = [], []
        for number, event in enumerate(events):
            message = {"type": EVENT_TYPE, "text": event.text.decode()}
            more = self._pack(members[event.group], message, now)
            entries += more
            numbers += [number] * len(more)
        taken = [0] * len(events)
        answers = await self._write(connection, entries, now)
        for number, answer in zip(numbers, answers, strict=True):
            taken[number] += answer
        return Sent(taken, len(answers) - sum(answers))

    async def commands(
        self, connection: RedisConnection, group: str, messages: Sequence[Mapping[str, Any]], now: float
    ) -> list[Command]:
        """What writes messages, for callers that send it with other commands. Raises `RedisError`."""
        found = await self._find_members(connection, [group], now)
        return self._commands(found[group], messages, now)

    def tell(self, send: SendCommands, group: str, messages: Sequence[Mapping[str, Any]], now: float) -> None:
        """Writes messages, for callers that don't wait; in the order of the calls."""
        question = ("EVAL", FIND_MEMBERS.text, 0, *find_members_arguments(self._layer, [group], now))
        send([question]).add_done_callback(functools.partial(self._tell_members, send, messages, now))

    def _tell_members(
        self,
        send: SendCommands,
        messages: Sequence[Mapping[str, Any]],
        now: float,
        found: asyncio.Future[list[Any]],
    ) -> None:
        if found.cancelled() or found.exception() is not None:
            return  # the connection broke
        if is_members(found.result()[0], 1) and (commands := self._commands(found.result()[0][0], messages, now)):
            send(commands)

    def _commands(self, members: Sequence[bytes], messages: Sequence[Mapping[str, Any]], now: float) -> list[Command]:
        entries = [self._pack(members, message, now) for message in messages]
        text = WRITE_WHOLE[self._layer.layer].text
        return [("EVAL", text, 0, *write_whole_arguments(self._layer, one, now)) for one in entries if one]

    def _pack(self, members: Sequence[bytes], message: Mapping[str, Any], now: float) -> list[tuple[str, float, bytes]]:
        """An entry for each queue, all with one score."""
        score = self._next_score(now)
        queues = sort_by_queue(members, self._own)
        return [(queue, score, pack_whole(self._format, message, names)) for queue, names in queues.items()]

    async def _write(
        self, connection: RedisConnection, entries: Sequence[tuple[str, float, bytes]], now: float
    ) -> list[int]:
        script = WRITE_WHOLE[self._layer.layer]
        numbers: list[int] = []
        for part in split_entries(entries):
            numbers += await ask_numbers(connection, script, write_whole_arguments(self._layer, part, now), len(part))
        return numbers

    async def _find_members(self, connection: RedisConnection, groups: Sequence[str], now: float) -> Members:
        answers = await run_script(connection, FIND_MEMBERS, find_members_arguments(self._layer, groups, now))
        if not is_members(answers, len(groups)):
            raise connection.distrust(f"{describe(answers)} to a script")
        return dict(zip(groups, answers, strict=True))


def split_entries(entries: Sequence[tuple[str, float, bytes]]) -> Iterator[Sequence[tuple[str, float, bytes]]]:
    """Parts that one script may be given: however many queues there are, Redis serves others in between."""
    begin = size = 0
    for number, (_, _, entry) in enumerate(entries):
        if number > begin and (size + len(entry) > MAX_BATCH_BYTES or number - begin == MAX_BATCH_EVENTS):
            yield entries[begin:number]
            begin, size = number, 0
        size += len(entry)
    if begin < len(entries):
        yield entries[begin:]


def is_members(answers: object, groups: int) -> bool:
    """Whether these are so many lists of names."""
    return (
        isinstance(answers, list)
        and len(answers) == groups
        and all(isinstance(names, list) and all(isinstance(name, bytes) for name in names) for names in answers)
    )
