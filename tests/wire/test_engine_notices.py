"""What takers and publishers say on an engine's control channel."""

import json
from typing import Any

import pytest
from awxfast.wire import engine_notices
from awxfast.wire.backplane import Fault
from awxfast.wire.engine_notices import Ask, Beat, Bye, Change, Heir, Listing, Notice
from hypothesis import given, settings
from hypothesis import strategies as st

WHO = "0123456789abcdef"
REDIS = "0" * 31 + "f"
SENDER: dict[str, Any] = {"who": WHO, "node": "awx-1", "redis": REDIS, "version": 7}

NOTICES: list[Notice] = [
    Change(**SENDER, add=("a..b", "jobs-1"), drop=("c",)),
    Listing(**SENDER, part=1, parts=2, groups=("a",)),
    Beat(**SENDER, role="taker"),
    Beat(**SENDER, role="publisher"),
    Beat(**SENDER, role="taker", linked=(WHO,)),
    Heir(who=WHO, version=7),
    Bye(who=WHO),
    Ask(of=None),
    Ask(of=(WHO, "f" * 16)),
]


def message(kind: str, **document: Any) -> bytes:
    return json.dumps({"kind": kind, **document}).encode()


class TestReading:
    @pytest.mark.parametrize("notice", NOTICES, ids=lambda notice: type(notice).__name__)
    def test_notice_is_read_as_it_was_written(self, notice: Notice) -> None:
        assert engine_notices.read_notice(engine_notices.encode_notice(notice)) == notice

    def test_change_has_the_names_that_others_read(self) -> None:
        text = engine_notices.encode_notice(Change(**SENDER, add=("a",), drop=("b",)))
        assert json.loads(text) == {"kind": "want", **SENDER, "add": ["a"], "drop": ["b"]}

    def test_question_for_all_says_so(self) -> None:
        assert json.loads(engine_notices.encode_notice(Ask(of=None))) == {"kind": "ask", "of": "all"}

    def test_keys_of_a_later_version_are_passed_over(self) -> None:
        assert engine_notices.read_notice(message("bye", who=WHO, why="reload")) == Bye(who=WHO)

    def test_group_that_cannot_exist_is_left_out(self) -> None:
        payload = message("want", **SENDER, add=["ok-1", "no space", 7, "x" * 100], drop=["", "b"])
        assert engine_notices.read_notice(payload) == Change(**SENDER, add=("ok-1",), drop=("b",))

    @pytest.mark.parametrize(
        ("payload", "fault"),
        [
            (b"", Fault.NOT_JSON),
            (b"\xff", Fault.NOT_JSON),
            (b"[]", Fault.NOT_THE_WIRES),
            (b"{}", Fault.NOT_THE_WIRES),
            (b" " * 1_048_577, Fault.NOT_THE_WIRES),
            (message("other", who=WHO), Fault.OTHER_TYPE),
            (message("bye", who="x" * 16), Fault.NOT_THE_WIRES),
            (message("bye", who=WHO + "\n"), Fault.NOT_THE_WIRES),
            (message("bye"), Fault.NOT_THE_WIRES),
            (message("beat", **SENDER, role="king"), Fault.NOT_THE_WIRES),
            (message("beat", **{**SENDER, "redis": "0"}, role="taker"), Fault.NOT_THE_WIRES),
            (message("beat", **{**SENDER, "node": ""}, role="taker"), Fault.NOT_THE_WIRES),
            (message("beat", **{**SENDER, "node": "n" * 256}, role="taker"), Fault.NOT_THE_WIRES),
            (message("beat", **{**SENDER, "version": -1}, role="taker"), Fault.NOT_THE_WIRES),
            (message("beat", **{**SENDER, "version": True}, role="taker"), Fault.NOT_THE_WIRES),
            (message("beat", **{**SENDER, "version": 2**53 + 1}, role="taker"), Fault.NOT_THE_WIRES),
            (message("beat", **SENDER, role="taker", linked=["ALL"]), Fault.NOT_THE_WIRES),
            (message("beat", **SENDER, role="taker", linked=WHO), Fault.NOT_THE_WIRES),
            (message("heir", who=WHO), Fault.NOT_THE_WIRES),
            (message("want", **SENDER, add=["a"] * 10_001), Fault.NOT_THE_WIRES),
            (message("want", **SENDER, add={"a": 1}), Fault.NOT_THE_WIRES),
            (message("all", **SENDER, part=0, parts=1), Fault.NOT_THE_WIRES),
            (message("all", **SENDER, part=1, parts=1, groups=[]), Fault.NOT_THE_WIRES),
            (message("all", **SENDER, part=0, parts=0, groups=[]), Fault.NOT_THE_WIRES),
            (message("all", **SENDER, part=0, parts=1_001, groups=[]), Fault.NOT_THE_WIRES),
            (message("ask"), Fault.NOT_THE_WIRES),
            (message("ask", of=[7]), Fault.NOT_THE_WIRES),
            (message("ask", of=["ALL"]), Fault.NOT_THE_WIRES),
            (message("ask", of=[WHO] * 2_001), Fault.NOT_THE_WIRES),
        ],
    )
    def test_message_that_is_no_notice_is_a_fault(self, payload: bytes, fault: Fault) -> None:
        assert engine_notices.read_notice(payload) is fault

    @settings(deadline=None)
    @given(st.binary(max_size=200))
    def test_any_bytes_are_a_notice_or_a_fault(self, payload: bytes) -> None:
        assert isinstance(engine_notices.read_notice(payload), Fault | Change | Listing | Beat | Bye | Ask | Heir)

    @settings(deadline=None)
    @given(
        st.sampled_from(["want", "all", "beat", "bye", "ask", "heir"]),
        st.dictionaries(
            st.sampled_from([*SENDER, "add", "drop", "part", "parts", "groups", "role", "of"]),
            st.none() | st.integers() | st.floats(allow_nan=False) | st.text() | st.lists(st.text() | st.integers()),
        ),
    )
    def test_any_values_are_a_notice_or_a_fault(self, kind: str, document: dict[str, Any]) -> None:
        notice = engine_notices.read_notice(message(kind, **document))
        assert isinstance(notice, Fault | Change | Listing | Beat | Bye | Ask | Heir)


class TestPassingOver:
    @pytest.mark.parametrize("notice", NOTICES, ids=lambda notice: type(notice).__name__)
    def test_those_that_name_groups_are_known_unread(self, notice: Notice) -> None:
        message = engine_notices.encode_notice(notice)
        assert engine_notices.names_groups(message) == isinstance(notice, Change | Listing)


class TestSplitting:
    def test_nothing_is_one_part_that_is_empty(self) -> None:
        assert list(engine_notices.split_groups([], 1_000_000)) == [[]]

    def test_no_part_names_more_than_a_notice_may(self) -> None:
        groups = [f"g-{number}" for number in range(25_000)]
        parts = list(engine_notices.split_groups(groups, 1_000_000))
        assert [len(part) for part in parts] == [10_000, 10_000, 5_000]
        assert [group for part in parts for group in part] == groups

    def test_no_message_is_larger_than_the_engine_takes(self) -> None:
        groups = [f"{number:099}" for number in range(1_000)]
        sender = {**SENDER, "node": "\x01" * 100}
        parts = list(engine_notices.split_groups(groups, 20_000))
        sizes = [len(engine_notices.encode_notice(Change(**sender, add=tuple(part)))) for part in parts]
        assert max(sizes) <= 20_000 and len(parts) == 6
        assert [group for part in parts for group in part] == groups
