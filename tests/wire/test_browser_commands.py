"""Browsers' commands, as awx/main/consumers.py reads them."""

import json
import re
from typing import Any

import pytest
from awxfast.wire import browser_commands
from awxfast.wire.browser_commands import Command, Want, read_command
from awxfast.wire.browser_replies import Refused
from hypothesis import given
from hypothesis import strategies as st

DENIED = b'{"error": "access denied to channel"}'


def read(groups: Any, **more: Any) -> Command:
    return read_command(json.dumps({"groups": groups, **more}).encode(), None)


def groups_of(command: Command) -> list[str]:
    return [step.group for step in command.steps if isinstance(step, Want)]


def errors_of(command: Command) -> list[bytes]:
    return [step.reply for step in command.steps if isinstance(step, Refused)]


class TestGroups:
    def test_groups_are_named_by_key_and_value_in_the_order_sent(self) -> None:
        command = read({"schedules": ["changed"], "jobs": ["status_changed", "summary"], "job_events": [42]})
        assert groups_of(command) == ["schedules-changed", "jobs-status_changed", "jobs-summary", "job_events-42"]
        assert command.replaces
        assert not errors_of(command)

    @pytest.mark.parametrize("ids", [[42], ["42"], [42, "42", 42]])
    def test_number_and_text_are_one_group(self, ids: list[Any]) -> None:
        assert set(groups_of(read({"job_events": ids}))) == {"job_events-42"}

    @pytest.mark.parametrize(
        ("value", "group"), [(True, "jobs-True"), (None, "jobs-None"), (42.0, "jobs-42.0"), (-1, "jobs--1")]
    )
    def test_values_look_as_python_formats_them(self, value: Any, group: str) -> None:
        assert groups_of(read({"jobs": [value]})) == [group]

    @pytest.mark.parametrize("values", [[1, True, 1.0, "1"], [True, 1.0, 1], [0, False, -0.0]])
    def test_values_that_are_equal_are_not_taken_for_each_other(self, values: list[Any]) -> None:
        assert groups_of(read({"equals": values})) == [f"equals-{value}" for value in values]

    def test_no_groups_is_a_subscription_to_nothing(self) -> None:
        assert read({}) == Command(replaces=True)

    def test_a_list_may_be_empty(self) -> None:
        assert read({"jobs": []}) == Command(replaces=True)

    def test_other_keys_are_ignored(self) -> None:
        assert groups_of(read({"jobs": ["a"]}, other=[1], xrftoken=5)) == ["jobs-a"]

    def test_without_the_key_groups_nothing_happens(self) -> None:
        assert read_command(b'{"other": 1}', None) == Command()


class TestIds:
    """ansible/ansible-ui#659: rights are checked for both forms; all else gets the error reply for that id."""

    @pytest.mark.parametrize("kind", sorted(browser_commands.CHECKED_KINDS))
    @pytest.mark.parametrize(
        ("sent", "named"),
        [
            ('" 42"', " 42"),
            ('"042"', "042"),
            ('"4_2"', "4_2"),
            ('"+42"', "+42"),
            ('"abc"', "abc"),
            ('""', ""),
            ("42.0", "42.0"),
            ("4.20e1", "42.0"),
            ("-1", "-1"),
            ("true", "True"),
            ("null", "None"),
            ("[]", "[]"),
            ("{}", "{}"),
            ("[[1]]", "[...]"),
            ('{"a": 1}', "{...}"),
            ("1" + "0" * 30, "1" + "0" * 30),
            ('"1' + "0" * 30 + '"', "1" + "0" * 30),
            ("18446744073709551616", "18446744073709551616"),
        ],
    )
    def test_what_is_no_id_is_refused_by_its_text(self, kind: str, sent: str, named: str) -> None:
        command = read_command(f'{{"groups": {{"{kind}": [1, {sent}, 2]}}}}'.encode(), None)
        assert groups_of(command) == [f"{kind}-1", f"{kind}-2"]
        assert errors_of(command) == [
            json.dumps({"error": f"access denied to channel {kind} for resource id {named}"}).encode()
        ]

    @pytest.mark.parametrize("value", [0, 1, "0", "7", 2**64 - 1, str(2**64 - 1)])
    def test_integers_and_plain_decimal_text_are_ids(self, value: int | str) -> None:
        assert groups_of(read({"job_events": [value]})) == [f"job_events-{value}"]

    def test_repeated_id_repeats_its_error(self) -> None:
        assert len(errors_of(read({"job_events": ["x", "x"]}))) == 2

    def test_integers_beyond_64_bits_are_refused_in_any_group(self) -> None:
        assert errors_of(read({"project_update_events": [10**30]})) == [
            b'{"error": "access denied to channel project_update_events for resource id 1' + b"0" * 30 + b'"}'
        ]

    def test_floats_beside_small_integers_change_nothing(self) -> None:
        assert groups_of(read({"jobs": [1.5, 7, -(2**63), "a"]})) == [
            "jobs-1.5",
            "jobs-7",
            f"jobs-{-(2**63)}",
            "jobs-a",
        ]

    def test_huge_value_is_not_echoed_whole(self) -> None:
        (error,) = errors_of(read({"job_events": ["9" * 100_000]}))
        assert len(error) < 400


