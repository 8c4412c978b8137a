"""How what serves begins and ends, with a relay and a main that only note what they are told."""

import asyncio

import pytest
from awxfast.app.life import live, start_unless_stopped, when_stopped
from awxfast.errors import StartError

HANG = 20


class Main:
    """Asks for the end when the test does."""

    def __init__(self) -> None:
        self.stop = asyncio.Event()
        self.serving = asyncio.Event()

    async def wait_for_stop(self) -> None:
        await self.stop.wait()

    def report_serving(self, _: object) -> None:
        self.serving.set()


class Rooms:
    """Stand in for all that runs."""

    def __init__(self) -> None:
        self.failed = asyncio.Event()
        self.stops = 0

    async def stop(self) -> None:
        self.stops += 1


async def begin(has_begun: bool = True) -> bool:
    return has_begun


class TestLife:
    async def test_main_hears_that_all_is_there_and_ends_it(self) -> None:
        main, rooms = Main(), Rooms()
        life = asyncio.ensure_future(live(rooms, main, begin(), "a part"))
        async with asyncio.timeout(HANG):
            await main.serving.wait()
            main.stop.set()
            await life
        assert rooms.stops == 1

    async def test_part_that_fails_ends_it_and_is_named(self) -> None:
        rooms = Rooms()
        rooms.failed.set()
        with pytest.raises(StartError, match="a part ended by a fault of its own"):
            await asyncio.wait_for(live(rooms, Main(), begin(), "a part"), HANG)
        assert rooms.stops == 1

    async def test_what_has_not_begun_is_stopped_and_main_hears_nothing(self) -> None:
        main, rooms = Main(), Rooms()
        await asyncio.wait_for(live(rooms, main, begin(False), "a part"), HANG)
        assert (rooms.stops, main.serving.is_set()) == (1, False)

    async def test_start_with_a_fault_is_stopped_and_says_its_fault(self) -> None:
        async def fail() -> bool:
            raise ValueError("no such file")

        rooms = Rooms()
        with pytest.raises(ValueError, match="no such file"):
            await asyncio.wait_for(live(rooms, Main(), fail(), "a part"), HANG)
        assert rooms.stops == 1


class TestStart:
    async def test_start_that_ends_has_begun(self) -> None:
        assert await start_unless_stopped(asyncio.sleep(0), Main())

    async def test_start_that_hangs_is_given_up_at_the_word(self) -> None:
        main, is_cancelled = Main(), asyncio.Event()

        async def hang() -> None:
            try:
                await asyncio.Event().wait()
            finally:
                is_cancelled.set()

        main.stop.set()
        assert not await asyncio.wait_for(start_unless_stopped(hang(), main), HANG)
        assert is_cancelled.is_set()

    async def test_fault_of_a_start_is_its_callers(self) -> None:
        async def fail() -> None:
            raise ValueError("no such file")

        with pytest.raises(ValueError, match="no such file"):
            await start_unless_stopped(fail(), Main())


class TestWhenStopped:
    async def test_acts_at_the_word(self) -> None:
        main, acted = Main(), asyncio.Event()
        when_stopped(main, acted.set)
        main.stop.set()
        await asyncio.wait_for(acted.wait(), HANG)

    async def test_does_not_once_it_is_cancelled(self) -> None:
        main, acted = Main(), asyncio.Event()
        waiting = when_stopped(main, acted.set)
        waiting.cancel()
        main.stop.set()
        await asyncio.wait([waiting], timeout=HANG)
        assert not acted.is_set()
