"""The thread of thread-sensitive code: one, in order, whoever asks."""

import asyncio
import threading
from collections.abc import AsyncIterator
from concurrent.futures import ThreadPoolExecutor

import pytest
from asgiref.sync import SyncToAsync, async_to_sync, sync_to_async
from awxfast.hosted.sensitive_thread import TURN_OUTCOMES, SensitiveThread, replace_sensitive_thread
from redis_servers import HANG


@pytest.fixture
async def replaced() -> AsyncIterator[None]:
    restore = replace_sensitive_thread(asyncio.get_running_loop())
    yield
    restore()


@pytest.mark.usefixtures("replaced")
class TestCalls:
    async def test_they_return_and_raise(self) -> None:
        assert await sync_to_async(divmod)(7, 2) == (3, 1)
        with pytest.raises(ZeroDivisionError):
            await sync_to_async(divmod)(7, 0)

    async def test_hundreds_at_once_run_one_after_the_other_in_one_thread(self) -> None:
        ran: list[tuple[int, int]] = []

        def note(number: int) -> None:
            ran.append((number, threading.get_ident()))

        await asyncio.gather(*(sync_to_async(note)(number) for number in range(500)))
        assert [number for number, _ in ran] == list(range(500))
        assert {thread for _, thread in ran} != {threading.get_ident()}
        assert len({thread for _, thread in ran}) == 1

    async def test_callers_go_on_in_many_turns_though_the_thread_is_done_with_all(self) -> None:
        done = threading.Event()
        calls = [asyncio.create_task(sync_to_async(divmod)(7, 2)) for _ in range(500)]
        last = asyncio.create_task(sync_to_async(done.set)())
        await asyncio.sleep(0)
        assert done.wait(HANG)  # the loop is busy meanwhile
        most = before = 0
        while before < len(calls):
            await asyncio.sleep(0)
            returned = sum(call.done() for call in calls)
            most, before = max(most, returned - before), returned
        assert most <= 2 * TURN_OUTCOMES
        await last

    async def test_other_loops_share_the_thread(self) -> None:
        ours = await sync_to_async(threading.get_ident)()
        theirs: list[int] = []

        def run_loop() -> None:
            theirs.append(asyncio.run(sync_to_async(threading.get_ident)()))

        await asyncio.to_thread(run_loop)
        assert theirs == [ours]

    async def test_sync_code_may_call_async_code_that_calls_sync_code(self) -> None:
        def outer() -> tuple[int, int]:
            inner: int = async_to_sync(sync_to_async(threading.get_ident))()
            return threading.get_ident(), inner

        outside, inside = await sync_to_async(outer)()
        assert outside == inside

    async def test_a_call_that_is_given_up_costs_the_others_nothing(self) -> None:
        go = threading.Event()
        blocking = asyncio.create_task(sync_to_async(go.wait)(HANG))
        waiting = asyncio.create_task(sync_to_async(divmod)(7, 2))
        other = asyncio.create_task(sync_to_async(divmod)(9, 2))
        await asyncio.sleep(0)
        waiting.cancel()
        go.set()
        assert await other == (4, 1)
        assert await blocking is True
        with pytest.raises(asyncio.CancelledError):
            await waiting

    async def test_the_first_answer_does_not_wait_for_the_last_call(self) -> None:
        go = threading.Event()
        quick = asyncio.create_task(sync_to_async(divmod)(7, 2))
        slow = asyncio.create_task(sync_to_async(go.wait)(HANG))
        async with asyncio.timeout(HANG / 2):
            assert await quick == (3, 1)
        assert not slow.done()
        go.set()
        await slow

    async def test_stop_iteration_ends_at_its_own_caller(self) -> None:
        empty: list[int] = []
        stopped = asyncio.create_task(sync_to_async(lambda: next(iter(empty)))())
        others = [asyncio.create_task(sync_to_async(divmod)(number, 2)) for number in range(3)]
        async with asyncio.timeout(HANG):
            assert await asyncio.gather(*others) == [(0, 0), (0, 1), (1, 0)]
            with pytest.raises(RuntimeError, match="StopIteration") as caught:
                await stopped
        assert isinstance(caught.value.__cause__, StopIteration)

    async def test_stop_iteration_ends_at_its_caller_in_another_loop(self) -> None:
        def run_loop() -> None:
            empty: list[int] = []
            with pytest.raises(RuntimeError, match="StopIteration"):
                asyncio.run(asyncio.wait_for(sync_to_async(lambda: next(iter(empty)))(), HANG))

        await asyncio.to_thread(run_loop)


class TestReplacement:
    async def test_it_is_undone(self, monkeypatch: pytest.MonkeyPatch) -> None:
        former = ThreadPoolExecutor(max_workers=1)
        monkeypatch.setattr(SyncToAsync, "single_thread_executor", former)
        restore = replace_sensitive_thread(asyncio.get_running_loop())
        assert isinstance(SyncToAsync.single_thread_executor, SensitiveThread)
        restore()
        assert SyncToAsync.single_thread_executor is former
        assert await sync_to_async(divmod)(7, 2) == (3, 1)
        former.shutdown()
