"""Which pops a layer's form has, and how long a list that was measured counts as known."""

import pytest
from awxfast.intake.pop_commands import BATCH_BYTES
from awxfast.intake.queue_pops import WHOLE_BYTES, ListPops, pops_of, size_command
from awxfast.redis.server_facts import ServerFacts

COUNT = 256


@pytest.fixture
def pops() -> ListPops:
    return ListPops("q", 1_000_000)


class TestForm:
    @pytest.mark.parametrize(("layer", "kind", "size"), [("core", "zset", "ZCARD"), ("lists", "list", "LLEN")])
    def test_says_what_the_queue_is(self, layer: str, kind: str, size: str) -> None:
        assert pops_of(layer, "q", 1).kind == kind
        assert size_command(layer, "q") == (size, "q")

    @pytest.mark.parametrize("layer", ["core", "lists"])
    def test_server_says_whether_the_pop_that_waits_takes_many(self, layer: str) -> None:
        made = pops_of(layer, "q", 1)
        made.begin(ServerFacts(has_bzmpop=False, has_rpop_count=True))
        assert (made.waits_for_many, len(made.take(5))) == (False, 1)
        made.begin(ServerFacts(has_bzmpop=True, has_rpop_count=True))
        assert made.waits_for_many


class TestMeasuredList:
    def test_is_not_asked_again_before_it_is_nearly_popped(self, pops: ListPops) -> None:
        assert pops.measure(COUNT)
        assert pops.read_fits([4 * COUNT, 4 * COUNT * 100], COUNT, COUNT)
        asked = []
        for _ in range(3):
            asked.append(bool(pops.measure(COUNT)))
            assert asked[-1] or pops.read_fits([], COUNT, COUNT)
        assert asked == [False, False, False]
        assert pops.measure(COUNT)

    def test_of_large_entries_does_not_fit_and_is_asked_again_when_a_quarter_is_gone(self, pops: ListPops) -> None:
        waiting = 16 * COUNT
        assert not pops.read_fits([waiting, waiting * (BATCH_BYTES // COUNT + 1)], COUNT, COUNT)
        asked = 0
        while not pops.measure(COUNT):
            assert not pops.read_fits([], COUNT, COUNT)
            asked += COUNT
        assert asked <= waiting // 4

    def test_that_could_be_too_much_at_once_does_not_fit_whatever_its_mean(self, pops: ListPops) -> None:
        assert pops.read_fits([1_000_000, WHOLE_BYTES], COUNT, COUNT)
        assert not pops.read_fits([1_000_000, WHOLE_BYTES + 1], COUNT, COUNT)

    @pytest.mark.parametrize("replies", [[0, None], [5, None], [None, 5]])
    def test_that_is_not_known_does_not_fit(self, pops: ListPops, replies: list[int | None]) -> None:
        assert not pops.read_fits(replies, COUNT, COUNT)

    def test_is_forgotten_by_a_pop_that_waits_and_on_a_new_connection(self, pops: ListPops) -> None:
        for forget in (lambda: pops.wait(1), lambda: pops.begin(ServerFacts())):
            pops.read_fits([100 * COUNT, 1], COUNT, COUNT)
            assert not pops.measure(COUNT)
            forget()
            assert pops.measure(COUNT)
