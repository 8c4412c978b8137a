"""One peer: dialled until it is there, dialled again when it is gone, and what it is sent on the link."""

import asyncio
import logging
import time
from collections.abc import Mapping, Sequence
from typing import Any

from awxfast._rust import LinkShare
from awxfast.broadcast.backoff import Backoff
from awxfast.broadcast.dial_attempt import DialError
from awxfast.broadcast.dial_failure import REFUSED, DialFailure
from awxfast.broadcast.dialled_link import NONE, DialledLink
from awxfast.broadcast.doubles import Doubles, Noted
from awxfast.broadcast.engine_offer import DialOffer, DialOffers
from awxfast.broadcast.era import Era
from awxfast.broadcast.link_counts import LinkCounts, add_counts, freeze_counts, read_counts
from awxfast.broadcast.own_node import OwnNode
from awxfast.broadcast.peer_messages import HeardPeer
from awxfast.broadcast.stale_interest import StaleInterest
from awxfast.broadcast.target import Member, Target
from awxfast.wire.backplane import METRICS_GROUP, Notice

log = logging.getLogger(__name__)

BESIDE_FRAMES = 10_000
BESIDE_BYTES = 16_777_216
"""What may wait here of one peer while another process's link is still the one that counts; past it, with the peer."""

DOUBLES_SECONDS = 5.0
"""How long after another process's links were cut what it had may still come: what was on its way to this one."""

KEPT_UNLINKED = 60.0
"""Seconds for which a peer without a link counts as wanting what it wanted: what it misses is counted meanwhile."""
KEPT_RELINKED = 300.0
"""The same once a stock peer is linked again. It never says what its browsers already have; they would miss it until
they navigate. What nobody there wants any more is sent for so long in vain."""
SNAPSHOT_TIME = 2.0
"""The same for an awxfast peer, which says it all as soon as it is linked."""


