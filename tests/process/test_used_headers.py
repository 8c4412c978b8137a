"""What main remembers of nodes' headers, and for how long."""

from awxfast.process.used_headers import UsedHeaders
from clocks import Clock

NOW = 1_700_000_000


def header(nonce: int) -> str:
    return f"HMAC-SHA256 {nonce}:{'0' * 64}"


class TestUsedHeaders:
    def test_they_are_kept_while_they_are_fresh(self) -> None:
        clock = Clock(NOW)
        used = UsedHeaders(300, clock, steady=clock)
        for nonce in (NOW + 200, NOW, NOW - 300):
            used.add(header(nonce))
        assert sorted(used.list_fresh()) == [header(NOW - 300), header(NOW), header(NOW + 200)]
        clock.now += 300.9
        assert set(used.list_fresh()) >= {header(NOW), header(NOW + 200)}
        clock.now += 301
        assert used.list_fresh() == []

    def test_step_of_the_clock_forgets_none(self) -> None:
        clock, steady = Clock(NOW), Clock(NOW)
        used = UsedHeaders(300, clock, steady=steady)
        used.add(header(NOW))
        clock.now += 9_000
        assert used.list_fresh() == [header(NOW)]
        used.add(header(NOW + 9_000))
        clock.now -= 9_000
        assert sorted(used.list_fresh()) == [header(NOW), header(NOW + 9_000)]

    def test_short_form_counts_too(self) -> None:
        used = UsedHeaders(300, Clock(NOW))
        used.add(f"{NOW}:{'0' * 64}")
        assert used.list_fresh() == [f"{NOW}:{'0' * 64}"]

    def test_beyond_the_bound_those_go_that_are_stale_first(self) -> None:
        used = UsedHeaders(300, Clock(NOW), most=2)
        for nonce in (NOW + 2, NOW, NOW + 1):
            used.add(header(nonce))
        assert sorted(used.list_fresh()) == [header(NOW + 1), header(NOW + 2)]
