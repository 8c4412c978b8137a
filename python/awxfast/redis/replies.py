"""What a Redis may answer to each command that is sent here, in RESP2; anything else is no answer to build on."""

import functools
import itertools
from collections.abc import Callable, Sequence
from typing import Any, NamedTuple

from awxfast.errors import RedisReplyError

Check = Callable[[Any], bool]

LONGEST_WORD = 64
"""Bytes, of OK, QUEUED, a score or a type. Answers of a batch are all kept until the last one has come."""


class Expectation(NamedTuple):
    """What one command may be answered. An error is always allowed."""

    command: str
    fits: Check


@functools.cache
def expect(name: object) -> Expectation:
    """For a command by its name; any RESP2 reply for one that has no entry here."""
    command = str(name).upper()
    return Expectation(command, CHECKS.get(command, is_resp2))


def expect_all(names: Sequence[object]) -> list[Expectation]:
    """For several in one write: between MULTI and EXEC each is only queued."""
    if "MULTI" not in names:
        return [expect(name) for name in names]
    expected = []
    queues = False
    for name in names:
        one = expect(name)
        queues = queues and one.command != "EXEC"
        expected.append(Expectation(one.command, is_word) if queues else one)
        queues = queues or one.command == "MULTI"
    return expected


def describe(reply: Any) -> str:
    """A reply's kind, for a log line; never its content."""
    return KINDS.get(type(reply), "something that is not RESP2")


def is_text(reply: Any) -> bool:
    """A string of either form."""
    return type(reply) is bytes


def is_word(reply: Any) -> bool:
    """A string, and a short one."""
    return type(reply) is bytes and len(reply) <= LONGEST_WORD


def is_text_or_nil(reply: Any) -> bool:
    """A string, or none."""
    return reply is None or type(reply) is bytes


def is_number(reply: Any) -> bool:
    """An integer; hiredis makes booleans only of RESP3."""
    return type(reply) is int


def is_resp2(reply: Any) -> bool:
    """Anything that RESP2 has."""
    return type(reply) in KINDS


def is_list_or_nil(reply: Any) -> bool:
    """A list, or none."""
    return reply is None or type(reply) is list


def is_texts(reply: Any) -> bool:
    """Whether it is a list of strings."""
    return type(reply) is list and set(map(type, reply)) <= {bytes}


def is_pairs(reply: Any) -> bool:
    """Strings, two and two."""
    return is_texts(reply) and len(reply) % 2 == 0


def is_numbers(reply: Any, count: int) -> bool:
    """Whether it is a list of so many integers."""
    return type(reply) is list and len(reply) == count and set(map(type, reply)) <= {int}


def _is_number_or_nil(reply: Any) -> bool:
    return reply is None or is_number(reply)


def _is_number_or_text(reply: Any) -> bool:
    """Of CLIENT: ID and UNBLOCK, or SETNAME."""
    return is_number(reply) or is_text(reply)


def _is_word_or_nil(reply: Any) -> bool:
    return reply is None or is_word(reply)


def _is_scan(reply: Any) -> bool:
    return type(reply) is list and len(reply) == 2 and is_text(reply[0]) and is_texts(reply[1])


def _is_popped(reply: Any) -> bool:
    """Of BZPOPMIN: key, member, score."""
    return reply is None or (is_texts(reply) and len(reply) == 3)


def _is_many_popped(reply: Any) -> bool:
    """Of BZMPOP: key and pairs."""
    if reply is None:
        return True
    if type(reply) is not list or len(reply) != 2 or type(reply[1]) is not list:
        return False
    popped = reply[1]  # hundreds, many times a second: looked at without a call of Python's for each
    return (
        set(map(type, popped)) <= {list}
        and set(map(len, popped)) <= {2}
        and set(map(type, itertools.chain.from_iterable(popped))) <= {bytes}
    )


def _is_listed(reply: Any) -> bool:
    """Of BRPOP: key and entry."""
    return reply is None or (is_texts(reply) and len(reply) == 2)


def _is_many_listed(reply: Any) -> bool:
    """Of BLMPOP: key and entries."""
    return reply is None or (type(reply) is list and len(reply) == 2 and is_texts(reply[1]))


def _is_texts_or_nil(reply: Any) -> bool:
    return reply is None or is_texts(reply)


def _is_scored(reply: Any) -> bool:
    """Of ZADD: a number, or with INCR a score or nil."""
    return is_number(reply) or _is_word_or_nil(reply)


def _is_subscribed(reply: Any) -> bool:
    """Of a subscribed connection, which tells no more than which command it is that it answers."""
    return reply in (b"subscribe", b"psubscribe")


def _is_unsubscribed(reply: Any) -> bool:
    return reply in (b"unsubscribe", b"punsubscribe")


KINDS: dict[type, str] = {
    bytes: "a string",
    int: "a number",
    type(None): "nil",
    list: "a list",
    RedisReplyError: "an error",
}

CHECKS: dict[str, Check] = {
    **dict.fromkeys(("ASKING", "AUTH", "SELECT", "PING", "TYPE"), is_word),
    **dict.fromkeys(("WATCH", "UNWATCH", "MULTI", "DISCARD"), is_word),
    **dict.fromkeys(("SET", "ZSCORE"), _is_word_or_nil),
    "GET": is_text_or_nil,
    "INFO": is_text,
    **dict.fromkeys(("DEL", "EXISTS", "EXPIRE", "HDEL", "HSET", "INCR", "LLEN"), is_number),
    **dict.fromkeys(("SADD", "SREM", "ZCARD", "ZREM"), is_number),
    **dict.fromkeys(("SMEMBERS", "ZRANGE"), is_texts),
    **dict.fromkeys(("HGETALL", "ZPOPMIN"), is_pairs),
    **dict.fromkeys(("SUBSCRIBE", "PSUBSCRIBE"), _is_subscribed),
    **dict.fromkeys(("UNSUBSCRIBE", "PUNSUBSCRIBE"), _is_unsubscribed),
    **dict.fromkeys(("PUBLISH", "SPUBLISH"), is_number),
    "CLIENT": _is_number_or_text,
    "EXEC": is_list_or_nil,
    "MEMORY": _is_number_or_nil,
    **dict.fromkeys(("SCAN", "SSCAN"), _is_scan),
    "ZADD": _is_scored,
    "BZPOPMIN": _is_popped,
    "BZMPOP": _is_many_popped,
    "BRPOP": _is_listed,
    "BLMPOP": _is_many_listed,
    "RPOP": _is_texts_or_nil,
}
