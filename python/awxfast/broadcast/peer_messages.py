"""What a peer says on its link: which groups are wanted there, and the events and metrics that it sends."""

import logging

from awxfast.broadcast.dialled_link import DialledLink
from awxfast.broadcast.doubles import Doubles, Noted
from awxfast.broadcast.era import Era, EraChoice
from awxfast.broadcast.interest import MAX_SUBSCRIPTIONS, PeerInterest
from awxfast.broadcast.link_counts import LinkCounts
from awxfast.broadcast.notice_queue import NoticeQueue
from awxfast.broadcast.own_node import OwnNode
from awxfast.broadcast.target import Member
from awxfast.quiet_log import QuietLog
from awxfast.wire.backplane import (
    METRICS_GROUP,
    Fault,
    GroupEvent,
    Notice,
    read_metrics,
    read_notice_or_event,
)

log = logging.getLogger(__name__)


class HeardPeer:
    """A peer as far as it is heard: what it wants is known here, what it sends goes to this node's Redis."""

    def __init__(self, member: Member, own_node: OwnNode, counts: LinkCounts) -> None:
        self.member = member
        self.counts = counts
        self.received_before = 0
        self._own_node = own_node
        self._choice = EraChoice(own_node.era)
        self._interest = PeerInterest(own_node.joined)
        self._notices = NoticeQueue(self._apply_notice, self._hold_notices)
        self._quiet = QuietLog(log)
        self._link: DialledLink | None = None
        self._same_redis = False
        self._is_silent = False
        self._doubles: Noted | Doubles | None = None
        self._was_heard = False
        """Whether the process before heard the peer to the end: what a link lost since has said is in its state."""

    @property
    def era(self) -> Era:
        """The one that it speaks, or is to be tried next."""
        return self._choice.current

    @property
    def waiting(self) -> int:
        """Groups that its browsers asked for and that wait for room."""
        return self._interest.waiting

    @property
    def is_silent(self) -> bool:
        """Whether the peer takes events from the engine that this node has, and none of the link."""
        return self._is_silent

    @property
    def could_be_silent(self) -> bool:
        """Whether the link carries events although the peer's Redis is served through the engine by now."""
        engine, link = self._own_node.engine, self._link
        if engine is None or link is None or self._is_silent or self._is_same_redis():
            return False
        return engine.has_taker_at(link.redis)

    def choose(self, groups: frozenset[str]) -> frozenset[str]:
        """Those of `groups` that somebody there wants."""
        wanted = self._interest.groups
        if not wanted or self._is_silent or self._is_same_redis():
            return frozenset()
        return groups if wanted >= groups else frozenset(wanted & groups)

    def _is_told_of_interest(self) -> bool:
        return self.era is Era.RELAY and not self._is_silent and not self._is_same_redis()

    def _take(self, payload: bytes, link: int) -> None:
        message = read_notice_or_event(payload, self._own_node.backplane_group)
        if isinstance(message, Fault):
            self.counts.skipped[message] += 1
        elif self._is_same_redis():
            self.counts.skipped["same_redis"] += 1
        elif self._is_by_engine(message):
            self.counts.skipped["engine"] += 1
        elif isinstance(message, Notice):
            self._receive_notice(message, link)
        elif self._doubles is not None and self._doubles.is_double(payload):
            self.counts.received -= 1
            self.counts.received_bytes -= len(payload)
            self.received_before -= link != self._interest.link
        elif message.group == METRICS_GROUP:
            self._receive_metrics(message)
        else:
            self._own_node.redis.send(message.group, message.text.encode())

    def _is_by_engine(self, message: Notice | GroupEvent) -> bool:
        """Whether there is no need of it, since the engine brings events in that direction."""
        engine = self._own_node.engine
        if engine is None:
            return False
        if isinstance(message, Notice):
            return self._is_silent
        return self._link is not None and engine.replaces_link_from(self._link.redis)

    def _receive_notice(self, notice: Notice, link: int) -> None:
        if self.era is not Era.RELAY:
            self.counts.skipped["notice"] += 1
        elif link == self._interest.link or not self._was_heard:  # else what was said later would be undone
            self._notices.put(notice, link)

    def _apply_notice(self, notice: Notice, link: int) -> None:
        interest = self._interest
        refused = interest.refused
        interest.apply(notice, link)
        if interest.refused > refused:
            self.counts.no_room += interest.refused - refused
            text = f"{self.member} asks for more than {MAX_SUBSCRIPTIONS} groups; {interest.waiting} wait for room"
            self._quiet.warn("no room", text)
        if interest.forgotten and interest.has_room and self._link is not None and self._link.redis:
            interest.forgotten = False
            self._link.close("there is room for groups that it has to name again")

    def _hold_notices(self, hold: bool) -> None:
        if self._link is not None:
            self._link.hold_reading("notices", hold)

    def _forget_interest(self) -> None:
        self._notices.clear()
        self._interest.clear()

    def _receive_metrics(self, event: GroupEvent) -> None:
        metrics = read_metrics(event.text)
        if isinstance(metrics, Fault):
            self.counts.skipped[metrics] += 1
        elif not self._own_node.redis.store(metrics.key, metrics.value):
            self.counts.skipped["metrics_overflow"] += 1

    def _is_same_redis(self) -> bool:
        """Then its browsers get from Redis whatever ours do. It may show late: our Redis was away, or restarted."""
        named = self._link.redis if self._link is not None else ""
        if not self._same_redis and named and named in self._own_node.own_redis():
            self._same_redis = True
            self._forget_interest()
        return self._same_redis
