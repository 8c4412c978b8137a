"""One of several processes that start together: it waits for main's word at each step."""

import asyncio

import pytest
from awxfast.process.common_words import CommonWords, find_fellows

HANG = 20


class TestSteps:
    async def test_each_is_told_to_main_and_waits_for_its_own_word(self) -> None:
        told: list[str] = []
        words = CommonWords(told.append, asyncio.Event())
        registering = asyncio.create_task(words.wait_to_register())
        words.hear("listen")
        await asyncio.sleep(0)
        await asyncio.sleep(0)
        assert (told, registering.done()) == (["imported"], False)
        words.hear("register")
        await asyncio.wait_for(registering, HANG)
        await asyncio.wait_for(words.wait_to_listen(), HANG)
        assert told == ["imported", "prepared"]

    @pytest.mark.parametrize("step", ["wait_to_register", "wait_to_listen"])
    async def test_process_that_is_to_end_waits_no_longer(self, step: str) -> None:
        stopped = asyncio.Event()
        waiting = asyncio.create_task(getattr(CommonWords(lambda _: None, stopped), step)())
        stopped.set()
        await asyncio.wait_for(waiting, HANG)


def test_process_alone_has_no_fellows() -> None:
    async def claim(_: str) -> bool:
        raise AssertionError

    async def wait() -> None:
        raise AssertionError

    assert find_fellows({}, claim, wait) is None
    assert find_fellows({"worker": {"count": 1}}, claim, wait) is None
