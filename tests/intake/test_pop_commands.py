"""How a pop is asked for, and what its answers mean. Pops of a real Redis: `test_drain`."""

from typing import Any, cast

import pytest
from awxfast.errors import RedisReplyError, RedisUnavailable
from awxfast.intake.pop_commands import (
    BATCH_BYTES,
    Popped,
    look_command,
    read_fits,
    read_looked,
    read_popped,
    read_waited,
    wait_command,
)
from awxfast.redis.connection import RedisConnection

REFUSED = RedisReplyError("OOM command not allowed")


class Connection:
    """Gives whoever distrusts it something to raise."""

    def distrust(self, why: str) -> RedisUnavailable:
        return RedisUnavailable(why)


CONNECTION = cast(RedisConnection, Connection())


class TestCommands:
    def test_pop_that_waits_takes_many_where_redis_can(self) -> None:
        assert wait_command("q", 5.0, 100, has_bzmpop=True) == ("BZMPOP", 5.0, 1, "q", "MIN", "COUNT", 100)
        assert wait_command("q", 5.0, 100, has_bzmpop=False) == ("BZPOPMIN", "q", 5.0)

    def test_pop_that_looks_names_its_bounds(self) -> None:
        command, _, *rest = look_command("q", 100, 16_777_216)
        assert (command, rest) == ("EVAL", [1, "q", 100, BATCH_BYTES, 16_777_216])


class TestLooked:
    def test_entries_follow_how_many_were_too_large_and_whether_more_waits(self) -> None:
        reply = [2, 1, b"a", b"1.5", b"b", b"2"]
        assert read_looked(CONNECTION, reply) == Popped([[b"a", b"1.5"], [b"b", b"2"]], 2, True)
        assert read_looked(CONNECTION, [0, 0]) == Popped([])

    @pytest.mark.parametrize(
        "reply", [b"OK", None, [0], [0, b"0"], [True, 0], [0, 0, b"a"], [0, 0, b"a", 1], [b"a", b"1"]]
    )
    def test_what_is_no_answer_to_a_pop_is_distrusted(self, reply: Any) -> None:
        with pytest.raises(RedisUnavailable, match="to a pop"):
            read_looked(CONNECTION, reply)

    def test_refusal_is_raised(self) -> None:
        with pytest.raises(RedisReplyError, match="OOM"):
            read_looked(CONNECTION, REFUSED)


class TestWaited:
    def test_both_forms_give_pairs(self) -> None:
        assert read_waited([b"q", [[b"a", b"1"], [b"b", b"2"]]]) == [[b"a", b"1"], [b"b", b"2"]]
        assert read_waited([b"q", b"a", b"1"]) == [[b"a", b"1"]]

    def test_nothing_came(self) -> None:
        assert read_waited(None) == []

    def test_plain_pop_gives_pairs(self) -> None:
        assert read_popped([b"a", b"1", b"b", b"2"]) == [[b"a", b"1"], [b"b", b"2"]]
        assert read_popped([]) == []

    def test_refusals_are_raised(self) -> None:
        for read in (read_waited, read_popped):
            with pytest.raises(RedisReplyError, match="OOM"):
                read(REFUSED)


class TestFits:
    def test_next_ones_fit_by_their_mean_size(self) -> None:
        assert read_fits([1_000, 1_000 * (BATCH_BYTES // 100)], 100)
        assert not read_fits([1_000, 1_000 * (BATCH_BYTES // 100 + 1)], 100)

    @pytest.mark.parametrize("replies", [[0, None], [0, 0], [10, None], [REFUSED, 100], [10, REFUSED]])
    def test_unknown_counts_as_no(self, replies: list[Any]) -> None:
        assert not read_fits(replies, 100)
