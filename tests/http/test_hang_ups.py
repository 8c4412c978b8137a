"""Ends of socket pairs that are closed at the other side."""

import asyncio
import socket
from collections.abc import Iterator

import pytest
from awxfast.http.hang_ups import HangUps
from serving import until


@pytest.fixture
def pair() -> Iterator[tuple[socket.socket, socket.socket]]:
    near, far = socket.socketpair()
    yield near, far
    near.close()
    far.close()


class TestHangUps:
    async def test_end_at_the_other_side_is_told(self, pair: tuple[socket.socket, socket.socket]) -> None:
        hang_ups, told = HangUps(), asyncio.Event()
        hang_ups.watch(pair[0], told.set)
        pair[1].close()
        await until(told.is_set)
        hang_ups.forget(pair[0])
        hang_ups.close()

    async def test_half_an_end_is_none(self, pair: tuple[socket.socket, socket.socket]) -> None:
        hang_ups, told = HangUps(), asyncio.Event()
        hang_ups.watch(pair[0], told.set)
        pair[1].shutdown(socket.SHUT_WR)
        await asyncio.sleep(0.05)
        assert not told.is_set()
        hang_ups.forget(pair[0])
        hang_ups.close()

    async def test_who_is_forgotten_is_not_told(self, pair: tuple[socket.socket, socket.socket]) -> None:
        hang_ups, told = HangUps(), asyncio.Event()
        hang_ups.watch(pair[0], told.set)
        hang_ups.forget(pair[0])
        hang_ups.forget(pair[0])
        pair[1].close()
        await asyncio.sleep(0.05)
        assert not told.is_set()
        hang_ups.close()
