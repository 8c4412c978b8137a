"""What is measured before a hand-over. The hand-over itself: `tests/e2e/test_reload.py`."""

from collections.abc import Callable
from types import SimpleNamespace
from typing import Any, cast

import pytest
from awxfast.app import handover_leaving
from awxfast.app.handover_leaving import Estate, measure_unserved
from awxfast.app.rooms import Rooms
from awxfast.sockets.connection import Connection


@pytest.fixture
def record(monkeypatch: pytest.MonkeyPatch) -> dict[str, Any]:
    session = {"identity": [7, None, True, [["cookie", "c" * 3_000]]], "commands": []}
    record = {"held": None, "session": session}
    monkeypatch.setattr(handover_leaving, "freeze_connection", lambda _: record)
    return record


def measure() -> int:
    return measure_unserved(cast(Connection, None))


class TestUnserved:
    def test_one_that_is_served_weighs_nothing_with_what_cookies_any_browser_has(self, record: dict[str, Any]) -> None:
        assert measure() < 100

    def test_credentials_as_long_as_a_head_may_be_count(self, record: dict[str, Any]) -> None:
        record["session"]["identity"][3] = [["cookie", "c" * 60_000]]
        assert 50_000 < measure() < 60_000

    def test_commands_that_wait_and_half_a_message_count(self, record: dict[str, Any]) -> None:
        record["session"]["commands"] = ["x" * 10_000]
        record["held"] = ["y" * 5_000, ""]
        assert 15_000 < measure() < 15_100

    def test_application_websocket_weighs_what_its_next_consumer_needs(self, record: dict[str, Any]) -> None:
        record["session"] = {"kept": {"headers": [["cookie", "c" * 60_000]]}, "last": "t" * 8_000, "commands": []}
        assert 59_000 < measure() < 69_000

    def test_node_has_neither(self, record: dict[str, Any]) -> None:
        record["session"] = None
        assert measure() < 100


class Socket:
    """As much of a connection as is asked for."""

    descriptor = 7

    def __init__(self, *, is_node: bool = False) -> None:
        self.is_node = is_node
        self.is_cut_off = False

    def cut_off(self) -> None:
        self.is_cut_off = True


class Websockets(list[Socket]):
    """Those of a server, and what they have sent of messages without an end."""

    unserved = 0


class Server:
    def __init__(self) -> None:
        self.websockets = Websockets(Socket() for _ in range(3))


class Sessions:
    unserved = 0


class Rest:
    """What else is brought to rest; `at_last` is called when nothing is popped any more."""

    at_last = staticmethod(lambda: None)

    async def rest(self, *_: object) -> None:
        self.at_last()


class Quiet:
    """An estate whose rooms have nothing to leave, what its websockets weigh, and which were weighed at last."""

    def __init__(self, monkeypatch: pytest.MonkeyPatch) -> None:
        self.server, self.sessions, self.intake = Server(), Sessions(), Rest()
        self.weights: dict[Socket, int] = {}
        self.weighed: list[Socket] = []
        monkeypatch.setattr(handover_leaving, "measure_unserved", self.measure)
        rooms = SimpleNamespace(
            fanout=None, intake=self.intake, server=self.server, sessions=self.sessions, nodes=Rest(), engine=Rest()
        )
        self.estate = Estate(cast(Rooms, rooms))

    def measure(self, socket: Socket) -> int:
        self.weighed.append(socket)
        return self.weights.get(socket, 100)

    async def rest(self, at_last: Callable[[], object] = lambda: None) -> list[Socket]:
        """Who was weighed while nobody was served."""

        def begin_pause() -> None:
            self.weighed.clear()
            at_last()

        self.intake.at_last = begin_pause  # type: ignore[method-assign]
        await self.estate.rest(1)
        return self.weighed


@pytest.fixture
def quiet(monkeypatch: pytest.MonkeyPatch) -> Quiet:
    return Quiet(monkeypatch)


class TestPause:
    """While nothing is popped nobody is served: what can be known before is not looked at then."""

    async def test_those_who_send_nothing_are_weighed_before_it(self, quiet: Quiet) -> None:
        assert await quiet.rest() == []

    async def test_newcomer_is_weighed_in_it(self, quiet: Quiet) -> None:
        newcomer = Socket()
        assert await quiet.rest(lambda: quiet.server.websockets.append(newcomer)) == [newcomer]

    async def test_node_that_sends_much_meanwhile_goes(self, quiet: Quiet) -> None:
        """Its decoder counts in no sum."""
        node = Socket(is_node=True)
        quiet.server.websockets.append(node)
        await quiet.rest(lambda: quiet.weights.update({node: 10_000_000}))
        assert [socket.is_cut_off for socket in quiet.server.websockets] == [False, False, False, True]

    async def test_node_weighs_once(self, quiet: Quiet) -> None:
        node = Socket(is_node=True)
        quiet.server.websockets.append(node)
        quiet.weights = {node: 5_000_000}
        assert await quiet.rest() == [node]
        assert not node.is_cut_off

    @pytest.mark.parametrize("room", ["websockets", "sessions"])
    async def test_all_are_where_much_was_sent_meanwhile_and_the_largest_goes(self, quiet: Quiet, room: str) -> None:
        sockets = quiet.server.websockets

        def send_much() -> None:
            counted = quiet.sessions if room == "sessions" else sockets
            counted.unserved = 10_000_000
            quiet.weights = {sockets[1]: 10_000_000}

        assert await quiet.rest(send_much) == sockets
        assert [socket.is_cut_off for socket in sockets] == [False, True, False]
