"""Work is shared out over the turns of the loop, in order, and nobody who gave up holds up the others."""

import asyncio
from collections.abc import Iterator

from awxfast.turns import Turns, do_some, spread

MOST = 10


async def count_turns(took: list[int], stop: asyncio.Event) -> list[int]:
    """How much was taken in each turn of the loop."""
    counts = []
    while not stop.is_set():
        before = len(took)
        await asyncio.sleep(0)
        counts.append(sum(took[before:]))
    return counts


class TestTaking:
    async def test_what_has_room_in_a_turn_waits_for_nothing(self) -> None:
        turns = Turns(MOST)
        for amount in (4, 6):
            coroutine = turns.take(amount)
            try:
                coroutine.send(None)
            except StopIteration:
                continue
            raise AssertionError("it waits")

    async def test_who_does_not_wait_is_told_that_the_turn_is_full_and_never_comes_before_those_who_wait(self) -> None:
        turns = Turns(MOST)
        assert turns.take_at_once(7)
        assert not turns.take_at_once(4)
        called = asyncio.Event()
        turns.call(4, called.set)
        assert not turns.take_at_once(1)
        async with asyncio.timeout(20):
            await called.wait()

    async def test_who_gives_up_is_not_called(self) -> None:
        turns, called = Turns(MOST), []
        assert turns.call(MOST, lambda: called.append("first")) is None
        second = turns.call(MOST, lambda: called.append("second"))
        third = turns.call(MOST, lambda: called.append("third"))
        assert second is not None
        assert third is not None
        second.cancel()
        async with asyncio.timeout(20):
            await third
        await asyncio.sleep(0)
        assert called == ["first", "third"]

    async def test_no_turn_has_more_than_its_share_and_each_comes_in_order(self) -> None:
        turns, took, stop = Turns(MOST), [0], asyncio.Event()
        order: list[int] = []

        async def work(name: int) -> None:
            for _ in range(5):
                await turns.take(4)
                took.append(4)
                order.append(name)

        counting = asyncio.ensure_future(count_turns(took, stop))
        await asyncio.gather(turns.take(MOST), *(work(name) for name in range(8)))
        stop.set()
        assert max(await counting) <= 2 * MOST  # who comes while those that waited have their turn
        assert order == [*range(8)] * 5

    async def test_more_than_a_turn_has_one_of_its_own(self) -> None:
        turns = Turns(MOST)
        await turns.take(1)
        async with asyncio.timeout(20):
            await asyncio.gather(turns.take(1000), turns.take(1))

    async def test_who_is_cancelled_leaves_its_turn_to_the_next(self) -> None:
        turns = Turns(MOST)
        _, second, third = [asyncio.ensure_future(turns.take(MOST)) for _ in range(3)]
        await asyncio.sleep(0)
        second.cancel()
        async with asyncio.timeout(20):
            await third
        assert second.cancelled()


class TestSpreading:
    """Looks at many: nearly all find nothing to do, and now and then nearly all do."""

    TURN_LOOKS = 1024
    TURN_DEEDS = 32

    @staticmethod
    async def count_looks(count: int, *, has_done: bool) -> list[int]:
        looks: list[int] = []

        def look() -> Iterator[bool]:
            for _ in range(count):
                looks.append(1)
                yield has_done

        stop = asyncio.Event()
        counting = asyncio.ensure_future(count_turns(looks, stop))
        await asyncio.sleep(0)  # it counts from now on
        await spread(look())
        stop.set()
        return [turn for turn in await counting if turn]

    async def test_turn_has_so_many_looks_that_find_nothing(self) -> None:
        counts = await self.count_looks(3 * self.TURN_LOOKS + 1, has_done=False)
        assert counts == [self.TURN_LOOKS] * 3 + [1]

    async def test_turn_has_fewer_of_those_that_find_something(self) -> None:
        assert await self.count_looks(3 * self.TURN_DEEDS + 1, has_done=True) == [self.TURN_DEEDS] * 3 + [1]


class TestSome:
    """For whoever can't wait."""

    def test_so_many_are_done_and_the_others_are_for_another_turn(self) -> None:
        done: list[int] = []
        deeds = map(done.append, range(7))
        assert do_some(deeds, 3)
        assert done == [0, 1, 2]
        assert do_some(deeds, 3)
        assert not do_some(deeds, 3)
        assert done == [*range(7)]
