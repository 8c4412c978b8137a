"""What `--check` finds out of an engine."""

import asyncio
from collections.abc import Collection
from typing import Any

import pytest
from awxfast.engine import probe as module
from awxfast.engine.nats_channels import NatsChannels
from awxfast.engine.probe import probe
from awxfast.errors import ConfigurationError, StartError
from awxfast.wire.engine_notices import Ask, read_notice
from engine.fake_carrier import Exchange, FakeCarrier
from servers import HANG

NAMES = NatsChannels("awxfast")
BEGIN = "the engine nats at 127.0.0.1:4222: "


@pytest.fixture(autouse=True)
def impatience(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(module, "PROBE_SECONDS", 0.2)


async def test_it_subscribes_and_publishes_as_a_node_does_and_nobody_has_to_answer() -> None:
    exchange = Exchange()
    carrier = exchange.connect()
    assert await probe(carrier) == "nats at 127.0.0.1:4222 answers, and lets us publish and subscribe"
    of_groups = [f"awxfast.group.awxfast-check-{number}" for number in range(64)]
    assert carrier.subscribed == {NAMES.wants, *of_groups}
    assert [channel for channel, _ in exchange.sent] == [NAMES.wants, *of_groups]
    notice = read_notice(exchange.sent[0][1])
    assert isinstance(notice, Ask) and notice.of is not None
    assert not carrier.up, "it is let go of"


async def test_engine_that_is_away_may_come_back() -> None:
    class Away(FakeCarrier):
        async def subscribe(self, channels: Collection[str]) -> None:
            self.confirms, self.trouble = False, "nobody answers"
            await super().subscribe(channels)

    with pytest.raises(StartError, match=f"^{BEGIN}nobody answers$"):
        await probe(Away(Exchange()))


async def test_right_that_is_missing_is_for_somebody_to_change() -> None:
    class Refusing(FakeCarrier):
        def publish(self, *_: Any) -> None:
            self.trouble, self.needs_change = "it refuses us", True

    with pytest.raises(ConfigurationError, match=f"^{BEGIN}it refuses us$"):
        await probe(Refusing(Exchange()))


async def test_refusal_that_stands_is_not_waited_for_any_longer(monkeypatch: pytest.MonkeyPatch) -> None:
    class Refusing(FakeCarrier):
        async def subscribe(self, channels: Collection[str]) -> None:
            self.confirms, self.trouble, self.needs_change = False, "wrong password", True
            await super().subscribe(channels)

    monkeypatch.setattr(module, "PROBE_SECONDS", 1_000)
    monkeypatch.setattr(module, "SURE_SECONDS", 0.1)
    with pytest.raises(ConfigurationError, match=f"^{BEGIN}wrong password$"):
        await asyncio.wait_for(probe(Refusing(Exchange())), HANG)


async def test_refusal_of_one_server_is_none_where_another_lets_us_in(monkeypatch: pytest.MonkeyPatch) -> None:
    class Passing(FakeCarrier):
        async def subscribe(self, channels: Collection[str]) -> None:
            self.needs_change = True
            await asyncio.sleep(0.1)
            self.needs_change = False
            await asyncio.sleep(0.2)
            await super().subscribe(channels)

    monkeypatch.setattr(module, "PROBE_SECONDS", HANG)
    monkeypatch.setattr(module, "SURE_SECONDS", 0.25)
    exchange = Exchange()
    carrier = Passing(exchange)
    exchange.carriers.append(carrier)
    assert "answers" in await probe(carrier)


async def test_words_that_do_not_come_back_are_a_problem() -> None:
    exchange = Exchange()
    exchange.drop = 1
    with pytest.raises(StartError, match=f"^{BEGIN}what we publish does not come back$"):
        await probe(exchange.connect())
