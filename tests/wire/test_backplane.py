"""Node-to-node messages, as AWX's wsbroadcast.py (10 to 21) and wsrelay.py (22 on) write and read them."""

import json
from typing import Any

import pytest
from awxfast.wire import backplane
from awxfast.wire.backplane import Fault, GroupEvent, Notice, StoredMetrics
from hypothesis import given
from hypothesis import strategies as st

TEXT = '{"id": 9001, "stdout": "\\u001b[0m \\"quoted\\""}'
EVENT = GroupEvent("job_events-42", TEXT)


def frame(**document: Any) -> bytes:
    return json.dumps(document).encode()


class TestNotices:
    def test_subscription_has_stocks_keys_in_stocks_order(self) -> None:
        notice = Notice(True, ("jobs-summary", "job_events-1"), "specific.ab!cd")
        assert backplane.encode_notice(notice) == (
            b'{"type": "consumer.subscribe", "groups": ["jobs-summary", "job_events-1"],'
            b' "origin_channel": "specific.ab!cd"}'
        )

    def test_unsubscription_may_be_empty(self) -> None:
        assert backplane.encode_notice(Notice(False, (), "a!b")) == (
            b'{"type": "consumer.unsubscribe", "groups": [], "origin_channel": "a!b"}'
        )

    @pytest.mark.parametrize("subscribe", [True, False])
    def test_notice_is_read_as_it_was_written(self, subscribe: bool) -> None:
        notice = Notice(subscribe, ("a-1", "b-2"), "specific.ab!cd")
        assert backplane.read_notice_or_event(backplane.encode_notice(notice)) == notice

    def test_group_that_cannot_exist_is_left_out(self) -> None:
        payload = frame(type="consumer.subscribe", groups=["ok-1", "no space", 7, "x" * 100], origin_channel="a!b")
        assert backplane.read_notice_or_event(payload) == Notice(True, ("ok-1",), "a!b")

    @pytest.mark.parametrize(
        ("payload", "fault"),
        [
            (b"", Fault.NOT_JSON),
            (b"\xff", Fault.NOT_JSON),
            (b"[]", Fault.NOT_THE_WIRES),
            (b"{}", Fault.NOT_THE_WIRES),
            (frame(type=["consumer.subscribe"], groups=[], origin_channel="a"), Fault.NOT_THE_WIRES),
            (frame(type="consumer.subscribe", groups={}, origin_channel="a"), Fault.NOT_THE_WIRES),
            (frame(type="consumer.subscribe", groups=[]), Fault.NOT_THE_WIRES),
            (frame(type="consumer.subscribe", groups=[], origin_channel="a" * 201), Fault.NOT_THE_WIRES),
            (frame(type="consumer.subscribe", groups=["a"] * 10_001, origin_channel="a"), Fault.NOT_THE_WIRES),
            (frame(type="consumer.other", groups=[], origin_channel="a"), Fault.OTHER_TYPE),
        ],
    )
    def test_frame_that_is_no_notice_is_a_fault(self, payload: bytes, fault: Fault) -> None:
        assert backplane.read_notice_or_event(payload) is fault

    def test_long_list_is_split(self) -> None:
        parts = backplane.split_notice(Notice(True, ("a", "b", "c"), "o"), most=2)
        assert [part.groups for part in parts] == [("a", "b"), ("c",)]

    def test_empty_list_stays_one_notice(self) -> None:
        assert [part.groups for part in backplane.split_notice(Notice(True, (), "o"))] == [()]


class TestBroadcastEra:
    def test_message_is_a_string(self) -> None:
        assert backplane.read_notice_or_event(frame(group="job_events-42", message=TEXT)) == EVENT

    def test_backplanes_own_group_would_loop(self) -> None:
        payload = frame(group="broadcast-group_send", message="{}")
        assert backplane.read_notice_or_event(payload) is Fault.LOOP

    def test_backplanes_group_may_have_another_name(self) -> None:
        payload = frame(group="nodes", message="{}")
        assert backplane.read_notice_or_event(payload, "nodes") is Fault.LOOP

    @pytest.mark.parametrize("message", [{"type": "internal.message", "text": "x"}, None, 7])
    def test_message_that_is_no_string_is_a_fault(self, message: Any) -> None:
        assert backplane.read_notice_or_event(frame(group="a-1", message=message)) is Fault.NOT_THE_WIRES

    def test_name_that_no_group_has_is_a_fault(self) -> None:
        assert backplane.read_notice_or_event(frame(group="a:1", message="x")) is Fault.GROUP_NAME

    def test_line_separators_and_astral_text_survive(self) -> None:
        text = "\u2028 \U0001f4e6 \x7f"
        assert backplane.read_notice_or_event(frame(group="a-1", message=text)) == GroupEvent("a-1", text)


class TestMetrics:
    def test_namespace_decides_the_key(self) -> None:
        text = json.dumps({"instance": "web-1", "metrics": '{"a": 1}', "metrics_namespace": "dispatcher"})
        assert backplane.read_metrics(text) == StoredMetrics("awx_metrics-dispatcher_instance_web-1", '{"a": 1}')

    def test_older_form_has_no_namespace(self) -> None:
        text = json.dumps({"instance": "fd00::5", "metrics": "{}"})
        assert backplane.read_metrics(text) == StoredMetrics("awx_metrics_instance_fd00::5", "{}")

    @pytest.mark.parametrize(
        "document",
        [
            {"instance": "web 1", "metrics": "{}"},
            {"instance": "", "metrics": "{}"},
            {"instance": "a*", "metrics": "{}"},
            {"metrics": "{}"},
            {"instance": "web-1", "metrics": {}},
            {"instance": "web-1", "metrics": "{}", "metrics_namespace": "a\n"},
            {"instance": "web-1", "metrics": "{}", "metrics_namespace": 7},
            [],
        ],
    )
    def test_what_could_not_be_a_key_is_refused(self, document: Any) -> None:
        assert backplane.read_metrics(json.dumps(document)) is Fault.METRICS


class TestFingerprint:
    def test_same_redis_database_and_prefix_are_equal(self) -> None:
        assert backplane.fingerprint_redis("ab", 0, "asgi") == backplane.fingerprint_redis("ab", 0, "asgi")

    @pytest.mark.parametrize("other", [("ac", 0, "asgi"), ("ab", 1, "asgi"), ("ab", 0, "other")])
    def test_anything_else_differs(self, other: tuple[str, int, str]) -> None:
        assert backplane.fingerprint_redis(*other) != backplane.fingerprint_redis("ab", 0, "asgi")


class TestAnything:
    @given(st.binary(max_size=200))
    def test_no_bytes_raise(self, payload: bytes) -> None:
        backplane.read_notice_or_event(payload)

    @given(st.text(max_size=50))
    def test_no_metrics_raise(self, text: str) -> None:
        backplane.read_metrics(text)

    @given(st.text(alphabet=st.characters(exclude_categories=["Cs"])))
    def test_any_text_survives(self, text: str) -> None:
        assert backplane.read_notice_or_event(frame(group="a-1", message=text)) == GroupEvent("a-1", text)
