"""A dialler's life at an engine, and of one that has none."""

import asyncio
from typing import Any
from unittest.mock import AsyncMock, Mock

import pytest
from awxfast.broadcast import own_engine as module
from awxfast.broadcast.own_engine import NoEngine, OwnEngine, own_engine
from awxfast.errors import HandOverFailed


class Ran:
    """What is kept up, by its name; nothing of it runs."""

    def __init__(self) -> None:
        self.names: list[str] = []

    def __call__(self, work: Any, name: str) -> None:
        work.close()
        self.names.append(name)


async def forever() -> None:
    await asyncio.Event().wait()


@pytest.fixture
def publisher() -> Mock:
    publisher = Mock(up=True, is_beside=False, trouble="cut")
    publisher.run = forever
    publisher.stop, publisher.wait_up, publisher.wait_announced = AsyncMock(), AsyncMock(), AsyncMock()
    publisher.freeze.return_value = {"departures": {}}
    return publisher


@pytest.fixture
def ran() -> Ran:
    return Ran()


@pytest.fixture
def engine(publisher: Mock, ran: Ran) -> NoEngine:
    return own_engine(publisher, Mock(), Mock(peers=[]), ran)


async def test_dialler_without_one_starts_and_leaves_nothing(ran: Ran) -> None:
    engine = own_engine(None, Mock(), Mock(), ran)
    assert not isinstance(engine, OwnEngine)
    engine.start()
    engine.begin_silencing()
    await engine.wait_for_others()
    await engine.end_silencing()
    await engine.hear_beside({"engine": True})
    assert (ran.names, engine.describe(), engine.freeze()) == ([], {}, {})


async def test_start_publishes_and_links_are_looked_after_later(engine: NoEngine, publisher: Mock, ran: Ran) -> None:
    engine.start()
    publisher.begin.assert_called_once_with()
    assert ran.names == ["engine"]
    engine.begin_silencing()
    assert ran.names == ["engine", "silencing"]


async def test_peers_wait_for_others_only_where_the_engine_is_there(
    engine: NoEngine, publisher: Mock, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(module, "ANSWER_SECONDS", 3600)
    publisher.wait_announced.return_value = False
    await engine.wait_for_others()
    publisher.wait_announced.return_value = True
    with pytest.raises(TimeoutError):
        async with asyncio.timeout(0.01):
            await engine.wait_for_others()


async def test_new_process_hears_beside_the_other_and_publishes_when_it_has_its_place(
    engine: NoEngine, publisher: Mock, ran: Ran
) -> None:
    publisher.wait_up.return_value = True
    await engine.hear_beside({"engine": True})
    assert (publisher.is_beside, ran.names) == (True, ["engine"])
    publisher.begin.assert_not_called()
    engine.inherit({"engine": {"departures": {}}})
    publisher.inherit.assert_called_once_with({"departures": {}})
    publisher.begin.assert_called_once_with()


async def test_new_process_that_hears_nothing_takes_nobodys_place(engine: NoEngine, publisher: Mock) -> None:
    publisher.wait_up.return_value = False
    with pytest.raises(HandOverFailed, match="the engine: cut"):
        await engine.hear_beside({"engine": True})
    await engine.hear_beside({"engine": False})
    await engine.hear_beside({})


async def test_process_before_may_have_had_no_engine(engine: NoEngine, publisher: Mock) -> None:
    engine.inherit({})
    publisher.inherit.assert_not_called()
    publisher.begin.assert_called_once_with()


async def test_who_is_abandoned_says_no_goodbye(engine: NoEngine, publisher: Mock) -> None:
    assert engine.describe() == {"engine": True}
    assert engine.freeze() == {"engine": {"departures": {}}}
    await engine.abandon()
    assert publisher.is_beside
    publisher.stop.assert_awaited_once_with()
