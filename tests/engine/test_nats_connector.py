"""Which servers of NATS are tried until one takes us, and when."""

import asyncio
from typing import Any

import pytest
from awxfast.engine import nats_connector
from awxfast.engine.address import EngineAddress
from awxfast.engine.nats_connection import NatsConnectionFailed
from awxfast.engine.nats_connector import NatsConnector
from awxfast.errors import ConfigurationError


class Room:
    """Servers that answer with these errors one after the other; then each takes us."""

    def __init__(self, monkeypatch: pytest.MonkeyPatch) -> None:
        self.answers: list[Exception] = []
        self.failed: list[Exception] = []
        self.pauses: list[float] = []
        monkeypatch.setattr(asyncio, "sleep", self.sleep)
        self.connector = NatsConnector(EngineAddress.parse("nats://a:1,b:2"), self.make, self.failed.append)

    async def sleep(self, seconds: float) -> None:
        self.pauses.append(seconds)

    def make(self, *_: Any, **__: Any) -> Any:
        return self

    async def open(self, host: str, port: int, certificate_name: str) -> None:
        if self.answers:
            raise self.answers.pop(0)


@pytest.fixture
def room(monkeypatch: pytest.MonkeyPatch) -> Room:
    return Room(monkeypatch)


async def test_each_is_tried_and_what_is_wrong_with_it_is_told(room: Room) -> None:
    said = [NatsConnectionFailed("away"), ConfigurationError("refuses us"), NatsConnectionFailed("away")]
    room.answers = [*said]
    await room.connector.connect()
    assert room.failed == said
    assert len(room.pauses) == 1, "after a round through all"


async def test_connection_that_broke_soon_is_not_followed_at_once_by_another(
    room: Room, monkeypatch: pytest.MonkeyPatch
) -> None:
    await room.connector.connect()
    assert room.pauses == []
    await room.connector.connect()
    await room.connector.connect()
    assert len(room.pauses) == 2
    monkeypatch.setattr(nats_connector, "SHORT_LIFE", 0.0)
    await room.connector.connect()
    assert len(room.pauses) == 2


async def test_server_that_is_about_to_stop_is_left_where_there_is_another(room: Room) -> None:
    connection: Any = type("Stopping", (), {"is_stopping": True})()
    assert room.connector.is_leaving(connection)
    connection.is_stopping = False
    assert not room.connector.is_leaving(connection)


async def test_servers_that_tell_of_others_without_end_are_not_tried_without_a_pause(room: Room) -> None:
    tries = 40
    told = 0

    async def open_one(host: str, port: int, certificate_name: str) -> None:
        nonlocal told
        told += 1
        room.connector.servers.learn([f"h:{1_000 + number}" for number in range(told)])
        if told < tries:
            raise NatsConnectionFailed("away")

    room.open = open_one  # type: ignore[method-assign]
    await room.connector.connect()
    assert len(room.pauses) > 3
