"""Tasks that are cancelled while their thread is blocked."""

import asyncio
import contextvars
import threading

from asgiref.sync import ThreadSensitiveContext, sync_to_async
from awxfast.http.blocked_threads import let_go_of_thread
from servers import HANG


async def test_task_ends_while_its_thread_is_blocked() -> None:
    started, release = threading.Event(), threading.Event()

    def block() -> None:
        started.set()
        release.wait(HANG)

    async def answer() -> None:
        async with ThreadSensitiveContext():
            await sync_to_async(block)()

    context = contextvars.copy_context()
    task = asyncio.create_task(answer(), context=context)
    await asyncio.to_thread(started.wait, HANG)
    let_go_of_thread(context)
    task.cancel()
    await asyncio.wait([task], timeout=HANG)
    assert task.cancelled()
    assert not release.is_set()
    release.set()


def test_context_without_a_thread_is_left_alone() -> None:
    let_go_of_thread(contextvars.copy_context())
