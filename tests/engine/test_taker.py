"""One process at an engine: what it hears, says and takes, and how another one takes its place."""

import asyncio
import dataclasses
from collections import Counter
from typing import Any

import pytest
from awxfast.engine import taker as taker_module
from awxfast.engine.arrivals import Arrivals
from awxfast.engine.nats_channels import NatsChannels
from awxfast.engine.packet_checks import PacketChecks
from awxfast.engine.taker import Taker, name_taker
from awxfast.engine.voice import Voice
from awxfast.wire.backplane import Fault
from awxfast.wire.engine_notices import Ask, Beat, Bye, Change, Heir, Listing, Notice, encode_notice, read_notice
from awxfast.wire.engine_packets import split_texts
from engine.fake_carrier import Exchange
from engine.packets import ORIGIN, PUBLISHER, packet
from serving import until

REDIS = "d" * 32
WHO = name_taker("token")
PUBLISHERS_BEAT = Beat(who=PUBLISHER, node="awx-2", redis="a" * 32, role="publisher")


class Process:
    """A taker, and the process around it."""

    def __init__(self, exchange: Exchange, who: str = WHO) -> None:
        self.exchange = exchange
        self.carrier = exchange.connect()
        self.names = NatsChannels("awxfast")
        self.redis_name: str | None = REDIS
        self.redis_names = [REDIS, "e" * 32]
        self.texts: list[str] = []
        self.gaps: Counter[str] = Counter()
        self.taker = Taker(Voice(self.carrier, who, "awx-1", self), self.count_gap, self.make_arrivals)

    def make_arrivals(self, checks: PacketChecks) -> Arrivals:
        async def wait(seconds: float) -> None:
            raise AssertionError(seconds)

        return Arrivals(checks, self, None, lambda *_: None, wait)

    def publish_packets(self, packets: list[tuple[str, bytes]]) -> tuple[list[str], list[Any]]:
        self.texts += [text.decode() for _, body in packets for text in split_texts(body)]
        return [], []

    def wait_time(self) -> float:
        return 0.0

    def count_gap(self, reason: str, at_most: int) -> None:
        self.gaps[reason] += at_most

    async def start(self) -> "Process":
        await self.taker.start()
        await self.settle()
        return self

    async def settle(self) -> None:
        """Until all that is wanted is told, and what was said is heard."""
        for _ in range(10):
            await asyncio.sleep(0)
        await self.taker.told.wait_settled()

    def hear(self, notice: Notice) -> None:
        """Somebody says it."""
        self.exchange.send(self.names.wants, encode_notice(notice))

    def send(self, number: int, *texts: str, group: str = "a") -> None:
        """The publisher publishes."""
        self.exchange.send(self.names.of(group), packet(number, *texts))

    def said(self, kind: type) -> list[Any]:
        """What all said of that kind."""
        notices = [read_notice(message) for channel, message in self.exchange.sent if channel == self.names.wants]
        return [notice for notice in notices if isinstance(notice, kind)]


@pytest.fixture
async def process() -> Process:
    return await Process(Exchange()).start()


