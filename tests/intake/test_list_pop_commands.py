"""How a pop of a list is asked for, and what its answers mean. Pops of a real Redis: `test_list_drain`."""

from typing import Any, cast

import pytest
from awxfast.errors import RedisReplyError, RedisUnavailable
from awxfast.intake.list_pop_commands import (
    look_command,
    read_looked,
    read_taken,
    read_waited,
    take_commands,
    wait_command,
)
from awxfast.intake.pop_commands import BATCH_BYTES, Popped
from awxfast.redis.connection import RedisConnection

REFUSED = RedisReplyError("OOM command not allowed")


class Connection:
    """Gives whoever distrusts it something to raise."""

    def distrust(self, why: str) -> RedisUnavailable:
        return RedisUnavailable(why)


CONNECTION = cast(RedisConnection, Connection())


class TestCommands:
    def test_pop_that_waits_takes_many_where_redis_can(self) -> None:
        assert wait_command("q", 5.0, 100, has_blmpop=True) == ("BLMPOP", 5.0, 1, "q", "RIGHT", "COUNT", 100)
        assert wait_command("q", 5.0, 100, has_blmpop=False) == ("BRPOP", "q", 5.0)

    def test_rest_is_one_command_where_redis_can_else_a_transaction(self) -> None:
        assert take_commands("q", 100, has_rpop_count=True) == [("RPOP", "q", 100)]
        assert take_commands("q", 100, has_rpop_count=False) == [
            ("MULTI",),
            ("LRANGE", "q", -100, -1),
            ("LTRIM", "q", 0, -101),
            ("EXEC",),
        ]

    @pytest.mark.parametrize("has_rpop_count", [True, False])
    def test_nothing_is_asked_for_none(self, has_rpop_count: bool) -> None:
        """LRANGE from -0 would be the whole list."""
        assert take_commands("q", 0, has_rpop_count) == []
        assert read_taken(CONNECTION, []) == []

    def test_pop_that_looks_names_its_bounds(self) -> None:
        command, _, *rest = look_command("q", 100, 16_777_216)
        assert (command, rest) == ("EVAL", [1, "q", 100, BATCH_BYTES, 16_777_216])


class TestAnswers:
    def test_looked_has_entries_behind_how_many_were_too_large_and_whether_more_waits(self) -> None:
        assert read_looked(CONNECTION, [2, 1, b"a", b"b"]) == Popped([b"a", b"b"], 2, True)
        assert read_looked(CONNECTION, [0, 0]) == Popped([])

    @pytest.mark.parametrize("reply", [b"OK", None, [0], [0, b"0"], [True, 0], [0, 0, 1], [b"a", b"1"]])
    def test_what_is_no_answer_to_a_look_is_distrusted(self, reply: Any) -> None:
        with pytest.raises(RedisUnavailable, match="to a pop"):
            read_looked(CONNECTION, reply)

    def test_waited_is_one_or_many(self) -> None:
        assert read_waited([b"q", b"a"]) == [b"a"]
        assert read_waited([b"q", [b"a", b"b"]]) == [b"a", b"b"]
        assert read_waited(None) == []

    def test_taken_is_oldest_first_in_either_form(self) -> None:
        assert read_taken(CONNECTION, [[b"a", b"b"]]) == [b"a", b"b"]
        assert read_taken(CONNECTION, [None]) == []
        assert read_taken(CONNECTION, [b"OK", b"QUEUED", b"QUEUED", [[b"b", b"a"], b"OK"]]) == [b"a", b"b"]

    @pytest.mark.parametrize("answer", [None, [], [7, b"OK"]])
    def test_transaction_that_gave_no_list_is_distrusted(self, answer: Any) -> None:
        with pytest.raises(RedisUnavailable, match="to a pop"):
            read_taken(CONNECTION, [b"OK", b"QUEUED", b"QUEUED", answer])

    def test_refusals_are_raised(self) -> None:
        for reply in ([REFUSED], [b"OK", b"QUEUED", b"QUEUED", [REFUSED, REFUSED]], [b"OK", REFUSED, REFUSED, REFUSED]):
            with pytest.raises(RedisReplyError, match="OOM"):
                read_taken(CONNECTION, reply)
        for read in (read_waited, lambda reply: read_looked(CONNECTION, reply)):
            with pytest.raises(RedisReplyError, match="OOM"):
                read(REFUSED)
