"""What waits to be published in a cluster: a queue a slot, of which one server at a time gets messages.

So the order within a channel holds, whichever server has the slot. Bounded together: past it the oldest go.
"""

import collections
from collections.abc import Callable, Sequence

from awxfast.engine.address import HostPort
from awxfast.engine.carrier import QUEUE_BYTES, QUEUE_MESSAGES

MOST_HOPS = 5
"""Redirections in a row after which a slot waits for the next look at the cluster."""


class Waiting:
    """A message that waits, and how many events are in it."""

    __slots__ = ("events", "head", "message", "slot", "taken")

    def __init__(self, slot: int, head: bytes, message: bytes, events: int) -> None:
        self.slot = slot
        self.head = head
        self.message = message
        self.events = events
        self.taken = False


class SlotQueue:
    """Messages of one slot, in order. While it is busy some of them are on their way."""

    __slots__ = ("busy", "detour", "held", "hops", "messages")

    def __init__(self) -> None:
        self.messages: collections.deque[Waiting] = collections.deque()
        self.busy = False
        self.held = False
        self.hops = 0
        self.detour: HostPort | None = None


Taken = tuple[SlotQueue, list[Waiting]]


class SlotQueues:
    """`find_owner`: of a slot; None while it is not known."""

    def __init__(
        self,
        find_owner: Callable[[int], HostPort | None],
        most_messages: int = QUEUE_MESSAGES,
        most_bytes: int = QUEUE_BYTES,
    ) -> None:
        self._find_owner = find_owner
        self._most_messages = most_messages
        self._most_bytes = most_bytes
        self._queues: dict[int, SlotQueue] = {}
        self._ready: dict[HostPort | None, dict[int, SlotQueue]] = {}
        self._ages: collections.deque[Waiting] = collections.deque()
        self._but: int | None = None
        """The one slot that is not held; None: none is."""
        self.messages = 0
        self.bytes = 0

    def add(self, slot: int, head: bytes, message: bytes, events: int) -> int:
        """Puts one at the end. Returns how many events had to go for it."""
        queue = self._queues.get(slot)
        if queue is None:
            queue = self._queues[slot] = SlotQueue()
        waiting = Waiting(slot, head, message, events)
        queue.messages.append(waiting)
        self._ages.append(waiting)
        self.messages += 1
        self.bytes += len(message)
        if not queue.busy:
            self._make_ready(slot, queue)
        return self._drop_oldest()

    def destinations(self) -> list[HostPort | None]:
        """Where something could go now; None: to whoever has its slot, once that is known."""
        return [where for where, ready in self._ready.items() if ready]

    @property
    def is_empty(self) -> bool:
        """Whether nothing waits, and nothing is on its way."""
        return not self._queues

    def take(self, where: HostPort, most_messages: int, most_bytes: int) -> list[Taken]:
        """The next for this server: of each slot what there is, until it is enough. To be settled, each."""
        batch: list[Taken] = []
        ready = self._ready.get(where, {})
        while ready and most_messages > 0 and most_bytes > 0:
            slot, queue = next(iter(ready.items()))
            del ready[slot]
            taken: list[Waiting] = []
            while queue.messages and most_messages > 0 and most_bytes > 0:
                waiting = queue.messages.popleft()
                waiting.taken = True
                taken.append(waiting)
                most_messages -= 1
                most_bytes -= len(waiting.message)
                self.bytes -= len(waiting.message)
            self.messages -= len(taken)
            queue.busy = True
            batch.append((queue, taken))
        return batch

    def settle(
        self, slot: int, back: Sequence[Waiting] = (), *, hold: bool = False, detour: HostPort | None = None
    ) -> int:
        """What was taken of a slot is done with, but for those that come `back`, before the others.

        `hold`: none of them goes out before `regroup`. `detour`: where to go just once. Returns how many events had
        to go.
        """
        queue = self._queues[slot]
        queue.busy = False
        queue.detour = detour
        queue.hops = queue.hops + 1 if back else 0
        queue.held = hold or queue.hops > MOST_HOPS
        for old in reversed(back):
            waiting = Waiting(slot, old.head, old.message, old.events)
            queue.messages.appendleft(waiting)
            self._ages.appendleft(waiting)
            self.messages += 1
            self.bytes += len(waiting.message)
        if not queue.messages:
            del self._queues[slot]
        elif not queue.held:
            self._make_ready(slot, queue)
        return self._drop_oldest()

    def hold(self, but: int) -> None:
        """Nothing goes out from now on but of that slot."""
        self._but = but
        self.regroup()

    def release(self) -> None:
        """Everything goes out again."""
        self._but = None
        self.regroup()

    def regroup(self) -> None:
        """Owners have changed, or time has passed for what was held."""
        self._ready.clear()
        for slot, queue in self._queues.items():
            if queue.held:
                queue.held, queue.hops = False, 0
            if not queue.busy:
                self._make_ready(slot, queue)

    def clear(self) -> int:
        """Lets go of everything that waits. Returns how many events that were."""
        events = sum(waiting.events for waiting in self._ages if not waiting.taken)
        for queue in self._queues.values():
            queue.messages.clear()
        self._queues = {slot: queue for slot, queue in self._queues.items() if queue.busy}
        self._ready.clear()
        self._ages.clear()
        self.messages = self.bytes = 0
        return events

    def _make_ready(self, slot: int, queue: SlotQueue) -> None:
        if queue.held or self._but not in (None, slot):
            return
        where = queue.detour or self._find_owner(slot)
        ready = self._ready.get(where)
        if ready is None:
            ready = self._ready[where] = {}
        ready[slot] = queue

    def _drop_oldest(self) -> int:
        """What is over the bounds goes, the oldest first."""
        events = 0
        ages = self._ages
        while ages and (ages[0].taken or self.messages > self._most_messages or self.bytes > self._most_bytes):
            oldest = ages.popleft()
            if not oldest.taken:
                events += self._drop(oldest)
        if len(ages) > 2 * self.messages + 1_000:
            self._ages = collections.deque(waiting for waiting in ages if not waiting.taken)
        return events

    def _drop(self, oldest: Waiting) -> int:
        queue = self._queues[oldest.slot]
        queue.messages.popleft()  # the oldest of all is the oldest of its slot
        self.messages -= 1
        self.bytes -= len(oldest.message)
        if not queue.messages and not queue.busy:
            del self._queues[oldest.slot]
            for ready in self._ready.values():
                ready.pop(oldest.slot, None)
        return oldest.events
