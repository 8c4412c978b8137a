"""What goes over a connection to NATS, and what waits for the next one."""

import asyncio
from collections.abc import Sequence
from typing import Any

import pytest
from awxfast.engine.nats_sender import NatsSender
from awxfast.engine.waiting_messages import Message
from serving import until


class Connection:
    """To a server that takes 10 bytes at most, in the place of a `NatsConnection`."""

    most_bytes = 10
    is_behind = is_leaving = False

    def __init__(self) -> None:
        self.ended: asyncio.Future[None] = asyncio.get_running_loop().create_future()
        self.published: list[bytes] = []
        self.confirms = asyncio.Event()

    def publish(self, messages: Sequence[Message]) -> None:
        self.published += [message for _, message, _ in messages]

    async def drain(self) -> None: ...

    async def confirm(self) -> bool:
        await self.confirms.wait()
        return not self.ended.done()


class Room:
    """A sender with something to send."""

    def __init__(self) -> None:
        self.lost: list[tuple[int, str]] = []
        self.too_small: list[int] = []
        self.sender = NatsSender(lambda events, reason: self.lost.append((events, reason)), self.too_small.append)
        self.sender.put("c", b"1", 1)

    def send(self, connection: Any) -> asyncio.Task[None]:
        return asyncio.create_task(self.sender.send(connection, lambda one: connection.is_leaving))


@pytest.fixture
async def room() -> Room:
    return Room()


async def test_message_that_the_server_does_not_take_is_refused_and_the_others_go(room: Room) -> None:
    room.sender.put("c", bytes(11), 2)
    room.sender.put("c", b"2", 4)
    connection = Connection()
    sending = room.send(connection)
    await until(room.sender.idle.is_set)
    sending.cancel()
    assert (connection.published, room.lost) == ([b"1", b"2"], [(2, "refused")])
    assert (room.sender.published, room.sender.published_bytes, room.too_small) == (2, 2, [])


async def test_server_that_takes_no_word_of_ours_is_told(room: Room) -> None:
    room.sender.put("wants", bytes(11), 0)
    sending = room.send(Connection())
    await until(room.sender.idle.is_set)
    sending.cancel()
    assert (room.too_small, room.lost) == ([10], [(0, "refused")])


async def test_server_that_is_behind_gets_nothing_before_it_has_confirmed(room: Room) -> None:
    connection = Connection()
    connection.is_behind = True
    sending = room.send(connection)
    await asyncio.sleep(0.01)
    assert connection.published == []
    connection.confirms.set()
    await until(lambda: connection.published == [b"1"])
    sending.cancel()


@pytest.mark.parametrize("how", ["leaves", "ended", "frozen"])
async def test_what_one_connection_does_not_take_goes_over_the_next(room: Room, how: str) -> None:
    first, second = Connection(), Connection()
    first.is_leaving, first.is_behind = how == "leaves", how == "frozen"
    if how == "ended":
        first.ended.set_result(None)
    sending = room.send(first)
    await asyncio.sleep(0.01)
    if how == "frozen":
        first.ended.set_result(None)
        first.confirms.set()
        await sending
    assert not room.sender.idle.is_set()
    sending.cancel()
    sending = room.send(second)
    await until(lambda: second.published == [b"1"])
    sending.cancel()
    assert first.published == [] and room.lost == []
