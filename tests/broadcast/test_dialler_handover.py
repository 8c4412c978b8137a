"""What a dialler's process does before it leaves its place, with rooms that do not come to rest."""

import asyncio
import socket
from collections.abc import Iterator
from typing import Any, cast

import pytest
from awxfast.broadcast.dialler_handover import LINKED, Estate
from awxfast.errors import HandOverFailed
from awxfast.system.passing import send_message
from peer_server import until

HANG = 20


class Rooms:
    """Dialler, intake and sender in one; `stuck` never ends."""

    peers = redis_names = ()
    token = "0" * 32

    def __init__(self, stuck: str) -> None:
        self.names = self
        self._stuck = stuck
        self.reached: list[str] = []

    def begin_noting(self) -> None: ...

    def stop_reading(self) -> None: ...

    async def flush(self, seconds: float, among: object = None) -> None:
        await self.reach("flush")

    async def rest(self, *for_intake: object) -> None:
        await self.reach("intake" if for_intake else "sender")

    async def reach(self, step: str) -> None:
        self.reached.append(step)
        if step == self._stuck:
            await asyncio.Event().wait()


@pytest.fixture
def pair() -> Iterator[tuple[socket.socket, socket.socket]]:
    here, there = socket.socketpair()
    with here, there:
        yield here, there


@pytest.mark.parametrize("stuck", ["flush", "intake", "sender"])
async def test_process_that_is_to_end_does_not_wait_for_rest(
    pair: tuple[socket.socket, socket.socket], stuck: str
) -> None:
    """A peer that does not read would hold up the end."""
    sock, heir = pair
    rooms = Rooms(stuck)
    parts = cast(Any, rooms)
    estate = Estate(parts, parts, parts, dict, dict)
    send_message(heir, LINKED)
    leaving = asyncio.ensure_future(estate.leave(1, sock))
    await until(lambda: stuck in rooms.reached)
    estate.request_stop()
    with pytest.raises(HandOverFailed, match="it stops"):
        await asyncio.wait_for(leaving, HANG)
