"""One serving process at an engine: says what it wants, and takes what comes.

It waits for the engine with nothing but its own work there: while that is away, nothing comes.
"""

import asyncio
import contextlib
import itertools
import logging
from collections.abc import Callable, Collection, Iterable, Mapping, Sequence
from typing import Any

from awxfast.engine.arrivals import Arrivals
from awxfast.engine.endings import end_tasks
from awxfast.engine.following import Following
from awxfast.engine.known_publishers import KnownPublishers
from awxfast.engine.notice_reader import NoticeReader
from awxfast.engine.packet_checks import PacketChecks
from awxfast.engine.told_wants import ToldWants
from awxfast.engine.voice import Voice, name_process, next_beat
from awxfast.wire.backplane import METRICS_GROUP
from awxfast.wire.engine_notices import (
    MOST_ASKED,
    Ask,
    Beat,
    Bye,
    Change,
    Heir,
    Listing,
)

log = logging.getLogger(__name__)

HEIR_SECONDS = 2.0
"""How long a process that is about to leave waits for the next one to hear all that it hears."""
SILENT_HEIR_SECONDS = 0.5
"""The same for one that has not said yet that it hears anything."""
LOOK_SECONDS = 3.0
"""How long the next one waits for it to say what that is."""


def name_taker(token: str) -> str:
    """What a process is called in the engine, by its name in Redis, which the one after it has, too."""
    return name_process("engine", token)


def tell_failure(task: asyncio.Task[None]) -> None:
    """It ends by being cancelled, and by nothing else but a fault of ours."""
    if not task.cancelled() and (error := task.exception()) is not None:
        log.critical("the engine's notices ended: %r", error, exc_info=error)


