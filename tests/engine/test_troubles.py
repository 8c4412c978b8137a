"""What the log says of an engine: a line an outage and reason."""

import logging
from collections.abc import Iterator

import pytest
from awxfast.engine import troubles as module
from awxfast.engine.address import EngineAddress
from awxfast.engine.troubles import MOST_SAID, Troubles

ADDRESS = EngineAddress.parse("nats://user:of-nobody@a:1,b:2")
BEGIN = "engine: nats at a:1,b:2: "


@pytest.fixture
def troubles(caplog: pytest.LogCaptureFixture, monkeypatch: pytest.MonkeyPatch) -> Iterator[Troubles]:
    caplog.set_level(logging.INFO)
    monkeypatch.setattr("awxfast.quiet_log.QUIET_SECONDS", 0.0)
    yield Troubles(logging.getLogger("awxfast.engine"), ADDRESS)
    assert "of-nobody" not in caplog.text


def test_each_reason_is_told_once_however_many_servers_have_it(
    troubles: Troubles, caplog: pytest.LogCaptureFixture
) -> None:
    for place in ("a:1", "b:2", "a:1"):
        troubles.tell("refused", f"{place}: refused")
    troubles.tell("no answer", "b:2: no answer")
    assert caplog.messages == [f"{BEGIN}a:1: refused; trying again", f"{BEGIN}b:2: no answer; trying again"]


def test_next_outage_is_told_again(troubles: Troubles, caplog: pytest.LogCaptureFixture) -> None:
    for _ in range(2):
        troubles.tell("refused", "refused")
        troubles.end("connected")
    assert caplog.messages == [f"{BEGIN}refused; trying again", f"{BEGIN}connected"] * 2


def test_words_of_a_server_that_says_others_each_time_have_an_end(
    troubles: Troubles, caplog: pytest.LogCaptureFixture
) -> None:
    for number in range(100):
        troubles.tell(str(number), str(number))
    assert len(caplog.messages) == MOST_SAID


def test_refused_message_is_news_for_a_while(
    troubles: Troubles, caplog: pytest.LogCaptureFixture, monkeypatch: pytest.MonkeyPatch
) -> None:
    for _ in range(3):
        troubles.refuse("it refuses us")
    troubles.end("connected")
    troubles.refuse("it refuses us")
    assert troubles.refusal == "it refuses us"
    monkeypatch.setattr(module, "REFUSED_SECONDS", 0.0)
    assert troubles.refusal == ""
    for _ in range(2):
        troubles.look()
    troubles.refuse("it refuses us again")
    assert caplog.messages == [
        f"{BEGIN}it refuses us; trying again",
        f"{BEGIN}connected",
        f"{BEGIN}nothing was refused for 0 s",
        f"{BEGIN}it refuses us again; trying again",
    ]
