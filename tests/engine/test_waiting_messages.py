"""What waits for an engine, and what goes when too much does."""

from awxfast.engine.waiting_messages import WaitingMessages


class Losses:
    def __init__(self, most: int = 100, most_bytes: int = 10_000) -> None:
        self.told: list[tuple[int, str]] = []
        self.waiting = WaitingMessages(lambda events, reason: self.told.append((events, reason)), most, most_bytes)


def test_oldest_come_first_in_batches_of_so_many_bytes() -> None:
    waiting = Losses().waiting
    for number in range(5):
        waiting.put("c", b"%d" % number * 10, 1)
    assert [message[1][:1] for message in waiting.take(25)] == [b"0", b"1"]
    assert [message[1][:1] for message in waiting.take(1)] == [b"2"]
    assert (len(waiting), waiting.bytes) == (2, 20)
    assert len(waiting.take(1_000)) == 2 and waiting.take(1_000) == []


def test_oldest_go_where_there_are_too_many() -> None:
    losses = Losses(most=2)
    for number in range(4):
        losses.waiting.put("c", b"%d" % number, 10 + number)
    assert losses.told == [(10, "queue_full"), (11, "queue_full")]
    assert [message[1] for message in losses.waiting.take(100)] == [b"2", b"3"]


def test_oldest_go_where_they_are_too_large() -> None:
    losses = Losses(most_bytes=100)
    for events in (1, 2, 4):
        losses.waiting.put("c", bytes(40), events)
    losses.waiting.put("c", bytes(90), 8)
    assert losses.told == [(1, "queue_full"), (6, "queue_full")]
    assert losses.waiting.bytes == 90


def test_all_go_at_the_end_and_are_told_once() -> None:
    losses = Losses()
    losses.waiting.put("c", b"x", 3)
    losses.waiting.put("c", b"x", 4)
    losses.waiting.drop_all("stopped")
    losses.waiting.drop_all("stopped")
    assert losses.told == [(7, "stopped")]
    assert (len(losses.waiting), losses.waiting.bytes) == (0, 0)


def test_held_ones_stay_while_those_of_one_channel_go_and_come_in_order_later() -> None:
    waiting = Losses().waiting
    waiting.put("c", b"1", 1)
    waiting.hold(but="w")
    assert not waiting.can_be_taken
    waiting.put("c", b"2", 1)
    waiting.put("w", b"word", 0)
    assert (waiting.can_be_taken, len(waiting)) == (True, 3)
    assert [message[1] for message in waiting.take(100)] == [b"word"]
    assert not waiting.can_be_taken and waiting.take(100) == []
    waiting.put("w", b"later word", 0)
    waiting.release()
    waiting.put("c", b"3", 1)
    assert [message[1] for message in waiting.take(100)] == [b"later word", b"1", b"2", b"3"]


def test_held_ones_are_bounded_and_go_before_those_that_are_free() -> None:
    losses = Losses(most=2)
    losses.waiting.hold(but="w")
    losses.waiting.put("w", b"word", 0)
    for number in range(3):
        losses.waiting.put("c", b"%d" % number, 10 + number)
    assert losses.told == [(10, "queue_full"), (11, "queue_full")]
    assert [message[1] for message in losses.waiting.take(100)] == [b"word"]
    losses.waiting.drop_all("stopped")
    assert (losses.told[2:], losses.waiting.bytes) == ([(12, "stopped")], 0)
