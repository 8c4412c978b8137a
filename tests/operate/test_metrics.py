"""Metric names and values, read back with Prometheus' own parser."""

from collections import Counter

import pytest
from awxfast.operate.metrics import cumulative_buckets, metrics_text
from prometheus_client.parser import text_string_to_metric_families
from still_figures import LEDGER, StillFigures, view_of


@pytest.fixture(scope="module")
def text() -> str:
    return metrics_text(view_of(StillFigures())).decode()


@pytest.fixture(scope="module")
def samples(text: str) -> dict[tuple[str, tuple[tuple[str, str], ...]], float]:
    families = text_string_to_metric_families(text)
    return {(one.name, tuple(sorted(one.labels.items()))): one.value for family in families for one in family.samples}


class TestText:
    def test_no_name_and_no_sample_comes_twice(self, text: str) -> None:
        families = list(text_string_to_metric_families(text))
        names = Counter(family.name for family in families)
        samples = Counter((one.name, *sorted(one.labels.items())) for family in families for one in family.samples)
        assert max(names.values()) == 1
        assert max(samples.values()) == 1

    def test_every_name_is_awxfasts(self, text: str) -> None:
        assert all(family.name.startswith("awxfast_") for family in text_string_to_metric_families(text))

    def test_every_metric_says_what_it_is(self, text: str) -> None:
        assert all(family.documentation and family.type != "unknown" for family in text_string_to_metric_families(text))

    def test_names_that_others_build_on(self, samples: dict[tuple[str, object], float]) -> None:
        """Dashboards are made of them (docs/monitoring.md); those of node links have their own test."""
        assert {name for name, _ in samples} >= {
            "awxfast_events_total",
            "awxfast_frames_total",
            "awxfast_encodings_total",
            "awxfast_clients",
            "awxfast_groups",
            "awxfast_handshakes_total",
            "awxfast_closes_total",
            "awxfast_command_errors_total",
            "awxfast_redis_up",
            "awxfast_intake_depth",
            "awxfast_registrations_repaired_total",
            "awxfast_event_age_seconds_bucket",
        }


class TestValues:
    @pytest.mark.parametrize(
        ("name", "labels", "value"),
        [
            ("awxfast_events_total", {"result": "routed"}, 100),
            ("awxfast_events_total", {"result": "no_subscriber"}, 10),
            ("awxfast_events_total", {"result": "rejected"}, 5),
            ("awxfast_events_rejected_total", {"reason": "too_large"}, 3),
            ("awxfast_frames_total", {"result": "written"}, 350),
            ("awxfast_frames_total", {"result": "shed"}, 20),
            ("awxfast_frames_total", {"result": "lost_at_close"}, 10),
            ("awxfast_frames_queued_total", {}, 400),
            ("awxfast_frames_pending", {}, 20),
            ("awxfast_frames_shed_total", {"reason": "queue_frames"}, 20),
            ("awxfast_gaps_total", {"reason": "pop_broken"}, 2),
            ("awxfast_gap_events_at_most_total", {"reason": "pop_broken"}, 512),
            ("awxfast_ledger_balance", {"of": "events"}, 0),
            ("awxfast_ledger_balance", {"of": "frames"}, 0),
            ("awxfast_encodings_total", {}, 100),
            ("awxfast_writes_total", {}, 60),
            ("awxfast_queued_bytes", {}, 4096),
            ("awxfast_reply_bytes", {}, 512),
            ("awxfast_event_age_unknown_total", {}, 2),
            ("awxfast_clients", {}, 7),
            ("awxfast_groups", {}, 4),
            ("awxfast_handshakes_total", {"result": "accepted", "reason": "tokens"}, 8),
            ("awxfast_handshakes_total", {"result": "refused", "reason": "auth"}, 2),
            ("awxfast_closes_total", {"by": "peer", "code": "1001"}, 6),
            ("awxfast_closes_total", {"by": "server", "code": "1009"}, 1),
            ("awxfast_faults_total", {"reason": "message too big"}, 1),
            ("awxfast_unserved_bytes", {}, 777),
            ("awxfast_unanswered_bytes", {}, 4096),
            ("awxfast_command_errors_total", {"reason": "denied"}, 4),
            ("awxfast_redis_up", {}, 1),
            ("awxfast_intake_depth", {}, 12),
            ("awxfast_registrations_repaired_total", {}, 5),
            ("awxfast_peer_up", {"peer": "192.0.2.7"}, 1),
            ("awxfast_peer_up", {"peer": "192.0.2.8"}, 0),
            ("awxfast_peer_events_total", {"peer": "192.0.2.7", "direction": "received"}, 30),
            ("awxfast_peer_events_total", {"peer": "192.0.2.7", "direction": "sent"}, 5),
            ("awxfast_peer_events_total", {"peer": "gone", "direction": "received"}, 1000),
            ("awxfast_peer_clock_skew_seconds", {"peer": "192.0.2.8"}, -400),
            ("awxfast_peer_lost_total", {"peer": "192.0.2.7", "reason": "queue_frames"}, 1),
            ("awxfast_peer_lost_total", {"peer": "192.0.2.7", "reason": "lost_at_close"}, 4),
            ("awxfast_peer_lost_total", {"peer": "gone", "reason": "lost_at_close"}, 9),
            ("awxfast_peer_groups_waiting", {"peer": "192.0.2.7"}, 24),
            ("awxfast_peer_groups_refused_total", {"peer": "192.0.2.7"}, 30),
            ("awxfast_peer_groups_refused_total", {"peer": "gone"}, 2),
        ],
    )
    def test_figure(
        self, samples: dict[tuple[str, object], float], name: str, labels: dict[str, str], value: float
    ) -> None:
        assert samples[name, tuple(sorted(labels.items()))] == value

    def test_results_add_up_to_events_in(self, samples: dict[tuple[str, object], float]) -> None:
        total = sum(value for (name, _), value in samples.items() if name == "awxfast_events_total")
        assert total == LEDGER["events"]["in"]

    def test_own_process_is_measured_too(self, samples: dict[tuple[str, object], float]) -> None:
        assert samples["awxfast_process_open_fds", ()] > 0


class TestEventAge:
    def test_buckets_are_cumulative(self) -> None:
        assert cumulative_buckets([0.001, 0.01], [5, 3, 2]) == [("0.001", 5), ("0.01", 8), ("+Inf", 10)]

    def test_count_and_sum(self, samples: dict[tuple[str, object], float]) -> None:
        assert samples["awxfast_event_age_seconds_count", ()] == 10
        assert samples["awxfast_event_age_seconds_sum", ()] == 0.5


def test_what_an_engine_lost_is_explained_by_reason() -> None:
    text = metrics_text(view_of(StillFigures())).decode()
    (line,) = [line for line in text.splitlines() if line.startswith("# HELP awxfast_engine_lost_total")]
    assert all(word in line for word in ("by reason", "missed", "behind", "did not reach the engine"))


def test_engine_is_measured_where_there_is_one() -> None:
    text = metrics_text(view_of(StillFigures())).decode()
    for line in (
        "awxfast_engine_up 1.0",
        'awxfast_engine_events_total{result="sent"} 40.0',
        'awxfast_engine_lost_total{reason="queue_full"} 2.0',
        'awxfast_engine_present{what="takers"} 2.0',
    ):
        assert f"{line}\n" in text
