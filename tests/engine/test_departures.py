"""What leaves for an engine: numbers of each group, marks when it is quiet, and what is counted as lost."""

import pytest
from awxfast.engine import departures as departures_module
from awxfast.engine.departures import MARKS, Departures
from awxfast.engine.nats_channels import NatsChannels
from awxfast.wire.engine_packets import HEADER_BYTES, EventPacket, Mark, encode_texts, read_packet
from engine.fake_carrier import Exchange, FakeCarrier

NAMES = NatsChannels("awxfast")

REDIS = "ab" * 16


class Fixture:
    def __init__(self, most_bytes: int = 1_000) -> None:
        self.exchange = Exchange(most_bytes)
        self.carrier: FakeCarrier = self.exchange.connect()
        self.carrier.up = True
        self.redis = REDIS
        self.at = 1_000.0
        self.departures = self.successor()

    def successor(self) -> Departures:
        return Departures(self.carrier, "12" * 8, lambda: self.redis, lambda: self.at)

    def publish(self, group: str, *texts: bytes) -> None:
        self.departures.publish(group, len(texts), encode_texts(texts))

    def after(self, seconds: float) -> list[tuple[str, int]]:
        """The marks that leave so many seconds later."""
        self.at += seconds
        del self.exchange.sent[:]
        self.departures.send_marks()
        marks = [(NAMES.group(channel), read_packet(message)) for channel, message in self.exchange.sent]
        return [(group, mark.number) for group, mark in marks if isinstance(mark, Mark)]

    @property
    def packets(self) -> list[EventPacket]:
        packets = [read_packet(message) for _, message in self.exchange.sent]
        return [packet for packet in packets if isinstance(packet, EventPacket)]


class TestNumbers:
    def test_each_group_counts_its_events_from_1(self) -> None:
        fixture = Fixture()
        fixture.publish("a", b"1", b"2")
        fixture.publish("b", b"1")
        fixture.publish("a", b"3")
        assert [(packet.number, packet.count) for packet in fixture.packets] == [(1, 2), (1, 1), (3, 1)]
        assert [channel for channel, _ in fixture.exchange.sent] == [NAMES.of(group) for group in "aba"]

    def test_packet_says_whose_events_these_are(self) -> None:
        fixture = Fixture()
        fixture.publish("a", b"1")
        fixture.redis = "cd" * 16
        fixture.publish("a", b"2")
        first, second = (packet.origin for packet in fixture.packets)
        assert (first.redis, second.redis, first.publisher) == (REDIS, "cd" * 16, "12" * 8)
        assert first.epoch == second.epoch

    def test_next_process_counts_on(self) -> None:
        fixture = Fixture()
        fixture.publish("a", b"1", b"2")
        frozen = fixture.departures.freeze()
        fixture.departures = fixture.successor()
        fixture.departures.inherit(frozen)
        fixture.publish("a", b"3")
        assert [packet.number for packet in fixture.packets] == [1, 3]
        assert len({packet.origin.epoch for packet in fixture.packets}) == 1
        assert fixture.departures.events == 3

    def test_group_that_was_quiet_for_long_begins_a_new_epoch(self) -> None:
        fixture = Fixture()
        fixture.publish("a", b"1")
        for seconds in (*MARKS, 121.0):
            fixture.after(seconds)
        first = fixture.departures.groups
        fixture.publish("a", b"2")
        assert (first, fixture.packets[0].number) == (0, 1)

    def test_groups_are_bounded(self, monkeypatch: pytest.MonkeyPatch) -> None:
        monkeypatch.setattr(departures_module, "MOST_GROUPS", 2)
        fixture = Fixture()
        for group in "abcb":
            fixture.publish(group, b"x")
        assert fixture.departures.groups == 2
        assert [packet.number for packet in fixture.packets] == [1, 1, 1, 2]


class TestLosses:
    def test_event_too_large_for_the_engine_is_counted_and_missed_by_receivers(self) -> None:
        fixture = Fixture(100)
        fixture.publish("a", b"x" * 100)
        fixture.publish("a", b"y")
        assert +fixture.departures.dropped == {"too_large": 1}
        assert [packet.number for packet in fixture.packets] == [2]

    def test_texts_leave_room_for_the_header(self) -> None:
        assert Fixture(1_000).departures.most_bytes == 1_000 - HEADER_BYTES
        assert Fixture(10_000_000).departures.most_bytes == 262_144 - HEADER_BYTES

    def test_what_the_carrier_loses_is_counted_by_reason(self) -> None:
        fixture = Fixture()
        fixture.departures.note_lost(3, "queue_full")
        assert +fixture.departures.dropped == {"queue_full": 3}


class TestMarks:
    def test_quiet_group_is_marked_ever_more_seldom(self) -> None:
        fixture = Fixture()
        fixture.publish("a", b"1", b"2")
        came = {second: fixture.after(1.0) for second in range(1, 110)}
        assert [second for second, marks in came.items() if marks == [("a", 2)]] == [1, 2, 4, 8, 16, 32, 64]

    def test_busy_group_is_not_marked(self) -> None:
        fixture = Fixture()
        for _ in range(5):
            fixture.publish("a", b"1")
            assert fixture.after(0.9) == []

    def test_event_begins_the_marks_anew(self) -> None:
        fixture = Fixture()
        fixture.publish("a", b"1")
        fixture.after(1.0)
        fixture.publish("a", b"2")
        assert (fixture.after(0.5), fixture.after(0.5)) == ([], [("a", 2)])

    def test_while_nothing_can_be_sent_they_wait_and_come_all_again(self) -> None:
        fixture = Fixture()
        fixture.publish("a", b"1")
        assert fixture.after(70.0) != []
        fixture.carrier.up = False
        assert fixture.after(500.0) == []
        fixture.carrier.up = True
        assert (fixture.after(0.0), fixture.after(1.0)) == ([], [("a", 1)])

    def test_after_a_loss_they_are_due_again(self) -> None:
        fixture = Fixture()
        fixture.publish("a", b"1")
        for _ in range(65):
            fixture.after(1.0)
        fixture.departures.note_lost(1, "queue_full")
        fixture.after(0.0)
        assert fixture.after(1.0) == [("a", 1)]

    def test_some_at_a_time(self, monkeypatch: pytest.MonkeyPatch) -> None:
        monkeypatch.setattr(departures_module, "MOST_MARKS", 2)
        fixture = Fixture()
        for group in "abc":
            fixture.publish(group, b"1")
        assert [group for group, _ in fixture.after(1.0)] == ["a", "b"]
        assert [group for group, _ in fixture.after(0.0)] == ["c"]
