"""Which groups a taker wants, as the engine and publishers hear: each change, and all when somebody asks.

A group is told of when the engine has confirmed that its channel is subscribed to, so that nothing of it is missed
from the moment a publisher begins; and it is taken back before the subscription ends. All publishers hear each message,
so what comes soon after one is gathered.
"""

import asyncio
import itertools
import logging
import time
from collections.abc import Callable, Iterable, Sequence

from awxfast.engine.voice import Voice
from awxfast.wire.engine_notices import Ask, Change, Listing, split_groups

log = logging.getLogger(__name__)

LISTING_SECONDS = 1.0
"""Between two lists of all, however many ask."""
GATHER_SECONDS = 0.1
"""Between two messages of changes at least. The first one is not delayed."""
LONGEST_GATHER_SECONDS = 0.5
MANY = 10
"""Groups in one message that are many: the next one waits for longer in proportion."""
MOST_SUBSCRIBING = 64
"""Questions to the engine that may be under way: a part of it that is away keeps nobody from the others' groups."""
PART = 1_000
"""Groups that the engine is asked for together."""


class ToldWants:
    """What `voice` tells; nothing before `begin`."""

    def __init__(self, voice: Voice, forget: Callable[[Iterable[str]], None]) -> None:
        """`forget` is told of groups whose subscription ends."""
        self._voice = voice
        self._carrier = voice.carrier
        self._names = voice.carrier.names
        self._forget = forget
        self._wanted: set[str] = set()
        self._asked: dict[str, int] = {}
        self._tickets = itertools.count()
        self._fresh: set[str] = set()
        self._confirmed: set[str] = set()
        self._dropped: set[str] = set()
        """To be told next, as those that are confirmed."""
        self._told: set[str] = set()
        self._subscribing: set[asyncio.Task[None]] = set()
        self._turn: asyncio.Handle | None = None
        self._telling: asyncio.TimerHandle | None = None
        self._gathers_until = float("-inf")
        self._listing: asyncio.TimerHandle | None = None
        self._listed_at = float("-inf")
        self.tells = False
        """Whether publishers hear of it."""
        self._moved = asyncio.Event()
        self.on_settled: Callable[[], None] = lambda: None
        """Called when nothing is to be asked or told any more."""
        self.version = time.time_ns() // 1000
        """Grows by one with each change, and begins anew with a larger one: nobody takes a list of before for this."""

    @property
    def subscribed(self) -> Iterable[str]:
        """Groups whose channels are subscribed to, as the engine has confirmed."""
        return self._told | self._confirmed

    @property
    def is_settled(self) -> bool:
        """Whether all that is wanted was told, and nothing else."""
        return not (self._fresh or self._confirmed or self._dropped or self._subscribing)

    async def wait_settled(self) -> None:
        """Returns when it is so. What is gathered is told at once."""
        while not self.is_settled:
            if self._confirmed or self._dropped:
                self._tell()
                continue
            self._moved.clear()
            await self._moved.wait()

    def want(self, groups: Iterable[str]) -> None:
        """These, from now on."""
        for group in groups:
            self._wanted.add(group)
            self._dropped.discard(group)
            if group not in self._asked:
                self._fresh.add(group)
        self._go_on_later()

    def unwant(self, groups: Iterable[str]) -> None:
        """These are wanted no more, from now on."""
        for group in groups:
            self._wanted.discard(group)
            self._fresh.discard(group)
            if group in self._asked or group in self._told:
                self._dropped.add(group)
        self._go_on_later()

    def begin(self, version: int | None = None) -> None:
        """From now on publishers hear of it. `version`: what a process before this one under its name said last.

        Then publishers know of its groups, and go on with those of which the engine has not confirmed ours yet.
        """
        self._tell()  # to nobody yet
        self.tells = True
        if version is not None:
            self.version = version + 1
            self._told.update(self._asked, self._fresh)
            self._list_all()
        elif self._told:
            self._say_change(sorted(self._told))

    def receive_ask(self, ask: Ask) -> None:
        """Somebody wants to know; the answer is for all."""
        if self._listing is None and (ask.of is None or self._voice.who in ask.of):
            wait = max(0.0, self._listed_at + LISTING_SECONDS - time.monotonic())
            self._listing = asyncio.get_running_loop().call_later(wait, self._list_all)

    def stop(self) -> None:
        """Nothing is asked for or told any more."""
        self.tells = False
        for later in (self._turn, self._telling, self._listing, *self._subscribing):
            if later is not None:
                later.cancel()

    def _go_on_later(self) -> None:
        """Asks once for all changes of a turn of the loop, and tells once for all of a while."""
        loop = asyncio.get_running_loop()
        if self._fresh and self._turn is None:
            self._turn = loop.call_soon(self._ask)
        if (self._confirmed or self._dropped) and self._telling is None:
            self._telling = loop.call_later(max(0.0, self._gathers_until - loop.time()), self._tell)

    def _ask(self) -> None:
        self._turn = None
        while self._fresh and len(self._subscribing) < MOST_SUBSCRIBING:
            part = [self._fresh.pop() for _ in range(min(PART, len(self._fresh)))]
            ticket = next(self._tickets)
            self._asked.update(dict.fromkeys(part, ticket))
            task = asyncio.get_running_loop().create_task(self._subscribe(part, ticket))
            self._subscribing.add(task)
            task.add_done_callback(self._note_end)
        self._note_settled()

    def _note_end(self, task: asyncio.Task[None]) -> None:
        self._subscribing.discard(task)
        if not task.cancelled() and (error := task.exception()) is not None:
            log.error("groups could not be subscribed to in the engine: %r", error, exc_info=error)
        if not task.cancelled():
            self._go_on_later()
            self._note_settled()

    def _note_settled(self) -> None:
        self._moved.set()
        if self.is_settled:
            self.on_settled()

    async def _subscribe(self, groups: list[str], ticket: int) -> None:
        """`ticket`: groups that were let go of meanwhile, and asked for again, are no affair of this one any more."""
        await self._carrier.subscribe([self._names.of(group) for group in groups])
        self._confirmed.update(
            group for group in groups if self._asked.get(group) == ticket and group not in self._told
        )

    def _tell(self) -> None:
        """Of those that are dropped some were asked for and are not confirmed, or not told of yet."""
        if self._telling is not None:
            self._telling.cancel()
            self._telling = None
        dropped, self._dropped = sorted(self._dropped), set()
        for group in dropped:
            self._asked.pop(group, None)
        added = sorted(self._confirmed.difference(dropped))
        self._confirmed.clear()
        self._say_change(added, [group for group in dropped if group in self._told])
        self._told.update(added)
        self._told.difference_update(dropped)
        if dropped:
            self._carrier.unsubscribe([self._names.of(group) for group in dropped])
            self._forget(dropped)
        self._note_settled()

    def _say_change(self, added: list[str], dropped: Sequence[str] = ()) -> None:
        speaker = self._voice.speaker
        if not self.tells or speaker is None or not (added or dropped):
            return  # what is told first is told of all
        gone = frozenset(dropped)
        for part in split_groups([*dropped, *added], self._carrier.most_bytes):
            self.version += 1
            self._voice.say(
                Change(
                    **speaker,
                    version=self.version,
                    add=tuple(group for group in part if group not in gone),
                    drop=tuple(group for group in part if group in gone),
                )
            )
        wait = GATHER_SECONDS * max(1.0, (len(added) + len(dropped)) / MANY)
        self._gathers_until = asyncio.get_running_loop().time() + min(LONGEST_GATHER_SECONDS, wait)

    def _list_all(self) -> None:
        self._listing = None
        self._listed_at = time.monotonic()
        speaker = self._voice.speaker
        if not self.tells or speaker is None:
            return
        parts = [*split_groups(sorted(self._told), self._carrier.most_bytes)]
        for number, part in enumerate(parts):
            listing = Listing(**speaker, version=self.version, part=number, parts=len(parts), groups=tuple(part))
            self._voice.say(listing)
