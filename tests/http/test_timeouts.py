"""One timer for all that have the same time."""

import asyncio

from awxfast.http.timeouts import Timeouts

TURN_ENDS = 32


class Reader:
    def __init__(self) -> None:
        self.late = asyncio.Event()

    def end_late(self) -> None:
        self.late.set()


class TestTimeouts:
    async def test_each_ends_in_its_turn(self) -> None:
        heads, first, second = Timeouts(0.05, Reader.end_late), Reader(), Reader()
        heads.start(first)
        await asyncio.sleep(0.03)
        heads.start(second)
        await first.late.wait()
        assert not second.late.is_set()
        await second.late.wait()

    async def test_head_that_is_whole_is_forgotten(self) -> None:
        heads, first, second = Timeouts(0.02, Reader.end_late), Reader(), Reader()
        heads.start(first)
        heads.start(second)
        heads.stop(first)
        await second.late.wait()
        assert not first.late.is_set()

    async def test_time_that_runs_is_not_begun_anew(self) -> None:
        heads, trickling = Timeouts(0.05, Reader.end_late), Reader()
        heads.start(trickling)
        for _ in range(10):
            await asyncio.sleep(0.01)
            if trickling.late.is_set():
                break
            heads.start(trickling)
        assert trickling.late.is_set()

    async def test_time_begins_anew_for_the_next_head(self) -> None:
        heads, reader = Timeouts(0.02, Reader.end_late), Reader()
        heads.start(reader)
        await reader.late.wait()
        reader.late.clear()
        heads.start(reader)
        await reader.late.wait()

    async def test_negative_time_is_none(self) -> None:
        heads, reader = Timeouts(-1, Reader.end_late), Reader()
        heads.start(reader)
        await asyncio.sleep(0.02)
        assert not reader.late.is_set()

    async def test_time_that_is_restarted_begins_anew(self) -> None:
        silences, talking, silent = Timeouts(0.2, Reader.end_late), Reader(), Reader()
        silences.start(talking)
        silences.start(silent)
        while not silent.late.is_set():
            silences.restart(talking)
            await asyncio.sleep(0.01)
        assert not talking.late.is_set()
        await talking.late.wait()

    async def test_turn_ends_so_many_and_the_next_the_others(self) -> None:
        ended: list[int] = []
        heads = Timeouts(0.01, ended.append)
        for number in range(100):
            heads.start(number)
        counts = []
        while len(ended) < 100:
            before = len(ended)
            await asyncio.sleep(0)
            counts.append(len(ended) - before)
        assert max(counts) == TURN_ENDS
        assert ended == list(range(100))
