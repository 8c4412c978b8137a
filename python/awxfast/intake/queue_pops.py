"""How the process's queue is popped: a sorted set, as channels_redis 3 and 4 keep it, or a list as version 2 does."""

from collections.abc import Sequence
from typing import Any, Protocol

from awxfast.intake import list_pop_commands, pop_commands
from awxfast.intake.pop_commands import BATCH_BYTES, Batch, Popped
from awxfast.redis.commands import Command
from awxfast.redis.connection import RedisConnection
from awxfast.redis.server_facts import ServerFacts

BLOCK = 5
"""Seconds that a pop of an empty queue waits in Redis."""

WHOLE_BYTES = 33_554_432
"""Bytes of a list that may wait when pops don't look: should all large ones come in one of them, that is its size."""


class QueuePops(Protocol):
    """Makes a drain's commands and reads the answers, in order: what `wait` and `look` or `take`, `measure` asked."""

    kind: str
    """The queue's type, as Redis' TYPE names it."""
    waits_for_many: bool
    """Whether `wait` takes as many as it is told, so that nothing need follow it."""

    def begin(self, facts: ServerFacts) -> None:
        """A new connection, to such a server."""

    def look(self, count: int) -> Command:
        """Takes what is there, up to a bound in bytes, without waiting."""

    def wait(self, count: int) -> Command:
        """Waits for an event, up to `BLOCK` seconds."""

    def take(self, count: int) -> list[Command]:
        """Takes up to `count` unseen, without waiting."""

    def measure(self, count: int) -> list[Command]:
        """Asks whether `count` may be taken unseen after this pop: two commands, or none where that is known."""

    def read_looked(self, connection: RedisConnection, reply: Any) -> Popped:
        """Of `look`. Raises `RedisError`."""

    def read_waited(self, reply: Any) -> Batch:
        """Of `wait`. Raises `RedisReplyError`."""

    def read_taken(self, connection: RedisConnection, replies: Sequence[Any]) -> Batch:
        """Of `take`. Raises `RedisError`."""

    def read_fits(self, replies: Sequence[Any], count: int, came: int) -> bool:
        """Of `measure`: whether the next `count` may be taken unseen, now that so many came. Not known counts as no."""


def pops_of(layer: str, queue: str, max_event_size: int) -> QueuePops:
    """Those of a layer's form (`LayerSettings.layer`)."""
    return ListPops(queue, max_event_size) if layer == "lists" else SortedSetPops(queue, max_event_size)


def size_command(layer: str, queue: str) -> Command:
    """Asks how many entries wait."""
    return ("LLEN" if layer == "lists" else "ZCARD", queue)


class SortedSetPops:
    """Pops of a queue that is a sorted set; an entry comes with its score."""

    kind = "zset"
    read_looked = staticmethod(pop_commands.read_looked)
    read_waited = staticmethod(pop_commands.read_waited)
    read_fits = staticmethod(pop_commands.read_fits)

    def __init__(self, queue: str, max_event_size: int) -> None:
        self._queue = queue
        self._max_event_size = max_event_size
        self.waits_for_many = True

    def begin(self, facts: ServerFacts) -> None:
        """See `QueuePops`, as for all others."""
        self.waits_for_many = facts.has_bzmpop

    def look(self, count: int) -> Command:
        """A script that looks at lengths before it takes."""
        return pop_commands.look_command(self._queue, count, self._max_event_size)

    def wait(self, count: int) -> Command:
        """BZMPOP where the server has it, else BZPOPMIN."""
        return pop_commands.wait_command(self._queue, BLOCK, count, self.waits_for_many)

    def take(self, count: int) -> list[Command]:
        """ZPOPMIN, which gives the oldest first."""
        return [("ZPOPMIN", self._queue, count)]

    def measure(self, count: int) -> list[Command]:
        """Each time: Redis measures a sorted set by the first of it, and multiplies."""
        return [("ZCARD", self._queue), ("MEMORY", "USAGE", self._queue, "SAMPLES", count)]

    def read_taken(self, connection: RedisConnection, replies: Sequence[Any]) -> Batch:
        """Entries with their scores, in pairs."""
        return pop_commands.read_popped(replies[0])


class ListPops:
    """Pops of a queue that is a list.

    What Redis measures is all that waits. As new entries come behind it, the answer is good until that is popped; the
    next question costs Redis some time for each entry that waits.
    """

    kind = "list"

    def __init__(self, queue: str, max_event_size: int) -> None:
        self._queue = queue
        self._max_event_size = max_event_size
        self.waits_for_many = self._has_rpop_count = True
        self._measured = 0
        self._are_small = False

    def begin(self, facts: ServerFacts) -> None:
        """Nothing is known of what waits."""
        self.waits_for_many = facts.has_bzmpop
        self._has_rpop_count = facts.has_rpop_count
        self._measured = 0

    def look(self, count: int) -> Command:
        """A script that looks at lengths before it takes."""
        return list_pop_commands.look_command(self._queue, count, self._max_event_size)

    def wait(self, count: int) -> Command:
        """By BLMPOP, or BRPOP. The queue is empty, or nearly so: what comes is not what was measured."""
        self._measured = 0
        return list_pop_commands.wait_command(self._queue, BLOCK, count, self.waits_for_many)

    def take(self, count: int) -> list[Command]:
        """RPOP where it takes several, else a transaction of two commands."""
        return list_pop_commands.take_commands(self._queue, count, self._has_rpop_count)

    def measure(self, count: int) -> list[Command]:
        """Only when fewer are known than this pop and the next may take."""
        return list_pop_commands.measure_commands(self._queue) if self._measured < 2 * count else []

    def read_looked(self, connection: RedisConnection, reply: Any) -> Popped:
        """Entries alone: a list has no scores."""
        return list_pop_commands.read_looked(connection, reply)

    def read_waited(self, reply: Any) -> Batch:
        """One entry alone, or many of them."""
        return list_pop_commands.read_waited(reply)

    def read_taken(self, connection: RedisConnection, replies: Sequence[Any]) -> Batch:
        """Entries alone, the oldest first."""
        return list_pop_commands.read_taken(connection, replies)

    def read_fits(self, replies: Sequence[Any], count: int, came: int) -> bool:
        """By the mean of all that waits, and where that is not too much altogether."""
        if replies:
            waiting, size = replies
            self._note_measured(waiting, size, count)
        else:
            self._measured -= came
        return self._are_small and self._measured > 0

    def _note_measured(self, waiting: Any, size: Any, count: int) -> None:
        is_known = type(waiting) is int and type(size) is int and waiting > 0
        self._are_small = is_known and size <= WHOLE_BYTES and size // waiting * count <= BATCH_BYTES
        # Where it does not fit by far, it need not be asked before some have gone.
        self._measured = (waiting if self._are_small else waiting // 4) if is_known else 0
