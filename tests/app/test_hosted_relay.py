"""What a relay whose application serves on does when another process takes its place, with rooms that only note it."""

import asyncio
import socket
from collections.abc import Iterator, Sequence
from typing import Any, cast

import pytest
from awxfast.app import relay as relay_module
from awxfast.app.handover import TAKEN
from awxfast.app.hosted_relay import DrainingRelay
from awxfast.settings import Settings
from awxfast.system.passing import send_message

HANG = 20.0


class Server:
    """Has one connection without a request, and somebody who is on the way in for so many looks."""

    served = 3

    def __init__(self, idle: int) -> None:
        self.idle = idle
        self.said: list[Any] = []
        self.looks = 0
        self.fault: Exception | None = None

    @property
    def is_quiet_for_websockets(self) -> bool:
        self.looks -= 1
        return self.looks <= 0

    def end_listening(self) -> None:
        self.said.append("ends listening")

    def list_idle(self) -> list[int]:
        return [self.idle]

    def begin_leaving(self, idle: Sequence[int]) -> None:
        self.said.append(("leaves", idle))
        if self.fault is not None:
            raise self.fault


class Leaving:
    """A relay, and the socket to a process that takes whatever it leaves."""

    def __init__(self, sock: socket.socket, taker: socket.socket) -> None:
        self.sock = sock
        self.server = Server(taker.fileno())
        parts = cast(Any, self.server)
        self.relay = DrainingRelay(Settings(), parts, parts, parts, None, host=parts)
        send_message(taker, TAKEN)


@pytest.fixture
def leaving() -> Iterator[Leaving]:
    sock, taker = socket.socketpair()
    with sock, taker:
        yield Leaving(sock, taker)


class TestLeaving:
    async def test_connections_without_a_request_are_let_go_of_when_they_are_anothers(self, leaving: Leaving) -> None:
        leaving.relay.leave(leaving.sock)
        assert leaving.server.said == []
        await leaving.relay.let_go()
        assert leaving.server.said == [("leaves", [leaving.server.idle])]

    async def test_fault_behind_the_other_processs_answer_does_not_say_that_it_has_nothing(
        self, leaving: Leaving
    ) -> None:
        leaving.server.fault = RuntimeError("a fault of ours")
        leaving.relay.leave(leaving.sock)
        with pytest.raises(RuntimeError):
            await leaving.relay.let_go()

    async def test_handshakes_that_are_under_way_come_to_their_end_first(
        self, leaving: Leaving, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        monkeypatch.setattr(relay_module, "QUIET_SECONDS", HANG)
        leaving.server.looks = 3
        await asyncio.wait_for(leaving.relay.prepare_leaving(1), HANG)
        assert leaving.server.said == ["ends listening"]
        assert leaving.server.looks == 0
