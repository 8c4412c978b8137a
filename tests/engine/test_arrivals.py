"""Packets that are new go to sockets and consumers; what takers are too slow for waits, and past a bound is lost."""

import asyncio
import json

import pytest
from awxfast.engine import arrivals as arrivals_module
from awxfast.engine.arrivals import Arrivals
from awxfast.engine.packet_checks import PacketChecks
from awxfast.intake.caught_up import CaughtUp
from awxfast.wire.engine_packets import split_texts
from engine.packets import mark, packet
from serving import until


class Takers:
    """A fan-out and consumers, as slow as the test says."""

    def __init__(self) -> None:
        self.is_busy = False
        self.texts: list[tuple[str, str]] = []
        self.metrics: list[str] = []
        self.consumed: list[tuple[str, bytes, bool]] = []
        self.gaps: list[tuple[str, int]] = []
        self.stored: list[tuple[str, str]] = []
        self.calls = 0

    def publish_packets(self, packets: list[tuple[str, bytes]]) -> tuple[list[str], list[tuple[str, bytes, bool]]]:
        self.calls += 1
        events = [(group, text) for group, body in packets for text in split_texts(body)]
        self.texts += [(group, text.decode()) for group, text in events if group != "metrics"]
        return (
            [text.decode() for group, text in events if group == "metrics"],
            [(group, text, True) for group, text in events if group == "consumed"],
        )

    def take_relayed(self, group: str, text: bytes, direct: bool) -> None:
        self.consumed.append((group, text, direct))

    def wait_time(self) -> float:
        return 20.0 * self.is_busy

    def count_gap(self, reason: str, at_most: int) -> None:
        self.gaps.append((reason, at_most))

    def store(self, key: str, value: str) -> None:
        self.stored.append((key, value))


class Room:
    """Arrivals with their surroundings."""

    def __init__(self, *, has_consumers: bool = False) -> None:
        self.takers = takers = Takers()
        self.caught_up = CaughtUp()
        self.checks = PacketChecks(takers.count_gap, lambda _: False, lambda _: False)
        consumers = takers if has_consumers else None
        self.arrivals = Arrivals(self.checks, takers, consumers, takers.store, self.caught_up.wait)

    def receive(self, *messages: bytes, group: str = "a") -> None:
        self.arrivals.receive([(group, message) for message in messages])


@pytest.fixture
def room() -> Room:
    return Room()


class TestTaking:
    async def test_events_reach_sockets_in_order_and_together(self, room: Room) -> None:
        room.receive(packet(1, "one", "two"), b"no packet", packet(3, "three"), mark(3))
        assert room.takers.texts == [("a", "one"), ("a", "two"), ("a", "three")]
        assert (room.takers.calls, room.takers.gaps) == (1, [])

    async def test_consumers_get_theirs(self) -> None:
        room = Room(has_consumers=True)
        room.receive(packet(1, "one"), group="consumed")
        assert room.takers.consumed == [("consumed", b"one", True)]

    async def test_metrics_are_stored_as_awx_does(self, room: Room) -> None:
        text = json.dumps({"instance": "node-1", "metrics": "{}", "metrics_namespace": "dispatcher"})
        room.receive(packet(1, text, "no metrics"), group="metrics")
        assert room.takers.stored == [("awx_metrics-dispatcher_instance_node-1", "{}")]
        assert room.takers.gaps == [("peer_metrics", 0)]


class TestWaiting:
    async def test_what_takers_are_behind_with_waits_and_keeps_its_order(self, room: Room) -> None:
        room.takers.is_busy = True
        room.receive(packet(1, "one"))
        room.receive(packet(2, "two"))
        assert (room.takers.texts, room.arrivals.waiting) == ([], 2)
        room.takers.is_busy = False
        room.caught_up.tell()
        await asyncio.sleep(0)
        room.receive(packet(3, "three"))
        await until(lambda: len(room.takers.texts) == 3)
        assert [text for _, text in room.takers.texts] == ["one", "two", "three"]
        room.receive(packet(4, "four"))
        assert (room.takers.texts[3], room.arrivals.waiting) == (("a", "four"), 0)

    @pytest.mark.parametrize(("bound", "value"), [("WAITING_MESSAGES", 2), ("WAITING_BYTES", 2 * len(packet(1, "x")))])
    async def test_oldest_is_lost_and_counted_past_the_bound(
        self, room: Room, monkeypatch: pytest.MonkeyPatch, bound: str, value: int
    ) -> None:
        monkeypatch.setattr(arrivals_module, bound, value)
        room.takers.is_busy = True
        room.receive(*(packet(number, str(number)) for number in range(1, 6)))
        assert (room.arrivals.waiting, room.takers.gaps) == (2, [("engine_behind", 1)] * 3)
        room.takers.is_busy = False
        room.caught_up.tell()
        await until(lambda: not room.arrivals.waiting)
        assert ([text for _, text in room.takers.texts], len(room.takers.gaps)) == (["4", "5"], 3)

    async def test_nothing_is_given_on_at_the_end(self, room: Room) -> None:
        room.takers.is_busy = True
        room.receive(packet(1, "one"))
        room.arrivals.stop()
        room.takers.is_busy = False
        room.caught_up.tell()
        for _ in range(5):
            await asyncio.sleep(0)
        room.receive(packet(2, "two"))
        assert room.takers.texts == []


class TestHandingOver:
    async def test_next_process_takes_what_came_behind_the_last_that_this_one_took(self, room: Room) -> None:
        heir = Room()
        heir.arrivals.keep()
        messages = [packet(number, str(number)) for number in range(1, 7)]
        room.receive(*messages[:4])
        heir.receive(*messages[2:5])
        assert heir.takers.texts == []
        heir.checks.inherit(room.checks.freeze())
        heir.arrivals.go_on()
        heir.receive(messages[5])
        assert [text for _, text in room.takers.texts + heir.takers.texts] == list("123456")
        assert (heir.takers.gaps, heir.checks.events["double"]) == ([], 0)

    async def test_what_it_could_not_keep_is_a_gap_only_if_this_one_had_not_taken_it(
        self, room: Room, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        monkeypatch.setattr(arrivals_module, "WAITING_MESSAGES", 2)
        messages = [packet(number, str(number)) for number in range(1, 7)]
        heir = Room()
        heir.arrivals.keep()
        room.receive(*messages[:3])
        heir.receive(*messages)
        assert (heir.arrivals.waiting, heir.takers.gaps) == (2, [])
        heir.checks.inherit(room.checks.freeze())
        heir.arrivals.go_on()
        assert ([text for _, text in heir.takers.texts], heir.takers.gaps) == (["5", "6"], [("engine_missed", 1)])
