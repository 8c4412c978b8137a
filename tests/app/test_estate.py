"""What is measured before a hand-over. The hand-over itself: `tests/e2e/test_reload.py`."""

from typing import Any, cast

import pytest
from awxfast.app import estate
from awxfast.app.estate import measure_unserved
from awxfast.sockets.connection import Connection


@pytest.fixture
def record(monkeypatch: pytest.MonkeyPatch) -> dict[str, Any]:
    session = {"identity": [7, None, True, [["cookie", "c" * 3_000]]], "commands": []}
    record = {"held": None, "session": session}
    monkeypatch.setattr(estate, "freeze_connection", lambda _: record)
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
