"""Which messages are packets, which of them come another way, and what of them is new."""

import dataclasses
from collections import Counter

import orjson
import pytest
from awxfast.engine import packet_checks
from awxfast.engine.packet_checks import OTHERS, PacketChecks
from awxfast.wire.engine_packets import MOST_NUMBER, encode_texts
from engine.packets import ORIGIN, PUBLISHER, REDIS, mark, packet


class Room:
    """Checks, with what they ask and count."""

    def __init__(self) -> None:
        self.own: set[str] = set()
        self.linked: set[str] = set()
        self.gaps: Counter[str] = Counter()
        self.checks = PacketChecks(self.count_gap, self.own.__contains__, self.linked.__contains__)

    def count_gap(self, reason: str, at_most: int) -> None:
        self.gaps[reason] += at_most

    def check(self, message: bytes, group: str = "a") -> bytes | None:
        return self.checks.check(group, message)


@pytest.fixture
def room() -> Room:
    return Room()


def texts(*of: str) -> bytes:
    return encode_texts([text.encode() for text in of])


class TestPackets:
    def test_texts_of_a_packet_are_new_once(self, room: Room) -> None:
        message = packet(1, "one", "two")
        assert (room.check(message), room.check(message)) == (texts("one", "two"), None)
        assert (room.checks.events, room.gaps) == ({"taken": 2, "double": 2}, {})

    def test_what_is_missing_is_a_gap_of_so_many_events(self, room: Room) -> None:
        for message in (packet(5, "x"), packet(9, "y"), mark(12)):
            room.check(message)
        assert room.gaps == {"engine_missed": 6}
        assert room.checks.lost == {"missed": 6, "behind": 0}

    def test_only_what_is_new_in_a_packet_goes_on(self, room: Room) -> None:
        room.check(packet(1, "one", "two"))
        assert room.check(packet(2, "two", "three", "four")) == texts("three", "four")

    @pytest.mark.parametrize(
        ("message", "fault"),
        [
            (b"", "no_packet"),
            (b'{"kind": "bye"}' + b" " * 60, "no_packet"),
            (packet(1, "x")[:2] + b"\x09" + packet(1, "x")[3:], "other_version"),
            (packet(1, "x") + b"y", "sizes"),
        ],
    )
    def test_message_that_is_no_packet_is_counted(self, room: Room, message: bytes, fault: str) -> None:
        assert room.check(message) is None
        assert (room.checks.faults, room.checks.events) == ({fault: 1}, {})


class TestOtherWays:
    def test_events_of_the_own_redis_come_from_it(self, room: Room) -> None:
        room.own.add(REDIS)
        assert [room.check(packet(1, "x")), room.check(packet(9, "x", "y"))] == [None, None]
        assert (room.checks.events, room.gaps, len(room.checks.numbers)) == ({"own_redis": 3}, {}, 0)

    def test_events_of_a_publisher_with_a_link_come_over_that(self, room: Room) -> None:
        room.linked.add(PUBLISHER)
        assert [room.check(packet(1, "x")), room.check(packet(9, "x"))] == [None, None]
        room.linked.clear()
        assert room.check(packet(10, "z")) == texts("z")
        assert (room.checks.events, room.gaps) == ({"linked": 2, "taken": 1}, {})


class TestLosing:
    def test_message_that_finds_no_room_is_a_gap_of_what_was_new(self, room: Room) -> None:
        room.check(packet(1, "one"))
        room.checks.lose("a", packet(1, "one", "two", "three"))
        room.checks.lose("a", mark(3))
        room.checks.lose("a", b"no packet")
        assert room.check(packet(4, "four")) == texts("four")
        assert (room.gaps, room.checks.lost) == ({"engine_behind": 2}, {"missed": 0, "behind": 2})


class TestOrigins:
    def test_each_publisher_is_counted_by_itself(self, room: Room) -> None:
        other = dataclasses.replace(ORIGIN, publisher="c" * 16)
        for message in (packet(1, "x"), packet(3, "y"), packet(3, "y"), packet(1, "z", origin=other)):
            room.check(message)
        room.checks.name("c" * 16, "node-3")
        room.checks.name("d" * 16, "node-4")
        counts = {who: dataclasses.astuple(one)[1:] for who, one in room.checks.origins.items()}
        assert counts == {PUBLISHER: (2, 1, 1, ""), "c" * 16: (1, 0, 0, "node-3")}

    def test_there_is_a_bound_of_them(self, room: Room, monkeypatch: pytest.MonkeyPatch) -> None:
        monkeypatch.setattr(packet_checks, "MOST_ORIGINS", 3)
        for number in range(10):
            room.check(packet(1, "x", origin=dataclasses.replace(ORIGIN, publisher=f"{number:016}")))
        assert (len(room.checks.origins), room.checks.origins[OTHERS].events) == (4, 7)


def test_another_process_goes_on_with_them(room: Room) -> None:
    room.check(packet(1, "one", "two"))
    heir = Room()
    heir.checks.inherit(room.checks.freeze())
    heir.checks.ignores_doubles = True
    assert [heir.check(packet(2, "two")), heir.check(packet(3, "three"))] == [None, texts("three")]
    assert (heir.checks.events, heir.checks.origins[PUBLISHER].events) == ({"taken": 3}, 3)


def test_invented_numbers_keep_nobody_from_telling_what_was_lost(room: Room) -> None:
    """JSON's numbers have an end."""
    room.check(packet(1, "one"))
    for epoch in range(4_000):
        room.check(packet(MOST_NUMBER - 1, "x", origin=dataclasses.replace(ORIGIN, epoch=epoch)))
    assert room.checks.lost["missed"] == room.checks.origins[PUBLISHER].missed == MOST_NUMBER
    assert orjson.loads(orjson.dumps(room.checks.freeze()))["lost"] == {"missed": MOST_NUMBER, "behind": 0}
