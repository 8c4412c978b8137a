"""A process's groups in Redis, command by command; `test_groups` asks a real `channels_redis`."""

from typing import Any

import pytest
from awxfast.errors import RedisReplyError
from awxfast.intake.group_layout import GroupLayout
from awxfast.intake.members import Membership
from awxfast.intake.names import ProcessNames

NAMES = ProcessNames("asgi", "0123456789abcdef")


def member(group: str) -> Membership:
    return Membership(group, f"g.{group}", NAMES.channel(f"g.{group}"))


MEMBERS = [member("jobs-1"), member("jobs-2")]
CHANNELS = [one.name for one in MEMBERS]
LAYOUT = GroupLayout(NAMES, 86_400)


class TestCommands:
    def test_join_notes_the_groups_before_it_adds_a_channel_to_each(self) -> None:
        assert LAYOUT.join(MEMBERS, 17.5) == [
            ("SADD", NAMES.groups_key, "jobs-1", "jobs-2"),
            ("ZADD", "asgi:group:jobs-1", 17.5, CHANNELS[0]),
            ("EXPIRE", "asgi:group:jobs-1", 86_400),
            ("ZADD", "asgi:group:jobs-2", 17.5, CHANNELS[1]),
            ("EXPIRE", "asgi:group:jobs-2", 86_400),
        ]

    def test_leave_takes_channels_out_before_it_forgets_the_groups(self) -> None:
        assert LAYOUT.leave(MEMBERS) == [
            ("ZREM", "asgi:group:jobs-1", CHANNELS[0]),
            ("ZREM", "asgi:group:jobs-2", CHANNELS[1]),
            ("SREM", NAMES.groups_key, "jobs-1", "jobs-2"),
        ]

    def test_script_has_all_keys_then_all_channels_then_all_groups(self) -> None:
        ((command, script, *rest),) = LAYOUT.leave_at_once(MEMBERS)
        assert command == "EVAL" and b"ZREM" in bytes(script)  # type: ignore[arg-type]
        keys = [NAMES.groups_key, "asgi:group:jobs-1", "asgi:group:jobs-2"]
        assert rest == [3, *keys, *CHANNELS, "jobs-1", "jobs-2"]

    def test_look_asks_for_each_channel(self) -> None:
        assert LAYOUT.look(MEMBERS[:1]) == [("ZSCORE", "asgi:group:jobs-1", CHANNELS[0])]


class TestAnswers:
    REFUSED = RedisReplyError("WRONGTYPE of a group's key")

    def test_of_a_join_one_is_about_each_channel(self) -> None:
        assert LAYOUT.read_joins([2, 1, 1, self.REFUSED, 0]) == [1, self.REFUSED]

    @pytest.mark.parametrize(
        ("known", "replies", "count"),
        [
            ([True, True], [0, 0, 1, 0, 1], 0),
            ([True, True], [0, 1, 1, 0, 1], 1),
            ([True, False], [0, 1, 1, 1, 1], 1),
            ([True, True], [0, REFUSED, 1, 1, 1], 1),
        ],
        ids=["all there", "one gone", "a new one beside it", "a refused one beside it"],
    )
    def test_known_channel_that_was_added_had_vanished(self, known: list[bool], replies: list[Any], count: int) -> None:
        assert LAYOUT.count_added(known, replies) == count
