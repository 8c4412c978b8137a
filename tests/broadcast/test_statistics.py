"""Statistics as AWX's own tools read them, by a current Prometheus parser."""

from typing import Any

import pytest
from awxfast.broadcast.link_counts import LinkCounts
from awxfast.broadcast.statistics import Statistics, safe_name
from awxfast.broadcast.target import Member
from prometheus_client.parser import text_string_to_metric_families


class Peer:
    """As much of a peer as statistics look at."""

    def __init__(self, host: str, port: int = 443, up: bool = True) -> None:
        self.member = Member(host, host, port)
        self.counts = LinkCounts()
        self.up = up
        self.connected_at = 1_764_000_000.5
        self.received_before = 0


def read(text: str) -> dict[str, Any]:
    samples = [sample for family in text_string_to_metric_families(text) for sample in family.samples]
    named = [(sample.name, *sorted(sample.labels.values())) for sample in samples]
    assert len(named) == len(set(named)), "duplicates"
    return {" ".join(name): sample.value for name, sample in zip(named, samples, strict=True)}


def text_of(*peers: Any) -> str:
    return Statistics().text(peers)


class TestText:
    def test_names_are_awxs(self) -> None:
        peer = Peer("web-1.example.org")
        peer.counts.received, peer.received_before = 7, 2
        values = read(text_of(peer))
        host = "awx_web_1_example_org"
        assert values.pop(f"{host}_messages_received_created") > 1.6e9
        assert values == {
            f"{host}_messages_received_total": 7.0,
            f"{host}_messages_received_currrent_conn": 5.0,
            f"{host}_connection connected": 1.0,
            f"{host}_connection disconnected": 0.0,
            f"{host}_connection_start": 1_764_000_000.5,
            f"{host}_messages_received_per_minute": 0.0,
        }

    def test_peer_that_is_away_is_disconnected(self) -> None:
        values = read(text_of(Peer("a", up=False)))
        assert values["awx_a_connection disconnected"] == 1.0
        assert values["awx_a_messages_received_currrent_conn"] == 0.0

    def test_hosts_that_become_one_name_are_added_up(self) -> None:
        peers = [Peer("a-b"), Peer("a.b", up=False), Peer("a-b", 8052)]
        for peer in peers:
            peer.counts.received = 2
        values = read(text_of(*peers))
        assert values["awx_a_b_messages_received_total"] == 6.0
        assert values["awx_a_b_connection connected"] == 1.0

    def test_no_peers_are_no_text(self) -> None:
        assert text_of() == ""

    @pytest.mark.parametrize(("host", "name"), [("a--b", "a_b"), ("fd00::5", "fd00_5"), ("a_b", "a_b")])
    def test_runs_of_other_characters_are_one(self, host: str, name: str) -> None:
        assert safe_name(host) == name


class TestRate:
    def test_last_minute_alone_counts(self) -> None:
        clock = [0.0]
        statistics, peer = Statistics(lambda: clock[0]), Peer("a")
        rates = []
        for _ in range(30):
            rates.append(read(statistics.text([peer]))["awx_a_messages_received_per_minute"])  # type: ignore[list-item]
            clock[0] += 5.0
            peer.counts.received += 10
        assert rates[:3] == [0.0, 10.0, 20.0]
        assert rates[-1] == 120.0

    def test_peers_that_left_are_forgotten(self) -> None:
        statistics = Statistics()
        for number in range(1000):
            statistics.text([Peer(f"host-{number}")])  # type: ignore[list-item]
        assert len(statistics._looks) == 1
