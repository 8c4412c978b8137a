"""What waits to be published in a cluster."""

import pytest
from awxfast.engine.address import HostPort
from awxfast.engine.slot_queues import MOST_HOPS, SlotQueues, Waiting
from hypothesis import settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, invariant, rule

A, B = ("a", 1), ("b", 2)
MANY = 1_000


class Owners:
    """Slots below 10 are of one server, the others of another, unless something else is said."""

    def __init__(self) -> None:
        self.moved: dict[int, HostPort | None] = {}

    def find(self, slot: int) -> HostPort | None:
        return self.moved.get(slot, A if slot < 10 else B)


@pytest.fixture
def owners() -> Owners:
    return Owners()


@pytest.fixture
def queues(owners: Owners) -> SlotQueues:
    return SlotQueues(owners.find, most_messages=20, most_bytes=1_000)


def add(queues: SlotQueues, slot: int, *messages: bytes, events: int = 1) -> int:
    return sum(queues.add(slot, b"", message, events) for message in messages)


def take(queues: SlotQueues, server: HostPort, messages: int = MANY, size: int = MANY) -> list[list[bytes]]:
    return [[waiting.message for waiting in taken] for _, taken in queues.take(server, messages, size)]


def take_raw(queues: SlotQueues, server: HostPort) -> list[Waiting]:
    [(_, taken)] = queues.take(server, MANY, MANY)
    return taken


class TestOrder:
    def test_each_server_gets_its_own_slots(self, queues: SlotQueues) -> None:
        add(queues, 1, b"1", b"2")
        add(queues, 11, b"3")
        assert set(queues.destinations()) == {A, B}
        assert take(queues, A) == [[b"1", b"2"]]
        assert take(queues, B) == [[b"3"]]

    def test_slot_that_is_on_its_way_waits_for_its_answer(self, queues: SlotQueues) -> None:
        add(queues, 1, b"1")
        assert take(queues, A) == [[b"1"]]
        add(queues, 1, b"2")
        assert take(queues, A) == []
        queues.settle(1)
        assert take(queues, A) == [[b"2"]]

    def test_what_comes_back_goes_first_and_to_the_new_owner(self, queues: SlotQueues, owners: Owners) -> None:
        add(queues, 1, b"1", b"2")
        taken = take_raw(queues, A)
        add(queues, 1, b"3")
        owners.moved[1] = B
        queues.settle(1, taken)
        assert take(queues, A) == []
        assert take(queues, B) == [[b"1", b"2", b"3"]]

    def test_detour_is_for_once(self, queues: SlotQueues) -> None:
        add(queues, 1, b"1")
        queues.settle(1, take_raw(queues, A), detour=B)
        assert queues.destinations() == [B]
        queues.settle(1, take_raw(queues, B))
        assert queues.destinations() == [A]

    def test_held_slot_waits_for_the_next_look(self, queues: SlotQueues) -> None:
        add(queues, 1, b"1")
        queues.settle(1, take_raw(queues, A), hold=True)
        add(queues, 1, b"2")
        assert queues.destinations() == []
        queues.regroup()
        assert take(queues, A) == [[b"1", b"2"]]

    def test_all_but_one_slot_can_be_held(self, queues: SlotQueues) -> None:
        add(queues, 1, b"1")
        add(queues, 2, b"word")
        queues.hold(but=2)
        add(queues, 1, b"2")
        add(queues, 11, b"3")
        queues.regroup()
        assert queues.destinations() == [A]
        assert take(queues, A) == [[b"word"]]
        queues.release()
        assert take(queues, A) == [[b"1", b"2"]]
        assert take(queues, B) == [[b"3"]]

    def test_redirections_in_a_circle_end_in_waiting(self, queues: SlotQueues) -> None:
        add(queues, 1, b"1")
        for _ in range(MOST_HOPS + 1):
            assert queues.destinations() == [A]
            queues.settle(1, take_raw(queues, A))
        assert queues.destinations() == []

    def test_batch_is_bounded_and_other_slots_have_their_turn(self, queues: SlotQueues) -> None:
        add(queues, 1, b"1", b"2", b"3")
        add(queues, 2, b"4")
        assert take(queues, A, messages=2) == [[b"1", b"2"]]
        queues.settle(1)
        assert take(queues, A, messages=2) == [[b"4"], [b"3"]]

    def test_batch_ends_behind_the_message_that_fills_it(self, queues: SlotQueues) -> None:
        add(queues, 1, b"1" * 60, b"2" * 60, b"3" * 60)
        assert [len(taken) for taken in take(queues, A, size=100)] == [2]


