"""A publisher at an engine: what it says of itself, whom it asks, and what it publishes for whom."""

import asyncio
from collections.abc import AsyncIterator

import pytest
from awxfast.engine import departures, roll_call
from awxfast.engine.nats_channels import NatsChannels
from awxfast.engine.publisher import Publisher, name_publisher
from awxfast.engine.voice import Voice
from awxfast.wire.engine_notices import Ask, Beat, Bye, Change, Listing, Notice, encode_notice, read_notice
from awxfast.wire.engine_packets import EventPacket, encode_texts, read_packet
from engine.fake_carrier import Exchange, FakeCarrier
from peer_server import until

NAMES = NatsChannels("awxfast")

OWN, OTHER = "aa" * 16, "bb" * 16
TAKER, SECOND = "1" * 16, "2" * 16
WHO = name_publisher("token")


class Redis:
    """This node's."""

    redis_name: str | None = OWN
    redis_names = (OWN,)


class Joining:
    joining = 0

    def __init__(self) -> None:
        self.groups: set[str] = set()

    def want(self, group: str) -> None:
        self.groups.add(group)

    def unwant(self, group: str) -> None:
        self.groups.discard(group)


class Stage:
    """A publisher, and somebody who takes."""

    def __init__(self) -> None:
        self.exchange, self.joining = Exchange(), Joining()
        self.carrier: FakeCarrier = self.exchange.connect()
        self.publisher = self.make()
        self.task: asyncio.Task[None] | None = None

    def make(self) -> Publisher:
        always = ("metrics", "backplane")
        return Publisher(Voice(self.carrier, WHO, "web-1", Redis()), self.joining, always)

    async def start(self) -> None:
        self.publisher.begin()
        self.task = asyncio.create_task(self.publisher.run())
        await until(lambda: self.publisher.up)

    def say(self, notice: Notice) -> None:
        self.exchange.send(NAMES.wants, encode_notice(notice))

    def tell_all(self, version: int, *groups: str, redis: str = OTHER, who: str = TAKER) -> None:
        self.say(Listing(who=who, node="n", redis=redis, version=version, part=0, parts=1, groups=groups))

    def said(self, kind: type[Notice]) -> list[Notice]:
        """What the publisher has said of this kind."""
        notices = [read_notice(message) for channel, message in self.exchange.sent if channel == NAMES.wants]
        return [one for one in notices if isinstance(one, kind) and getattr(one, "who", WHO) == WHO]

    def publish(self, group: str, *texts: bytes) -> None:
        self.publisher.publish([(group, len(texts), encode_texts(texts))])

    @property
    def packets(self) -> list[tuple[str, int, int]]:
        """Groups with the number of the first event, and of events."""
        read = [(NAMES.group(channel), read_packet(message)) for channel, message in self.exchange.sent]
        return [(group, one.number, one.count) for group, one in read if isinstance(one, EventPacket)]


@pytest.fixture
async def stage() -> AsyncIterator[Stage]:
    stage = Stage()
    await stage.start()
    yield stage
    if stage.task is not None:
        stage.task.cancel()
        await asyncio.gather(stage.task, return_exceptions=True)


class TestStart:
    async def test_asks_all_and_says_that_it_is_there(self, stage: Stage) -> None:
        await until(lambda: stage.said(Beat))
        (beat,) = stage.said(Beat)
        assert beat == Beat(who=WHO, node="web-1", redis=OWN, role="publisher")
        assert stage.said(Ask)[0] == Ask(of=None)

    async def test_somebody_new_is_greeted_soon(self, stage: Stage) -> None:
        await until(lambda: stage.said(Beat))
        stage.say(Beat(who=TAKER, node="n", redis=OTHER, role="taker", version=3))
        await until(lambda: len(stage.said(Beat)) == 2)
        await until(lambda: Ask(of=(TAKER,)) in stage.said(Ask))

    async def test_end_is_said(self, stage: Stage) -> None:
        await stage.publisher.stop()
        await stage.publisher.stop()
        assert stage.said(Bye) == [Bye(who=WHO)]

    async def test_nothing_is_said_beside_another_process(self) -> None:
        stage = Stage()
        stage.publisher.is_beside = True
        task = asyncio.create_task(stage.publisher.run())
        await until(lambda: stage.said(Ask))
        stage.tell_all(1, "a")
        await until(lambda: "a" in stage.publisher.wanted)
        await stage.publisher.stop()
        task.cancel()
        assert (stage.said(Beat), stage.said(Bye), stage.joining.groups) == ([], [], set())


class TestAnnouncement:
    async def test_is_over_when_our_own_word_has_come_back(self, stage: Stage) -> None:
        assert await stage.publisher.announce(20.0)
        stage.exchange.hold()
        assert not await stage.publisher.announce(0.05)
        waiting = asyncio.create_task(stage.publisher.announce(20.0))
        await asyncio.sleep(0)
        stage.exchange.let_go()
        assert await waiting


