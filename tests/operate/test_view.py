"""What many ask for at once is worked out once, and nobody gets what is older than the question."""

import asyncio

import pytest
from awxfast.operate.view import Shared


class Work:
    """Counts how often it is begun; each waits until it may end."""

    def __init__(self) -> None:
        self.begun = 0
        self.may_end = asyncio.Event()

    async def run(self) -> int:
        self.begun += 1
        number = self.begun
        await self.may_end.wait()
        return number


async def test_who_comes_before_it_begins_shares_it_and_who_comes_later_has_the_next() -> None:
    work = Work()
    shared = Shared(work.run)
    first = [asyncio.ensure_future(shared.get()) for _ in range(3)]
    await asyncio.sleep(0)
    await asyncio.sleep(0)
    assert work.begun == 1
    later = [asyncio.ensure_future(shared.get()) for _ in range(50)]
    await asyncio.sleep(0)
    work.may_end.set()
    assert await asyncio.gather(*first) == [1, 1, 1]
    assert await asyncio.gather(*later) == [2] * 50
    assert await shared.get() == 3


async def test_who_goes_away_ends_it_for_nobody_else() -> None:
    work = Work()
    shared = Shared(work.run)
    goes, stays = (asyncio.ensure_future(shared.get()) for _ in range(2))
    await asyncio.sleep(0)
    goes.cancel()
    await asyncio.wait([goes])
    work.may_end.set()
    assert await stays == 1


async def test_fault_reaches_those_who_asked_and_no_others() -> None:
    faults = [RuntimeError("a fault of ours")]

    async def work() -> str:
        if faults:
            raise faults.pop()
        return "well"

    shared = Shared(work)
    with pytest.raises(RuntimeError, match="a fault of ours"):
        await shared.get()
    assert await shared.get() == "well"