class TestBounds:
    def test_oldest_goes_first_whichever_slot_it_is_of(self, queues: SlotQueues) -> None:
        add(queues, 1, b"old", events=5)
        assert add(queues, 11, *[b"%d" % number for number in range(19)]) == 0
        assert add(queues, 11, b"new") == 5
        assert queues.messages == 20
        assert take(queues, A) == []

    def test_bytes_count_too(self, queues: SlotQueues) -> None:
        add(queues, 1, b"1" * 600, events=2)
        assert add(queues, 1, b"2" * 600) == 2
        assert queues.bytes == 600

    def test_what_is_on_its_way_is_not_dropped(self, queues: SlotQueues) -> None:
        add(queues, 1, b"0")
        taken = take_raw(queues, A)
        add(queues, 1, *[b"x"] * 20)
        assert queues.settle(1, taken) == 1  # it was the oldest; now it has come back it is the one to go
        assert take(queues, A) == [[b"x"] * 20]

    def test_slot_whose_server_is_away_keeps_no_more_than_the_bound(self, queues: SlotQueues) -> None:
        assert add(queues, 1, *[b"%d" % number for number in range(5_000)]) == 4_980
        assert take(queues, A) == [[b"%d" % number for number in range(4_980, 5_000)]]

    def test_everything_that_waits_can_be_let_go(self, queues: SlotQueues) -> None:
        add(queues, 1, b"1")
        take(queues, A)
        add(queues, 1, b"2", b"3", events=4)
        assert queues.clear() == 8
        queues.settle(1)
        assert queues.is_empty


class QueuesInAnyOrder(RuleBasedStateMachine):
    """Against what must be true: in order a slot, nothing twice, and the counts."""

    def __init__(self) -> None:
        super().__init__()
        self.owners = Owners()
        self.queues = SlotQueues(self.owners.find, most_messages=12, most_bytes=10_000)
        self.next = 0
        self.waiting: list[tuple[int, int]] = []
        self.under_way: dict[int, list[Waiting]] = {}

    @rule(slot=st.sampled_from([1, 2, 11, 12]))
    def add(self, slot: int) -> None:
        self.next += 1
        self.waiting.append((slot, self.next))
        self.drop(self.queues.add(slot, b"", b"%d" % self.next, 1))

    @rule(server=st.sampled_from([A, B]), most=st.integers(1, 5))
    def take(self, server: HostPort, most: int) -> None:
        for _, taken in self.queues.take(server, most, MANY):
            slot = taken[0].slot
            assert slot not in self.under_way
            self.under_way[slot] = taken
            for waiting in taken:
                first = next(one for one in self.waiting if one[0] == slot)
                assert first[1] == int(waiting.message)
                self.waiting.remove(first)

    @rule(data=st.data(), hold=st.booleans())
    def settle(self, data: st.DataObject, hold: bool) -> None:
        if not self.under_way:
            return
        slot = data.draw(st.sampled_from(sorted(self.under_way)))
        taken = self.under_way.pop(slot)
        back = taken[data.draw(st.integers(0, len(taken))) :]
        self.waiting[:0] = [(slot, int(waiting.message)) for waiting in back]
        self.drop(self.queues.settle(slot, back, hold=hold))

    @rule(slot=st.sampled_from([1, 2, 11, 12]), server=st.sampled_from([A, B, None]))
    def move(self, slot: int, server: HostPort | None) -> None:
        self.owners.moved[slot] = server
        self.queues.regroup()

    def drop(self, count: int) -> None:
        del self.waiting[:count]

    @invariant()
    def counts_are_right(self) -> None:
        assert self.queues.messages == len(self.waiting) <= 12
        assert self.queues.bytes == sum(len(b"%d" % number) for _, number in self.waiting)
        assert self.queues.is_empty == (not self.waiting and not self.under_way)


TestQueuesInAnyOrder = QueuesInAnyOrder.TestCase
TestQueuesInAnyOrder.settings = settings(max_examples=60, stateful_step_count=40, deadline=None)