class TestGroupNames:
    """django/channels#1845: the error names the group, its length and the characters."""

    def test_bad_names_are_refused_one_by_one_and_the_rest_goes_on(self) -> None:
        command = read({"jobs": ["x" * 120, "a b", "summary"]})
        too_long, odd = (json.loads(error)["error"] for error in errors_of(command))
        assert f"jobs-{'x' * 120}" in too_long
        assert "125 characters" in too_long
        assert "jobs-a b" in odd
        assert "A-Z a-z 0-9 - _ ." in odd
        assert groups_of(command) == ["jobs-summary"]
        assert command.replaces

    def test_99_characters_are_allowed_100_are_not(self) -> None:
        command = read({"jobs": ["x" * 94, "x" * 95]})
        assert groups_of(command) == ["jobs-" + "x" * 94]
        assert len(errors_of(command)) == 1

    @pytest.mark.parametrize("value", ["a\n", "\u00e9", "a/b", "a!b", "\x00", "\u0664"])
    def test_characters_are_ascii_letters_digits_and_three_marks(self, value: str) -> None:
        assert groups_of(read({"jobs": [value]})) == []

    def test_key_is_part_of_the_name(self) -> None:
        assert groups_of(read({"a b": ["c"], "": ["x"]})) == ["-x"]


class TestReservedGroups:
    @pytest.mark.parametrize("groups", [{"broadcast": ["group_send"]}, {"metrics": [""]}, {"metrics": ["x"]}])
    def test_backplane_and_metrics_are_not_for_browsers(self, groups: dict[str, list[str]]) -> None:
        command = read({**groups, "jobs": ["summary"]})
        assert errors_of(command) == [DENIED]
        assert groups_of(command) == ["jobs-summary"]


class TestCsrf:
    def test_matching_token_is_let_through(self) -> None:
        assert groups_of(read_command(b'{"groups": {"jobs": ["a"]}, "xrftoken": "T"}', "T")) == ["jobs-a"]

    @pytest.mark.parametrize(
        ("cookie", "sent"),
        [("T", b'"t"'), ("T", b'""'), ("T", b"null"), ("T", b'["T"]'), ("", b'""'), ("T", b'"\xc3\xa9"')],
    )
    def test_other_tokens_change_nothing(self, cookie: str, sent: bytes) -> None:
        command = read_command(b'{"groups": {"jobs": ["a"]}, "xrftoken": ' + sent + b"}", cookie)
        assert errors_of(command) == [DENIED]
        assert not command.replaces

    def test_token_is_looked_at_before_the_groups(self) -> None:
        assert errors_of(read_command(b'{"groups": 5}', "T")) == [DENIED]

    def test_missing_token_is_refused(self) -> None:
        assert errors_of(read_command(b"{}", "T")) == [DENIED]


class TestBadInput:
    @pytest.mark.parametrize(
        "payload",
        [
            b"",
            b"hello",
            b'{"groups": ',
            b'{"groups": {"jobs": [NaN]}}',
            b'{"groups": {"jobs": ["\\ud800"]}}',
            b"[" * 10_000 + b"]" * 10_000,
            b'{"groups": {"jobs": [' + b"[" * 10_000 + b"]" * 10_000 + b"]}}",
            b"1e999",
        ],
    )
    def test_what_is_not_json_gets_one_error(self, payload: bytes) -> None:
        command = read_command(payload, None)
        (error,) = errors_of(command)
        assert "not JSON" in json.loads(error)["error"]
        assert not command.replaces

    @pytest.mark.parametrize("payload", [b"[]", b'"a"', b"5", b"null", b"true", b"1.5"])
    def test_what_is_no_object_gets_one_error(self, payload: bytes) -> None:
        (error,) = errors_of(read_command(payload, None))
        assert "not a JSON object" in json.loads(error)["error"]

    @pytest.mark.parametrize("groups", [[], "jobs", None, 5, True])
    def test_groups_that_is_no_object_gets_one_error(self, groups: Any) -> None:
        command = read(groups)
        (error,) = errors_of(command)
        assert "groups" in json.loads(error)["error"]
        assert not command.replaces

    @pytest.mark.parametrize("value", ["summary", 5, None, {"a": 1}, True])
    def test_value_that_is_no_list_ends_the_command_and_nothing_changes(self, value: Any) -> None:
        command = read({"jobs": ["a", "b c"], "schedules": value, "control": ["d"]})
        assert [type(step) for step in command.steps] == [Want, Refused, Refused]
        assert errors_of(command)[-1] == DENIED
        assert not command.replaces

    def test_nesting_that_one_reader_takes_and_the_other_does_not(self) -> None:
        deep = b"[" * 1000 + b"]" * 1000
        command = read_command(b'{"groups": {"jobs": [1.5, ' + deep + b"]}}", None)
        assert groups_of(command) == ["jobs-1.5"]


