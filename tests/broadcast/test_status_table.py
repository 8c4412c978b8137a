"""`--status`, column by column as `awx-manage run_wsbroadcast --status` prints it."""

import datetime
from typing import Any

import pytest
from awxfast.broadcast.statistics import Statistics
from awxfast.broadcast.status_table import choose_rows, format_status
from awxfast.errors import StartError
from broadcast.test_statistics import Peer

STARTED = datetime.datetime(2026, 11, 24, 23, 8, 19, 680331)


@pytest.fixture
def text() -> str:
    peer: Any = Peer("web-1.example.org")
    peer.connected_at = STARTED.timestamp()
    peer.counts.received = 1
    return Statistics().text([peer])


def table(text: str, hosts: list[str], era: str = "Broadcast") -> str:
    return "\n".join(format_status(era, "me", choose_rows(text, hosts), STARTED.timestamp() + 12.5))


class TestTable:
    def test_both_tables(self, text: str) -> None:
        assert table(text, ["web-1.example.org", "web-2.example.org"]).splitlines() == [
            'Broadcast websocket connection status from "me" to:',
            "hostname              state         start time                     duration (sec)     ",
            "web-1.example.org     \033[92mconnected\033[0m     2026-11-24 23:08:19.680331     12                 ",
            "web-2.example.org     \033[91mN/A\033[0m           N/A                            N/A                ",
            "",
            'Broadcast websocket connection stats from "me" to:',
            "hostname              total     per minute     ",
            "web-1.example.org     1         0              ",
            "web-2.example.org     0         0              ",
        ]

    def test_relay_era_says_relay(self, text: str) -> None:
        assert table(text, [], "Relay").startswith("Relay websocket connection status")

    def test_link_that_is_away_has_no_start(self) -> None:
        peer: Any = Peer("a", up=False)
        lines = table(Statistics().text([peer]), []).splitlines()
        assert lines[2].split() == ["a", "\033[91mdisconnected\033[0m", "N/A", "N/A"]

    def test_without_a_list_every_host_with_data_has_its_row(self, text: str) -> None:
        assert "web-1.example.org     1" in table(text, [])

    def test_text_of_stock_awx_is_read(self) -> None:
        text = (
            "# HELP awx_web_1_messages_received_total Number of messages received\n"
            "# TYPE awx_web_1_messages_received_total counter\n"
            "awx_web_1_messages_received_total 5.0\n"
            "# HELP awx_web_1_connection Websocket broadcast connection established status\n"
            "# TYPE awx_web_1_connection gauge\n"
            'awx_web_1_connection{awx_web_1_connection="disconnected"} 0.0\n'
            'awx_web_1_connection{awx_web_1_connection="connected"} 1.0\n'
        )
        rows = choose_rows(text, ["web-1"])
        assert [(row.host, row.state, row.total) for row in rows] == [("web-1", "connected", 5)]

    def test_name_is_shown_without_terminal_escapes(self) -> None:
        """Whoever writes to Redis, or to the database, chooses it."""
        peer: Any = Peer("web\n\x1b[2J\x1b]0;title\x07")
        shown = table(Statistics().text([peer]), [])
        assert "web\\n\\x1b[2J\\x1b]0;title\\x07" in shown
        assert "\x1b[2J" not in shown
        assert len(shown.splitlines()) == len(table("", ["web-1"]).splitlines())

    def test_no_data_is_no_fault(self) -> None:
        assert table("", []).count("\n") == 4

    def test_what_is_no_prometheus_text_is_said(self) -> None:
        with pytest.raises(StartError):
            choose_rows("awx_a_messages_received_total{", [])
