"""Replies to browsers, as awx/main/consumers.py writes them."""

import json

from awxfast.wire import browser_replies
from awxfast.wire.browser_replies import Refused
from hypothesis import given
from hypothesis import strategies as st


class TestReplies:
    def test_welcome_is_what_json_dumps_writes(self) -> None:
        assert browser_replies.encode_welcome(7) == b'{"accept": true, "user": 7}'

    def test_goodbye(self) -> None:
        assert browser_replies.GOODBYE == b'{"close": true}'

    def test_subscribed_keeps_the_order_of_keys(self) -> None:
        reply = browser_replies.encode_subscribed(["a-1", "b-2"], [], ["b-2"])
        assert reply == b'{"groups_current": ["a-1", "b-2"], "groups_left": [], "groups_joined": ["b-2"]}'

    @given(st.lists(st.lists(st.from_regex(r"[A-Za-z0-9_.-]{1,99}", fullmatch=True)), min_size=3, max_size=3))
    def test_subscribed_is_written_as_json_writes_it(self, lists: list[list[str]]) -> None:
        keys = ("groups_current", "groups_left", "groups_joined")
        assert browser_replies.encode_subscribed(*lists) == json.dumps(dict(zip(keys, lists, strict=True))).encode()

    def test_denial_of_an_id_names_it(self) -> None:
        assert browser_replies.deny("job_events", "42").reply == (
            b'{"error": "access denied to channel job_events for resource id 42"}'
        )

    def test_errors_are_ascii(self) -> None:
        assert browser_replies.encode_error("\u00e9") == b'{"error": "\\u00e9"}'


class TestErrors:
    @staticmethod
    def finish(*texts: str) -> list[dict[str, str]]:
        errors = browser_replies.Errors()
        for text in texts:
            errors.add(Refused("x", text))
        replies = errors.finish()
        assert sum(len(reply) + 4 for reply in replies) <= 65_536
        return [json.loads(reply) for reply in replies]

    def test_few_are_all_told(self) -> None:
        assert self.finish() == []
        assert self.finish("a", "b") == [{"error": "a"}, {"error": "b"}]

    def test_what_64_kib_do_not_hold_is_counted_in_one(self) -> None:
        told = self.finish(*(f"{number:04}" + "x" * 200 for number in range(1000)))
        assert [reply["error"][:4] for reply in told[:-1]] == [f"{number:04}" for number in range(len(told) - 1)]
        assert told[-1] == {"error": f"{1001 - len(told)} more errors in this command"}

    def test_short_ones_after_a_long_one_are_not_told_before_it(self) -> None:
        assert self.finish("x" * 65_000, "y" * 2_000, "z")[1:] == [{"error": "2 more errors in this command"}]