class TestPublishing:
    async def test_what_a_taker_wants_is_joined_and_published(self, stage: Stage) -> None:
        stage.tell_all(1, "a")
        await until(lambda: stage.joining.groups == {"a", "metrics", "backplane"})
        stage.publish("a", b"1", b"2")
        stage.publish("b", b"3")
        assert stage.packets == [("a", 1, 2)]
        assert stage.publisher.figures().events == {"sent": 2, "not_wanted": 1}

    async def test_taker_on_the_same_redis_gets_it_from_there(self, stage: Stage) -> None:
        stage.tell_all(1, "a", redis=OWN)
        await until(lambda: stage.publisher.known.takers)
        stage.publish("a", b"1")
        assert (stage.packets, stage.joining.groups) == ([], set())

    async def test_what_nobody_wants_any_more_is_left(self, stage: Stage) -> None:
        stage.tell_all(1, "a")
        await until(lambda: "a" in stage.joining.groups)
        stage.say(Change(who=TAKER, node="n", redis=OTHER, version=2, drop=("a",)))
        await until(lambda: "a" not in stage.joining.groups)

    async def test_after_a_cut_all_are_asked(self, stage: Stage) -> None:
        stage.carrier.cut()
        stage.carrier.mend()
        await until(lambda: stage.said(Ask).count(Ask(of=None)) == 2)

    async def test_what_is_no_notice_is_counted(self, stage: Stage) -> None:
        stage.exchange.send(NAMES.wants, b"{")
        await until(lambda: stage.publisher.figures().faults == {"not_json": 1})


class TestCuts:
    async def serve(self, stage: Stage) -> None:
        stage.tell_all(1, "a")
        stage.tell_all(1, "a", who=SECOND)
        stage.tell_all(1, "b", who="3" * 16, redis=OWN)
        await until(lambda: len(stage.publisher.known.takers) == 3)
        stage.carrier.cut()
        stage.carrier.mend()
        stage.publish("a", b"1")

    async def test_events_wait_until_each_taker_that_was_there_is_back(self, stage: Stage) -> None:
        await self.serve(stage)
        stage.say(Beat(who=TAKER, node="n", redis=OTHER, role="taker", version=1))
        stage.publish("a", b"2")
        await asyncio.sleep(0.01)
        assert stage.packets == []
        stage.tell_all(1, "a", who=SECOND)
        await until(lambda: stage.packets == [("a", 1, 1), ("a", 2, 1)])

    async def test_taker_that_is_gone_is_not_waited_for(self, stage: Stage, monkeypatch: pytest.MonkeyPatch) -> None:
        monkeypatch.setattr(roll_call, "HOLD_SECONDS", 0.1)
        await self.serve(stage)
        stage.say(Bye(who=SECOND))
        await until(lambda: stage.packets == [("a", 1, 1)])

    async def test_words_and_not_marks_go_ahead_of_events_that_wait(
        self, stage: Stage, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        monkeypatch.setattr(departures, "MARKS", (0.0,) * 7)
        await self.serve(stage)
        await until(lambda: stage.said(Ask).count(Ask(of=None)) == 2)
        for _ in range(3):
            stage.publisher._look()
        assert [events for _, _, events in stage.carrier._waiting] == [1]

    async def test_end_holds_nothing(self, stage: Stage) -> None:
        await self.serve(stage)
        await stage.publisher.stop()
        assert stage.packets == [("a", 1, 1)]


class TestLinks:
    async def test_taker_that_is_asked_for_is_heard(self, stage: Stage) -> None:
        assert not stage.publisher.hears(TAKER)
        hearing = asyncio.create_task(stage.publisher.wait_heard(TAKER, 20.0))
        await until(lambda: Ask(of=(TAKER,)) in stage.said(Ask))
        stage.tell_all(1)
        assert await hearing

    async def test_link_is_replaced_where_both_directions_are_there(self, stage: Stage) -> None:
        stage.say(Beat(who=SECOND, node="n", redis=OTHER, role="publisher"))
        await until(lambda: stage.publisher.known.publishers)
        assert not stage.publisher.replaces_link_from(OTHER)
        stage.tell_all(1, redis=OWN)
        await until(lambda: stage.publisher.replaces_link_from(OTHER))
        assert not stage.publisher.replaces_link_from("cc" * 16)


class TestNextProcess:
    async def test_goes_on_where_this_one_was(self, stage: Stage) -> None:
        stage.tell_all(1, "a")
        await until(lambda: "a" in stage.joining.groups)
        stage.publish("a", b"1")
        frozen = stage.publisher.freeze()
        heir = stage.make()
        heir.inherit(frozen)
        heir.begin()
        heir.publish([("a", 1, encode_texts([b"2"]))])
        assert stage.packets == [("a", 1, 1), ("a", 2, 1)]
        assert heir.figures().events == {"sent": 2, "not_wanted": 0}


async def test_losses_are_told_as_a_sum(stage: Stage, caplog: pytest.LogCaptureFixture) -> None:
    publisher = stage.publisher
    for events in (1, 4):
        publisher.note_lost(events, "queue_full")
    publisher._quiet.flush("queue_full")
    assert caplog.messages == [
        "engine: events lost since the start: 1 (queue_full)",
        "engine: events lost since the start: 5 (queue_full)",
    ]
