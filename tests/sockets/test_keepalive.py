"""Pings, silence and age: the rules with a clock of the test's, and once over real sockets."""

import asyncio
from typing import Any

import pytest
from awxfast.settings import Settings
from awxfast.sockets.connection import Phase
from awxfast.sockets.keepalive import Keepalive
from raw_browser import PING, PONG, RawBrowser, frame
from serving import Start, until


class Watched:
    """A connection as the rules see it."""

    def __init__(self, clients: "Watching", phase: Phase = Phase.OPEN) -> None:
        self.clients = clients
        self.phase = phase
        self.opened = self.heard = clients.time
        self.pinged = 0.0
        self.deadline = clients.time + 10
        self.is_reading = True
        self.gone = False
        self.has_unread = False
        self.is_node = False
        self.done: list[Any] = []

    def is_peer_gone(self, timeout: float) -> bool:
        return self.gone

    def send_ping(self) -> None:
        self.pinged = self.clients.time
        self.done.append("ping")

    def close(self, code: int, reason: bytes) -> None:
        self.phase = Phase.CLOSING
        self.done.append(code)

    def cut_off(self) -> None:
        self.done.append("cut off")


class Watching:
    """All connections, on a clock that the test moves."""

    close_timeout = 10.0

    def __init__(self, **settings: Any) -> None:
        self.time = 1000.0
        self.connections: list[Watched] = []
        self.keepalive = Keepalive(self, Settings(**settings))  # type: ignore[arg-type]

    def now(self) -> float:
        return self.time

    def __iter__(self) -> Any:
        return iter(self.connections)

    def add(self, phase: Phase = Phase.OPEN) -> Watched:
        self.connections.append(Watched(self, phase))
        return self.connections[-1]

    def advance(self, seconds: int) -> None:
        for _ in range(seconds):
            self.time += 1
            list(self.keepalive.sweep())


class TestSilence:
    def test_silence_is_answered_with_one_ping_then_the_end(self) -> None:
        watching = Watching(ping_interval=20, ping_timeout=30)
        connection = watching.add()
        watching.advance(19)
        assert connection.done == []
        watching.advance(1)
        assert connection.done == ["ping"]
        watching.advance(29)
        assert connection.done == ["ping"]
        watching.advance(1)
        assert connection.done == ["ping", "cut off"]

    def test_anything_received_starts_the_time_anew(self) -> None:
        watching = Watching(ping_interval=20, ping_timeout=30)
        connection = watching.add()
        for _ in range(10):
            watching.advance(21)
            connection.heard = watching.time
        assert connection.done == ["ping"] * 10

    def test_what_has_come_and_is_not_read_yet_is_no_silence(self) -> None:
        watching = Watching(ping_interval=20, ping_timeout=30)
        connection = watching.add()
        connection.has_unread = True
        watching.advance(1000)
        assert connection.done == ["ping"]

    def test_whoever_looks_is_told_for_whom_there_was_something_to_do(self) -> None:
        watching = Watching(ping_interval=20, ping_timeout=30)
        _, unread, late, ended = (watching.add() for _ in range(4))
        heard = watching.add()
        unread.is_reading, late.phase, ended.phase = False, Phase.CLOSING, Phase.ENDED
        watching.time += 20
        heard.heard = watching.time
        assert list(watching.keepalive.sweep()) == [True, True, True, False, False]
        assert (late.done, ended.done) == (["cut off"], [])

    def test_ping_timeout_0_waits_for_ever(self) -> None:
        watching = Watching(ping_interval=20, ping_timeout=0)
        connection = watching.add()
        watching.advance(1000)
        assert connection.done == ["ping"]

    def test_silence_that_is_our_own_doing_does_not_count_but_is_pinged(self) -> None:
        watching = Watching(ping_interval=20, ping_timeout=30)
        connection = watching.add()
        connection.is_reading = False
        watching.advance(1000)
        assert connection.done == ["ping"] * 50

    def test_peer_that_is_gone_is_noticed_when_nothing_was_read_for_a_while(self) -> None:
        watching = Watching(ping_interval=20, ping_timeout=30)
        connection = watching.add()
        connection.is_reading, connection.gone = False, True
        watching.advance(19)
        assert connection.done == [], "what it sent before may still be read"
        watching.advance(1)
        assert connection.done == ["cut off"]


class TestAge:
    def test_connection_of_that_age_is_closed_with_1001(self) -> None:
        watching = Watching(websocket_timeout=5)
        connection = watching.add()
        watching.advance(5)
        assert connection.done == []
        watching.advance(1)
        assert connection.done == [1001]

    def test_negative_is_never(self) -> None:
        watching = Watching(websocket_timeout=-1, ping_timeout=0)
        connection = watching.add()
        watching.advance(100_000)
        assert connection.done == ["ping"]


class TestEndings:
    @pytest.mark.parametrize("phase", [Phase.OPENING, Phase.CLOSING, Phase.FINISHED])
    def test_what_does_not_come_to_an_end_is_cut_off(self, phase: Phase) -> None:
        watching = Watching()
        connection = watching.add(phase)
        watching.advance(10)
        assert connection.done == []
        watching.advance(1)
        assert connection.done == ["cut off"]


class TestOverSockets:
    """django/daphne#170's second half: data that is sent does not postpone the end of a peer that is silent."""

    async def test_peer_that_answers_pings_stays_and_one_that_does_not_goes(self, start: Start) -> None:
        serving = await start(ping_interval=1, ping_timeout=1)
        alive, silent = [await RawBrowser.open(serving.address) for _ in range(2)]
        for browser in (alive, silent):
            browser.send(frame('{"groups": {"jobs": ["summary"]}}'))

        async def publish() -> None:
            while True:
                serving.publish("jobs-summary", "an event")
                await asyncio.sleep(0.02)

        async def answer() -> None:
            while True:
                opcode, payload = await alive.read_frame()
                if opcode == PING:
                    alive.send(frame(payload, PONG))

        async with asyncio.TaskGroup() as tasks:
            running = [tasks.create_task(publish()), tasks.create_task(answer())]
            await silent.read_to_end()
            await asyncio.sleep(1.5)
            assert serving.server.clients == 1
            assert serving.server.closes == {("server", 1006): 1}
            for task in running:
                task.cancel()
        for browser in (alive, silent):
            await browser.close()

    async def test_old_connection_is_closed_with_1001(self, start: Start) -> None:
        serving = await start(websocket_timeout=0)
        browser = await RawBrowser.open(serving.address)
        assert await browser.read_close() == 1001
        await browser.close()
        await until(lambda: serving.server.clients == 0)
