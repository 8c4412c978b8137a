"""What is said of reloads, and in which order they are done, without a process: `tests/e2e/test_reload.py` has them."""

import asyncio
import logging
from collections.abc import AsyncIterator
from typing import Any, cast

import pytest
from awxfast.errors import HandOverFailed
from awxfast.process.reloads import Reloads, describe_reload
from awxfast.process.supervisor import Supervisor
from awxfast.process.watchers import Watchers

HANG = 20


class Main:
    """Stands in for the supervisor and those who wait to hear."""

    def __init__(self) -> None:
        self.generation = 1
        self.serves = True
        self.stopping = asyncio.Event()
        self.failure: Exception | None = None
        self.replaced = 0
        self.told: list[tuple[bool, str]] = []
        self.heard = asyncio.Event()

    async def replace_child(self, read_settings: object) -> dict[str, Any]:
        self.replaced += 1
        if self.failure is not None:
            raise self.failure
        return {"kept": 5, "drained": 2, "silence": 0.0124}

    def begin(self) -> None: ...

    def begin_reload(self) -> None: ...

    def tell(self, *, done: bool, text: str) -> None:
        self.told.append((done, text))
        self.heard.set()

    def freeze(self, kept: list[int]) -> list[int]:
        return []


@pytest.fixture
async def main() -> AsyncIterator[Main]:
    yield Main()


async def read_settings() -> str:
    return "{}"


@pytest.fixture
async def reloads(main: Main) -> AsyncIterator[Reloads]:
    one = Reloads(cast(Supervisor, main), read_settings, cast(Watchers, main))
    task = asyncio.create_task(one.run())
    yield one
    task.cancel()
    await asyncio.gather(task, return_exceptions=True)


class TestOutcome:
    async def test_failure_is_told_and_the_old_process_goes_on(
        self, main: Main, reloads: Reloads, caplog: pytest.LogCaptureFixture
    ) -> None:
        main.failure = HandOverFailed("it understands another format")
        reloads.ask()
        await asyncio.wait_for(main.heard.wait(), HANG)
        assert main.told == [(False, "the old process goes on: it understands another format")]
        assert [record.levelno for record in caplog.records if "goes on" in record.getMessage()] == [logging.ERROR]
        assert not reloads.renewal_due.is_set()

    async def test_failure_of_several_lines_becomes_one(
        self, main: Main, reloads: Reloads, caplog: pytest.LogCaptureFixture
    ) -> None:
        main.failure = HandOverFailed(
            "site:app can't be imported: in the file\n  settings.py\r\nthere is\tno SECRET_KEY"
        )
        reloads.ask()
        await asyncio.wait_for(main.heard.wait(), HANG)
        (line,) = [record.getMessage() for record in caplog.records if "goes on" in record.getMessage()]
        reason = "site:app can't be imported: in the file settings.py there is no SECRET_KEY"
        assert (line, main.told) == (
            f"reload: the old process goes on: {reason}",
            [(False, f"the old process goes on: {reason}")],
        )

    async def test_another_process_starts_where_the_old_one_is_gone(self, main: Main, reloads: Reloads) -> None:
        main.failure, main.serves = HandOverFailed("it is gone"), False
        reloads.ask()
        await asyncio.wait_for(main.heard.wait(), HANG)
        assert main.told == [(False, "another process starts: it is gone")]

    async def test_end_of_the_server_gives_it_up(self, main: Main, reloads: Reloads) -> None:
        main.failure = HandOverFailed("it stops")
        main.stopping.set()
        reloads.ask()
        await asyncio.wait_for(main.heard.wait(), HANG)
        assert main.told == [(False, "given up, the server stops")]

    async def test_main_that_can_not_follow_says_what_was_done_all_the_same(self, main: Main, reloads: Reloads) -> None:
        reloads.ask()
        await asyncio.wait_for(reloads.renewal_due.wait(), HANG)
        assert main.told == []
        reloads.stay("no memory is left")
        (done, text), *_ = main.told
        assert not done
        assert text.startswith("generation 1, 5 sockets kept, 2 drained")
        assert text.endswith("but the main process stays the old version: no memory is left")


class TestOrder:
    async def test_several_that_wait_for_the_one_under_way_are_one(self, main: Main, reloads: Reloads) -> None:
        reloads.ask()
        await asyncio.wait_for(reloads.renewal_due.wait(), HANG)
        for _ in range(3):
            reloads.ask()
        reloads.stay("first")
        await asyncio.wait_for(reloads.renewal_due.wait(), HANG)
        reloads.stay("second")
        await asyncio.sleep(0)
        assert main.replaced == 2

    async def test_next_program_tells_what_became_of_it_and_does_what_was_asked_meanwhile(
        self, main: Main, reloads: Reloads
    ) -> None:
        reloads.ask()
        await asyncio.wait_for(reloads.renewal_due.wait(), HANG)
        reloads.ask()
        frozen = reloads.freeze([])
        after = Main()
        following = Reloads(cast(Supervisor, after), read_settings, cast(Watchers, after))
        following.adopt(frozen, "")
        assert after.told == [(True, "reload: generation 1, 5 sockets kept, 2 drained, silence at most 12 ms")]
        running = asyncio.create_task(following.run())
        await asyncio.wait_for(following.renewal_due.wait(), HANG)
        running.cancel()
        assert after.replaced == 1


class TestWords:
    def test_what_the_new_process_could_not_say_is_not_made_up(self) -> None:
        assert describe_reload(3, {}) == "reload: generation 3, which has all and has not said yet that it serves"