class TestTaking:
    async def test_events_of_groups_that_it_holds_come(self, process: Process) -> None:
        process.taker.note_held(["a"])
        await process.settle()
        process.send(1, "one", "two")
        process.send(1, "elsewhere", group="b")
        await until(lambda: process.texts == ["one", "two"])

    async def test_they_end_with_the_last_who_holds_it(self, process: Process) -> None:
        process.taker.note_held(["a"])
        await process.settle()
        process.taker.note_left(["a"])
        await process.settle()
        process.send(1, "one")
        await process.settle()
        assert (process.texts, len(process.taker.checks.numbers)) == ([], 0)

    async def test_metrics_are_wanted_whoever_is_here(self, process: Process) -> None:
        process.taker.note_held(["metrics"])
        process.taker.note_left(["metrics"])
        await process.settle()
        assert process.carrier.subscribed == {process.names.wants, process.names.of("metrics")}
        assert [notice.add for notice in process.said(Change)] == [("metrics",)]

    @pytest.mark.parametrize("redis", [REDIS, "e" * 32])
    async def test_events_of_its_own_redis_are_left_to_that(self, process: Process, redis: str) -> None:
        process.redis_names = [redis]
        process.taker.note_held(["a"])
        await process.settle()
        origin = dataclasses.replace(ORIGIN, redis=redis)
        process.exchange.send(process.names.of("a"), packet(1, "x", origin=origin))
        await process.settle()
        assert (process.texts, process.taker.checks.events) == ([], {"own_redis": 1})

    async def test_what_was_lost_in_a_cut_is_a_gap(self, process: Process) -> None:
        process.taker.note_held(["a"])
        await process.settle()
        process.carrier.cut()
        process.send(1, "one")
        process.send(2, "two")
        process.carrier.mend()
        process.send(3, "three")
        await until(lambda: process.texts == ["three"])
        assert process.gaps == {"engine_missed": 2}

    async def test_it_says_at_once_that_it_is_back(self, process: Process) -> None:
        said = len(process.said(Beat))
        process.carrier.cut()
        process.carrier.mend()
        assert len(process.said(Beat)) == said + 1


class TestNotices:
    async def test_it_says_that_it_is_there_and_when_it_leaves(self, process: Process) -> None:
        beat = process.said(Beat)[-1]
        assert (beat.who, beat.node, beat.redis, beat.role) == (WHO, "awx-1", REDIS, "taker")
        await process.taker.stop()
        assert process.said(Bye) == [Bye(who=WHO)]

    async def test_whoever_asks_hears_what_it_wants(self, process: Process) -> None:
        process.hear(Ask(of=None))
        await until(lambda: len(process.said(Listing)) == 1)
        assert process.said(Listing)[0].groups == ("metrics",)

    async def test_publishers_are_heard_until_they_leave(self, process: Process) -> None:
        process.hear(PUBLISHERS_BEAT)
        await process.settle()
        assert process.taker.publishers.is_heard(PUBLISHER)
        process.hear(Bye(who=PUBLISHER))
        await process.settle()
        assert not process.taker.publishers.is_heard(PUBLISHER)

    async def test_what_is_no_notice_is_counted(self, process: Process) -> None:
        process.exchange.send(process.names.wants, b"{")
        process.exchange.send(process.names.wants, b'{"kind": "dance"}')
        await process.settle()
        assert process.taker.notices.faults == {Fault.NOT_JSON: 1, Fault.OTHER_TYPE: 1}

    async def test_redis_that_does_not_say_which_it_is_is_nobody_elses(self) -> None:
        exchange = Exchange()
        first, second = Process(exchange), Process(exchange, "f" * 16)
        for one in (first, second):
            one.redis_name = ""
            await one.start()
        names = {beat.redis for beat in first.said(Beat)}
        assert len(names) == 2 and all(len(name) == 32 for name in names)


class TestLinks:
    async def test_what_a_link_brings_too_is_taken_once(self, process: Process) -> None:
        process.taker.note_held(["a"])
        await process.settle()
        process.taker.note_link(PUBLISHER, 1)
        process.send(1, "by both")
        await process.settle()
        process.taker.note_link(PUBLISHER, -1)
        process.send(2, "by the engine alone")
        await until(lambda: process.texts == ["by the engine alone"])
        assert process.gaps == {}

    async def test_other_processes_on_its_redis_hear_of_links(self, process: Process) -> None:
        other = await Process(process.exchange, "f" * 16).start()
        stranger = Process(process.exchange, "9" * 16)
        stranger.redis_names = ["7" * 32]
        await stranger.start()
        for one in (other, stranger):
            one.taker.note_held(["a"])
            await one.settle()
        process.taker.note_link(PUBLISHER, 1)
        await process.settle()
        process.send(1, "x")
        await until(lambda: stranger.texts == ["x"])
        assert (other.texts, other.taker.checks.events) == ([], {"linked": 1})