class DialledPeer(HeardPeer):
    """Keeps one link. Plain attributes are for statistics; `last_error` is in words."""

    def __init__(self, member: Member, own_node: OwnNode, counts: LinkCounts | None = None) -> None:
        super().__init__(member, own_node, counts or LinkCounts())
        self.target = Target.of(own_node.caller.protocol, member.host, member.port)
        self._backoff = Backoff()
        self._stale = StaleInterest(self._interest)
        self._noted: Sequence[str] = ()
        """What has come on another process's link, for each link of this one's beside it."""
        self._waiting: dict[int, list[bytes]] = {}
        """What has come beside that, by the link (`PeerInterest.link`)."""
        self._waiting_frames = self._waiting_bytes = 0
        self._said = ""
        self._offers = DialOffers(own_node.engine) if own_node.engine is not None else None
        self._offer: DialOffer | None = None
        """What the last dial said of the engine."""
        self.connected_at = 0.0
        self.last_error = ""
        self.clock_skew: int | None = None

    @property
    def up(self) -> bool:
        """Whether the link is there."""
        return self._link is not None

    @property
    def is_stock(self) -> bool:
        """Whether it is linked and does not say what only awxfast says."""
        return self._link is not None and not self._link.redis

    @property
    def state(self) -> str:
        """As the ledger shows it."""
        return "connected" if self.up else "refused" if self._said == REFUSED else "disconnected"

    @property
    def queued(self) -> int:
        """Frames that wait for it."""
        return self._link.queued_frames if self._link is not None else 0

    @property
    def queued_bytes(self) -> int:
        """How many bytes wait for the peer."""
        return self._link.queued_bytes if self._link is not None else 0

    async def run(self) -> None:
        """Dials the peer and keeps the link, again and again, until it is cancelled."""
        try:
            while not self._own_node.has_left:
                begun = time.monotonic()
                link = await self._dial()
                spent = time.monotonic() - begun
                if link is not None and not self._own_node.has_left:
                    await self._keep(link)
                await asyncio.sleep(self._backoff.next_pause(spent))
        finally:
            await self._leave()

    def socket_to_write(self) -> int:
        """The descriptor that the sharing may write to, if nothing waits on the link."""
        return self._link.socket_to_write() if self._link is not None else NONE

    def note_written(self, share: LinkShare, size: int) -> None:
        """Counts what the sharing wrote to the link's descriptor."""
        if self._link is not None:
            self._link.note_written(share, size)

    def send(self, share: LinkShare) -> None:
        """Passes on what somebody there wants, or counts that it is missed."""
        if self._link is not None:
            self._link.send(share)
        else:
            self.counts.queued += share.frames
            self.counts.dropped["disconnected"] += share.frames

    def hold_reading(self, hold: bool, reason: str = "crowd") -> None:
        """Because this node's Redis takes less than peers send, or for another `reason`."""
        if self._link is not None:
            self._link.hold_reading(reason, hold)

    def dial_again(self) -> None:
        """Both ends are in the engine by now."""
        if self._link is not None:
            self._link.close("the engine takes its place")

    # From one process to the next

    def drop_received(self) -> None:
        """What comes is another process's, which hears it on a link of its own."""
        if self._link is not None:
            self._link.drop_received()

    def begin_noting(self) -> None:
        """Another process is about to link beside this one."""
        self._doubles = Noted()

    def end_noting(self) -> None:
        """It will not, after all."""
        self._doubles = None

    async def flushed(self) -> None:
        """Returns when the peer has read all that was sent to it, or is gone."""
        if self._link is not None:
            await self._link.flushed()

    def freeze(self) -> dict[str, Any]:
        """What another process needs that is linked beside this one, as JSON has it. Nothing is read any more."""
        notices = [
            (notice.subscribe, notice.groups, notice.origin_channel, link == self._interest.link)
            for notice, link in self._notices.freeze()
        ]
        counts = freeze_counts(self.counts)
        counts["sent"] += self.queued  # this process still writes them
        return {
            "key": self.member.key,
            "up": self.up,
            "counts": counts,
            "interest": self._interest.freeze(),
            "notices": notices,
            "noted": self._doubles.freeze() if isinstance(self._doubles, Noted) else [],
            "clock_skew": self.clock_skew,
            "last_error": self.last_error,
        }

    def inherit(self, frozen: Mapping[str, Any]) -> None:
        """What `freeze` gave of this peer in the process before this one, before `end_waiting`."""
        add_counts(self.counts, read_counts(frozen["counts"]))
        self.received_before += frozen["counts"]["received"]
        self.clock_skew = frozen["clock_skew"] if self.clock_skew is None else self.clock_skew
        self.last_error = self.last_error or ("" if self.up else frozen["last_error"])
        self._noted = frozen["noted"]
        self._was_heard = frozen["up"]
        if self._is_told_of_interest():
            self._interest.inherit(frozen["interest"])
            for subscribe, groups, origin, is_fresh in frozen["notices"]:
                link = self._interest.link if is_fresh else self._interest.link - 1
                self._notices.put(Notice(subscribe, tuple(groups), origin), link)

    def end_waiting(self) -> None:
        """No other process has links any more: takes what came beside them, and what comes."""
        if self._link is not None:
            self._begin_interest(self._link)
        else:
            self._forget_link()
        self._waiting.setdefault(self._interest.link, [])
        waiting, self._waiting = self._waiting, {}
        noted, self._noted = self._noted, ()
        for link, payloads in waiting.items():  # each link begins within what was noted, or behind it
            self._doubles = doubles = Doubles(noted)
            for payload in payloads:
                self._take(payload, link)
        # a peer that says the same again and again must be heard again
        asyncio.get_running_loop().call_later(DOUBLES_SECONDS, doubles.end)
        self.hold_reading(False, "beside")

    def _wait(self, payload: bytes) -> None:
        self._waiting.setdefault(self._interest.link, []).append(payload)
        self._waiting_frames += 1
        self._waiting_bytes += len(payload)
        if self._waiting_frames >= BESIDE_FRAMES or self._waiting_bytes >= BESIDE_BYTES:
            self.hold_reading(True, "beside")

    # The link's life

    async def _dial(self) -> DialledLink | None:
        for _ in Era:  # after one answer that means the other era, that is tried at once
            try:
                link = await self._dial_once()
                self._choice.note_link()
                return link
            except DialError as error:
                failure = error.failure
                self._own_node.dials["refused", failure.kind] += 1
                if not self._choice.change_after(failure.kind):
                    break
        self._choice.note_failure()
        self._note_failure(failure)
        return None

    async def _dial_once(self) -> DialledLink:
        """The link, perhaps at the second try. Raises `DialError`."""
        offers, caller = self._offers, self._own_node.caller
        if offers is None:
            return await caller.dial(self.target, self.era, self._make_link)
        self._offer = offer = offers.next()
        try:
            return await caller.dial(self.target, self.era, self._make_link, offer)
        except DialError as error:
            following = await offers.after(offer, error.failure)
            if following is None:
                raise
        self._offer = following
        return await caller.dial(self.target, self.era, self._make_link, following)

    def _make_link(self, redis: str) -> DialledLink:
        """picows calls it at the 101, before the first frame."""
        link = DialledLink(self, self.counts, redis)
        self._link = link
        self._same_redis = False
        self._is_silent = self._offer is not None and self._offer.is_silent
        if self._offers is not None:
            self._offers.note_link()
        self.connected_at = time.time()
        self.received_before = self.counts.received
        self.last_error = ""
        if not self._own_node.is_beside:
            if not isinstance(self._doubles, Noted):  # what a process that leaves has noted, it has noted
                self._doubles = None
            self._begin_interest(link)
        return link

    def _begin_interest(self, link: DialledLink) -> None:
        if not self._is_told_of_interest():
            self._forget_interest()
        else:
            self._interest.want_always(METRICS_GROUP)
            self._stale.drop_after(SNAPSHOT_TIME if link.redis else KEPT_RELINKED)

    async def _keep(self, link: DialledLink) -> None:
        opened = time.monotonic()
        era = self.era.name.lower()
        self._own_node.dials["accepted", era] += 1
        link.hold_reading("crowd", self._own_node.crowded)
        self._say("up", f"connected to {self.member} ({era} era{self._words_of_link()})", logging.INFO)
        reason = await link.wait_closed()
        self._forget_link()
        self._backoff.note_link(time.monotonic() - opened)
        self.last_error = reason
        self._say("down", f"lost {self.member}: {reason}; dialling again", logging.WARNING)

    def _forget_link(self) -> None:
        self._link = None
        self._interest.mark_stale()
        self._stale.drop_after(KEPT_UNLINKED)

    async def _leave(self) -> None:
        self._forget_interest()
        if self._link is not None:
            self._link.close()
            await self._link.wait_closed()
        self._link = None
        self._stale.keep()

    def _note_failure(self, failure: DialFailure) -> None:
        self.last_error = failure.text
        if failure.clock_skew is not None:
            self.clock_skew = failure.clock_skew
        self._say(failure.kind, f"can't connect to {self.member}: {failure.text}", logging.WARNING)

    def _say(self, kind: str, text: str, level: int) -> None:
        """One line a change of state."""
        if kind != self._said:
            self._said = kind
            log.log(level, "%s", text)

    # What the peer sends

    def receive_text(self, payload: bytes) -> None:
        """Both eras' messages on either link: an awxfast server passes events of broadcast-era producers on."""
        if self._own_node.is_beside:
            self._wait(payload)
        else:
            self._take(payload, self._interest.link)

    def _words_of_link(self) -> str:
        if self._is_same_redis():
            return ", same Redis: nothing to pass on"
        return ", silent: events go by the engine" if self._is_silent else ""
