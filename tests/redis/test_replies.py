"""What each command may be answered (RESP2): all else breaks the connection instead of being built on."""

from typing import Any

import pytest
from awxfast.errors import RedisReplyError
from awxfast.redis.replies import describe, expect, expect_all, is_numbers


class TestOneCommand:
    @pytest.mark.parametrize(
        ("name", "reply"),
        [
            ("PING", b"PONG"),
            ("ASKING", b"OK"),
            ("get", None),
            ("ZCARD", 0),
            ("LLEN", 0),
            ("BRPOP", [b"key", b"entry"]),
            ("BRPOP", None),
            ("BLMPOP", [b"key", [b"entry", b"entry"]]),
            ("BLMPOP", None),
            ("RPOP", [b"entry"]),
            ("RPOP", None),
            ("SMEMBERS", []),
            ("HGETALL", [b"pid", b"7"]),
            ("SCAN", [b"0", [b"awxfast:groups:a"]]),
            ("SSCAN", [b"0", [b"a"]]),
            ("ZADD", b"1.5"),
            ("ZADD", None),
            ("BZPOPMIN", [b"key", b"member", b"1"]),
            ("BZMPOP", [b"key", [[b"a", b"1"], [b"b", b"2"]]]),
            ("BZMPOP", None),
            ("EXEC", None),
            ("EVALSHA", [1, b"two", None]),
        ],
    )
    def test_what_redis_says_fits(self, name: str, reply: Any) -> None:
        assert expect(name).fits(reply)

    @pytest.mark.parametrize(
        ("name", "reply"),
        [
            ("PING", 1),
            ("ASKING", 1),
            ("ASKING", b"x" * 1_000),
            ("WATCH", b"x" * 1_000),
            ("SET", b"x" * 1_000),
            ("INCR", b"1"),
            ("ZCARD", b"0"),
            ("LLEN", b"0"),
            ("BRPOP", [b"key"]),
            ("BRPOP", [b"key", 1]),
            ("BLMPOP", [b"key", b"entry"]),
            ("BLMPOP", [b"key", [[b"entry"]]]),
            ("RPOP", [1]),
            ("RPOP", b"entry"),
            ("ZCARD", True),
            ("SMEMBERS", [b"a", 1]),
            ("HGETALL", [b"pid"]),
            ("SCAN", [b"0", b"awxfast:groups:a"]),
            ("BZPOPMIN", [b"key", b"member"]),
            ("BZMPOP", [b"key", [[b"a", b"1"], [b"b"]]]),
            ("BZMPOP", [b"key", [[b"a", 1]]]),
            ("BZMPOP", [b"key", b"a"]),
            ("EVALSHA", 1.5),
        ],
    )
    def test_what_answers_something_else_does_not(self, name: str, reply: Any) -> None:
        assert not expect(name).fits(reply)


class TestTransaction:
    def test_commands_are_queued_between_multi_and_exec(self) -> None:
        names = ["WATCH", "MULTI", "ZREM", "DEL", "EXEC", "ZCARD"]
        replies = [b"OK", b"OK", b"QUEUED", b"QUEUED", [1, 1], 3]
        expected = expect_all(names)
        assert [one.command for one in expected] == names
        assert all(one.fits(reply) for one, reply in zip(expected, replies, strict=True))
        assert not expected[2].fits(1)
        assert not expected[2].fits(b"x" * 1_000)

    def test_without_multi_each_has_its_own_answer(self) -> None:
        assert [one.fits(1) for one in expect_all(["ZREM", "GET"])] == [True, False]


class TestDescription:
    @pytest.mark.parametrize(
        ("reply", "said"),
        [
            (b"a secret", "a string"),
            (7, "a number"),
            ([], "a list"),
            (None, "nil"),
            (RedisReplyError("ERR a secret"), "an error"),
            ({}, "something that is not RESP2"),
        ],
    )
    def test_kind_is_told_and_not_the_content(self, reply: Any, said: str) -> None:
        assert describe(reply) == said


@pytest.mark.parametrize(("reply", "fits"), [([1, 2], True), ([1], False), ([1, b"2"], False), (2, False)])
def test_lists_of_so_many_numbers(reply: Any, fits: bool) -> None:
    assert is_numbers(reply, 2) is fits
