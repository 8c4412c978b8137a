"""Writes events into groups as channels_redis does, many in one script: what AWX's consumers read is the same."""

import dataclasses
from collections.abc import Mapping, Sequence
from typing import Any

from awxfast.errors import RedisReplyError
from awxfast.redis.commands import Argument, Command, SendCommands
from awxfast.redis.connection import RedisConnection
from awxfast.redis.replies import describe, is_numbers
from awxfast.settings import LayerSettings
from awxfast.wire.group_send import (
    FIND_HEARD,
    Script,
    find_heard_arguments,
    pack_event,
    pack_message,
    send_many_arguments,
)
from awxfast.wire.send_scripts import SEND_SCRIPTS

SCORE_STEP = 2e-6
"""Seconds between two scores. Equal ones would leave the queue in random order; doubles of our time resolve 0.24e-6."""

MAX_BATCH_EVENTS = 256
MAX_BATCH_BYTES = 1_048_576
"""What one script is given at most: Redis serves nobody else meanwhile."""


@dataclasses.dataclass(frozen=True, slots=True)
class Event:
    """An event of a group: `text` is what browsers get, UTF-8. `taken`: somebody in this process has it already."""

    group: str
    text: bytes
    taken: bool = False


@dataclasses.dataclass(frozen=True, slots=True)
class Sent:
    """What became of a batch. `taken`: for each event, into how many queues it went. `full`: copies over capacity.

    `unreached`: copies for queues on another Redis, which is away.
    """

    taken: Sequence[int]
    full: int
    unreached: int = 0


class GroupWriter:
    """Writes entries that Redis completes. `own`: a non-local name (`specific.<token>!`) whose queue is left out."""

    def __init__(self, layer: LayerSettings, own: str = "") -> None:
        self._layer = layer
        self._script = SEND_SCRIPTS[layer.layer].many
        self._own = own
        self._last_score = 0.0

    def under(self, prefix: str) -> "GroupWriter":
        """The same for groups of another prefix, with no queue left out."""
        return GroupWriter(dataclasses.replace(self._layer, prefix=prefix))

    async def find_heard(self, connection: RedisConnection, groups: Sequence[str], now: float) -> Mapping[str, bool]:
        """For each of `groups` whether anybody but us is in it, so that texts nobody wants stay here.

        Raises `RedisError`.
        """
        arguments = find_heard_arguments(self._layer, self._own, groups, now)
        answers = await ask_numbers(connection, FIND_HEARD, arguments, len(groups))
        return dict(zip(groups, map(bool, answers), strict=True))

    async def send(self, connection: RedisConnection, events: Sequence[Event], now: float) -> Sent:
        """Writes events of at most `MAX_BATCH_EVENTS` and, beyond the first, `MAX_BATCH_BYTES`, in their order.

        Raises `RedisError`: then nobody knows whether they were written.
        """
        entries = [(event.group, self._next_score(now), pack_event(self._layer, event.text)) for event in events]
        arguments = send_many_arguments(self._layer, self._own, entries, now)
        answers = await ask_numbers(connection, self._script, arguments, len(events) + 1)
        return Sent(answers[:-1], answers[-1])

    async def commands(
        self, connection: RedisConnection, group: str, messages: Sequence[Mapping[str, Any]], now: float
    ) -> list[Command]:
        """What writes messages, for callers that send it with other commands. Raises `RedisError`."""
        return [self._command(group, message, now) for message in messages]

    def tell(self, send: SendCommands, group: str, messages: Sequence[Mapping[str, Any]], now: float) -> None:
        """Writes messages, for callers that don't wait; in the order of the calls."""
        send([self._command(group, message, now) for message in messages])

    def _command(self, group: str, message: Mapping[str, Any], now: float) -> Command:
        entry = (group, self._next_score(now), pack_message(self._layer, message))
        return ("EVAL", self._script.text, 0, *send_many_arguments(self._layer, self._own, [entry], now))

    def _next_score(self, now: float) -> float:
        """The time of sending, always later than the last one's, also when the clock steps back."""
        self._last_score = max(now, self._last_score + SCORE_STEP)
        return self._last_score


async def run_script(connection: RedisConnection, script: Script, arguments: Sequence[Argument]) -> Any:
    """By its digest; with its text where Redis does not know it, as after a restart. Raises `RedisError`."""
    try:
        return await connection.command("EVALSHA", script.digest, 0, *arguments)
    except RedisReplyError as error:
        if error.code != "NOSCRIPT":
            raise
    return await connection.command("EVAL", script.text, 0, *arguments)


async def ask_numbers(
    connection: RedisConnection, script: Script, arguments: Sequence[Argument], count: int
) -> list[int]:
    """A script that answers so many numbers. Raises `RedisError`."""
    answers = await run_script(connection, script, arguments)
    if not is_numbers(answers, count):
        raise connection.distrust(f"{describe(answers)} to a script")
    numbers: list[int] = answers
    return numbers