class TestHandingOver:
    async def test_nothing_is_lost_or_twice(self, process: Process) -> None:
        process.taker.note_held(["a"])
        await process.settle()
        heir = Process(process.exchange)
        await heir.taker.look_ahead()
        process.send(1, "one")
        process.taker.note_held(["b"])
        await process.taker.rest()
        process.send(1, "of b", group="b")
        await process.settle()
        frozen = process.taker.freeze()
        process.send(2, "two")  # nobody turns the loop between the two
        process.taker.abandon()
        heir.taker.inherit(frozen)
        heir.taker.note_held(["a", "b"])
        heir.taker.go_on()
        process.send(3, "three")
        await heir.settle()
        assert (process.texts, heir.texts) == (["one", "of b"], ["two", "three"])
        assert (process.gaps, heir.gaps) == ({}, {})

    async def test_publishers_hear_of_one_taker_all_the_time(self, process: Process) -> None:
        process.taker.note_held(["a"])
        await process.settle()
        heir = Process(process.exchange)
        await heir.taker.look_ahead()
        assert {notice.who for notice in process.said(Change)} == {WHO}
        before = len(process.said(Change))
        process.taker.abandon()
        heir.taker.inherit(process.taker.freeze())
        heir.taker.note_held(["a", "c"])
        await heir.taker.start()
        heir.taker.go_on()
        await heir.settle()
        listing = process.said(Listing)[-1]
        assert (listing.who, set(listing.groups)) == (WHO, {"a", "metrics", "c"})
        assert listing.version == process.taker.told.version + 1
        assert ([notice.add for notice in process.said(Change)[before:]], process.said(Bye)) == ([], [])
        await process.taker.stop()
        assert process.said(Bye) == []

    async def test_what_nobody_holds_any_more_is_wanted_no_more(self, process: Process) -> None:
        process.taker.note_held(["a", "b"])
        await process.settle()
        heir = Process(process.exchange)
        await heir.taker.look_ahead()
        assert heir.names.of("b") in heir.carrier.subscribed
        heir.taker.inherit(process.taker.freeze())
        process.taker.abandon()
        heir.taker.note_held(["a"])
        heir.taker.go_on()
        await heir.settle()
        assert heir.carrier.subscribed == {heir.names.wants, heir.names.of("a"), heir.names.of("metrics")}

    async def test_change_that_it_missed_is_asked_for(self, process: Process) -> None:
        heir = Process(process.exchange)
        await heir.taker.look_ahead()
        process.exchange.drop = 1
        process.taker.note_held(["lost"])
        await process.settle()
        process.taker.note_held(["heard"])
        await process.taker.rest()
        assert {heir.names.of("lost"), heir.names.of("heard")} <= heir.carrier.subscribed

    async def test_nobody_is_waited_for_while_the_engine_is_away(
        self, process: Process, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        monkeypatch.setattr(taker_module, "SILENT_HEIR_SECONDS", 3600)
        process.carrier.cut()
        await process.taker.rest()

    @pytest.mark.parametrize(("speaks", "bound"), [(True, "HEIR_SECONDS"), (False, "SILENT_HEIR_SECONDS")])
    async def test_heir_that_is_silent_is_not_waited_for_for_ever(
        self, process: Process, monkeypatch: pytest.MonkeyPatch, speaks: bool, bound: str
    ) -> None:
        monkeypatch.setattr(taker_module, bound, 0.01)
        if speaks:
            process.hear(Heir(who=WHO, version=1))
            await process.settle()
        await process.taker.rest()

    async def test_where_nobody_answers_it_begins_by_itself(
        self, process: Process, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        monkeypatch.setattr(taker_module, "LOOK_SECONDS", 0.01)
        heir = Process(Exchange())
        await heir.taker.look_ahead()
        heir.taker.inherit(None)
        heir.taker.note_held(["a"])
        heir.taker.go_on()
        await heir.settle()
        heir.send(1, "one")
        await until(lambda: heir.texts == ["one"])

    async def test_heir_that_gives_up_takes_no_leave(self, process: Process) -> None:
        heir = Process(process.exchange)
        await heir.taker.look_ahead()
        await heir.taker.stop()
        assert process.said(Bye) == []