class Taker:
    """`voice` says which process this is."""

    def __init__(
        self,
        voice: Voice,
        count_gap: Callable[[str, int], None],
        make_arrivals: Callable[[PacketChecks], Arrivals],
    ) -> None:
        self.carrier = voice.carrier
        self.who = voice.who
        self._voice = voice
        self._names = voice.carrier.names
        self.publishers = KnownPublishers()
        self.links: dict[str, int] = {}
        """Publishers that bring their events over a link to this process, by how many."""
        self.checks = PacketChecks(count_gap, lambda name: name in voice.redis_names, self._is_linked)
        self.arrivals = make_arrivals(self.checks)
        self.told = ToldWants(voice, self.checks.numbers.forget)
        self.told.on_settled = self._tell_heir
        self.notices = NoticeReader()
        self._is_subscribed = self._is_heard = False
        self._refused = 0
        self._held = {METRICS_GROUP}
        self._following: Following | None = None
        self._heir: int | None = None
        self._heir_spoke = asyncio.Event()
        self._former_version: int | None = None
        self._listening: asyncio.Task[None] | None = None

    @property
    def no_room(self) -> Mapping[str, int]:
        """What was not kept: others in the engine, and groups that the process before this one wanted."""
        counted = {"nodes": self.publishers.no_room, "groups": self._refused}
        return {what: number for what, number in counted.items() if number}

    @property
    def was_there(self) -> bool:
        """Whether the engine has taken what this process says, and brought it; or nothing speaks against that yet."""
        return self._is_heard or (self._is_subscribed and not self.carrier.trouble)

    @property
    def _speaks(self) -> bool:
        """Whether this process says what it wants: it has started, and follows no other any more."""
        return self._listening is not None and self._following is None

    # Groups that this process holds (`intake.groups`)

    def note_held(self, groups: Collection[str]) -> None:
        """Somebody in this process wants these."""
        self._held.update(groups)
        if self._speaks:
            self.told.want(groups)

    def note_left(self, groups: Collection[str]) -> None:
        """And nobody these any more; what AWX's pages are made of is always wanted."""
        left = [group for group in groups if group != METRICS_GROUP]
        self._held.difference_update(left)
        if self._speaks:
            self.told.unwant(left)

    # Its life

    async def start(self) -> None:
        """Begins to take, unless `look_ahead` has begun, which `go_on` ends."""
        if self._listening is None:
            await self._connect()
            self.told.want(self._held)
            self.told.begin()

    async def _connect(self) -> None:
        await self.carrier.start(self)
        self._listening = asyncio.create_task(self._listen(), name="engine")
        self._listening.add_done_callback(tell_failure)

    async def _listen(self) -> None:
        """Hears what publishers say, before it says anything itself."""
        await self.carrier.subscribe([self._names.wants])
        self._is_subscribed = True
        if self._following is not None:
            self._voice.say(Ask(of=(self.who,)))
        while True:
            if self._following is None:
                self._beat()
            await asyncio.sleep(next_beat())

    def go_on(self) -> None:
        """After `look_ahead`: all that another process had is here. From now on this one speaks, and takes."""
        if self._following is not None:
            self._end_following()
            self.arrivals.go_on()

    async def stop(self) -> None:
        """Nothing comes any more. Unless another process goes on under its name, nothing is wanted any more."""
        if self.told.tells:
            self._voice.say(Bye(who=self.who))
        self.told.stop()
        self.arrivals.stop()
        if self._listening is not None:
            await end_tasks(self._listening)
        await self.carrier.stop()

    def abandon(self) -> None:
        """Another process goes on under its name: nothing is said or taken here from now on, up to `stop`."""
        self.told.stop()
        self.arrivals.stop()
        if self._listening is not None:
            self._listening.cancel()

    # What the carrier tells

    def receive(self, messages: Sequence[tuple[str, bytes]]) -> None:
        """Notices, and packets of groups."""
        packets = []
        for channel, message in messages:
            if channel == self._names.wants:
                self._hear(message)
            else:
                packets.append((self._names.group(channel), message))
        self.arrivals.receive(packets)

    def note_lost(self, events: int, reason: str) -> None:
        """What it said itself: publishers hear of another version with the next beat, and ask."""

    def note_cut(self, channels: Collection[str] | None) -> None:
        """What was missed the numbers tell; of publishers that were not heard yet it is all that they sent."""
        groups = self.told.subscribed if channels is None else map(self._names.group, channels)
        self.checks.numbers.note_cut(groups)
        if channels is None and self._following is None:
            self._beat()  # publishers wait for it

    # Links to the same publishers

    def note_link(self, publisher: str, by: int) -> None:
        """So many more links bring what this publisher sends."""
        links = self.links.get(publisher, 0) + by
        self.links[publisher] = links
        if not links:
            del self.links[publisher]
        if self._speaks:
            self._beat()

    def _is_linked(self, publisher: str) -> bool:
        return publisher in self.links or self.publishers.is_linked_elsewhere(publisher)

    # Notices

    def _hear(self, message: bytes) -> None:
        notice = self.notices.read(message, wants_groups=self._following is not None)
        match notice:
            case Beat(role="publisher"):
                self.publishers.hear(notice)
                self.checks.name(notice.who, notice.node)
            case Beat() if notice.who == self.who:
                self._is_heard = True
            case Beat() if notice.redis in self._voice.redis_names:
                self.publishers.hear_links(notice.who, notice.linked)
            case Bye():
                self.publishers.forget(notice.who)
            case Ask():
                self.told.receive_ask(notice)
            case Heir() if notice.who == self.who:
                self._heir = notice.version
                self._heir_spoke.set()
            case Change() if self._following is not None and not self._following.receive_change(notice):
                self._voice.say(Ask(of=(self.who,)))
            case Listing() if self._following is not None:
                self._following.receive_listing(notice)

    def _beat(self) -> None:
        speaker = self._voice.speaker
        if speaker is not None and self.told.tells:
            linked = tuple(itertools.islice(self.links, MOST_ASKED))
            self._voice.say(Beat(**speaker, role="taker", version=self.told.version, linked=linked))

    # From one process to the next

    async def look_ahead(self) -> None:
        """Hears all that the process hears whose place it is to take, before that leaves; at most for a moment."""
        self._following = following = Following(self.who, self._follow, self._refuse)
        self.arrivals.keep()
        await self._connect()
        with contextlib.suppress(TimeoutError):
            async with asyncio.timeout(LOOK_SECONDS):
                await following.known.wait()
                await self.told.wait_settled()

    def _follow(self, added: Iterable[str], dropped: Iterable[str]) -> None:
        self.told.want(added)
        self.told.unwant(dropped)
        if self.told.is_settled:
            self._tell_heir()

    def _refuse(self, groups: int) -> None:
        self._refused += groups

    def _tell_heir(self) -> None:
        following = self._following
        if following is not None and following.version is not None:
            self._voice.say(Heir(who=self.who, version=following.version))

    async def rest(self) -> None:
        """No group is wanted anew any more: returns when the next process hears all that this one does."""
        if not self.carrier.up:
            return
        with contextlib.suppress(TimeoutError):
            async with asyncio.timeout(SILENT_HEIR_SECONDS if self._heir is None else HEIR_SECONDS):
                await self.told.wait_settled()
                while self._heir != self.told.version:
                    self._heir_spoke.clear()
                    await self._heir_spoke.wait()

    def freeze(self) -> dict[str, Any]:
        """How far all has come, for the process that goes on under its name."""
        return {"version": self.told.version, **self.checks.freeze()}

    def inherit(self, frozen: Mapping[str, Any] | None) -> None:
        """What `freeze` gave in the process before this one; None: that had no engine. `go_on` must follow."""
        if frozen is not None:
            self.checks.inherit(frozen)
            self._former_version = frozen["version"]

    def _end_following(self) -> None:
        assert self._following is not None
        groups, self._following = self._following.groups, None
        self.told.want(self._held)
        self.told.unwant(groups - self._held)
        self.told.begin(self._former_version)