class TestLimits:
    def test_1000_groups_are_allowed(self) -> None:
        assert len(groups_of(read({"jobs": list(range(1000))}))) == 1000

    def test_one_more_is_excessive(self) -> None:
        assert read({"jobs": list(range(1000)), "schedules": ["changed"]}) == Command(excessive=True)

    def test_another_limit(self) -> None:
        payload = json.dumps({"groups": {"jobs": [1, 2], "schedules": [3]}}).encode()
        assert len(groups_of(read_command(payload, None, 3))) == 3
        assert read_command(payload, None, 2) == Command(excessive=True)

    def test_as_many_kinds_as_groups_are_allowed_and_one_more_is_excessive(self) -> None:
        kinds: dict[str, list[int]] = {f"kind{number}": [1] for number in range(1000)}
        assert len(groups_of(read(kinds))) == 1000
        assert read({**kinds, "another": []}) == Command(excessive=True)

    @pytest.mark.parametrize(
        "groups",
        [
            b"{" + b",".join(b'"a%d":[]' % number for number in range(20_900)) + b"}",
            b'{"jobs": [' + b",".join(b"%d" % number for number in range(300_000)) + b"]}",
            b'{}, "x": [' + b",".join([b'"a"'] * 250_000) + b"]",
            b"{}, " + b",".join(b'"%d":1' % number for number in range(100_000)),
        ],
        ids=["empty lists", "groups", "texts elsewhere", "keys elsewhere"],
    )
    def test_command_that_takes_long_to_read_is_excessive_unread(
        self, groups: bytes, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        """What is in it took up to 30 ms, in which nobody else was served."""
        monkeypatch.setattr(browser_commands, "orjson", None)
        assert read_command(b'{"groups": ' + groups + b"}", None) == Command(excessive=True)

    @pytest.mark.parametrize("part", [b"{}", b"[]", b'{"a":[]}'])
    def test_command_of_very_many_parts_gets_one_error_unread(self, part: bytes) -> None:
        (error,) = errors_of(read_command(b'{"groups": {}, "x": [' + part + (b"," + part) * 30_000 + b"]}", None))
        assert "too many" in json.loads(error)["error"]

    def test_very_many_values_are_not_read_a_second_time(self, monkeypatch: pytest.MonkeyPatch) -> None:
        """To read integers beyond 64 bits as they were sent is slow."""
        reads: list[str] = []
        monkeypatch.setattr(browser_commands, "read_integer", lambda text: reads.append(text) or int(text))
        huge = b"1" * 30
        read_command(b'{"groups": {"job_events": [' + huge + b']}, "x": [1' + b",1" * 400_000 + b"]}", None)
        read_command(b'{"groups": {"job_events": [' + huge + b",1" * 400_000 + b"]}}", None)
        read_command(b'{"groups": {"jobs": [1.5]}, "x": [1' + b",1" * 10_000 + b"]}", None)
        assert not reads
        read_command(b'{"groups": {"job_events": [' + huge + b"]}}", None)
        assert reads == [huge.decode()]


VALUES = st.none() | st.booleans() | st.integers() | st.floats() | st.text(max_size=8) | st.just([]) | st.just({"a": 1})


class TestAnyInput:
    @given(st.binary(max_size=200))
    def test_bytes_never_raise(self, payload: bytes) -> None:
        read_command(payload, "T")

    @given(
        st.dictionaries(
            st.text(max_size=8) | st.sampled_from(["job_events", "jobs", "metrics"]),
            st.lists(VALUES, max_size=8),
            max_size=8,
        )
    )
    def test_every_value_gets_one_step_and_every_group_is_valid(self, groups: dict[str, list[Any]]) -> None:
        try:
            payload = json.dumps({"groups": groups}).encode()
        except UnicodeEncodeError:
            return
        command = read_command(payload, None)
        if command.replaces:
            assert len(command.steps) == sum(map(len, groups.values()))
        for step in command.steps:
            if isinstance(step, Want):
                assert re.fullmatch(r"[A-Za-z0-9\-_.]{1,99}", step.group)
            else:
                assert set(json.loads(step.reply)) == {"error"}
