"""Old database connections: closed before a message is handled, without a way into their thread for each."""

import asyncio
import sys
import threading
from collections.abc import AsyncIterator

import channels.consumer
import channels.db
import pytest
from asgiref.sync import ThreadSensitiveContext, async_to_sync, sync_to_async
from awxfast.hosted.old_connections import STANDS_FOR, OldConnections, close_old_connections_seldom
from awxfast.hosted.sensitive_thread import replace_sensitive_thread
from clocks import Clock


class Closed:
    """Stands in for Django's `close_old_connections`: the threads that it ran in."""

    def __init__(self) -> None:
        self.threads: list[int] = []
        self.error: Exception | None = None

    def __call__(self) -> None:
        self.threads.append(threading.get_ident())
        if self.error is not None:
            raise self.error

    def __len__(self) -> int:
        return len(self.threads)


class Consumer(channels.consumer.AsyncConsumer):  # type: ignore[misc]
    """A consumer of real Channels."""

    async def websocket_receive(self, message: dict[str, str]) -> None:
        """There is nothing to do."""


@pytest.fixture
async def closed(monkeypatch: pytest.MonkeyPatch) -> AsyncIterator[Closed]:
    """As in a process that hosts an application."""
    closed = Closed()
    monkeypatch.setattr(channels.db, "close_old_connections", closed)
    restore = [replace_sensitive_thread(asyncio.get_running_loop()), close_old_connections_seldom()]
    yield closed
    while restore:
        restore.pop()()


async def handle(messages: int = 1) -> None:
    consumer = Consumer()
    for _ in range(messages):
        await consumer.dispatch({"type": "websocket.receive"})


class TestConsumers:
    async def test_messages_in_a_row_ask_once(self, closed: Closed) -> None:
        await handle(messages=20)
        assert 1 <= len(closed) <= 2  # a second may have passed meanwhile

    async def test_they_are_closed_in_the_sensitive_thread(self, closed: Closed) -> None:
        await handle()
        assert closed.threads == [await sync_to_async(threading.get_ident)()]

    async def test_what_ran_in_the_thread_is_followed_by_a_close(self, closed: Closed) -> None:
        await handle()
        for count in range(2, 6):
            await sync_to_async(divmod)(7, 2)
            await handle()
            assert len(closed) >= count

    async def test_what_ran_for_another_loop_is_too(self, closed: Closed) -> None:
        await handle()
        await asyncio.to_thread(lambda: asyncio.run(sync_to_async(divmod)(7, 2)))
        await handle()
        assert len(closed) >= 2

    async def test_one_that_failed_is_asked_again(self, closed: Closed) -> None:
        closed.error = OSError("the database is away")
        for _ in range(2):
            with pytest.raises(OSError, match="away"):
                await handle()
        closed.error = None
        await handle()
        assert len(closed) >= 3

    async def test_a_context_with_a_thread_of_its_own_has_its_own_connections(self, closed: Closed) -> None:
        await handle()
        async with ThreadSensitiveContext():
            own = await sync_to_async(threading.get_ident)()
            await handle(messages=3)
        assert closed.threads[-3:] == [own] * 3
        assert closed.threads[0] != own

    async def test_a_consumer_that_synchronous_code_waits_for_has_its_callers_thread(self, closed: Closed) -> None:
        await handle()
        callers: list[int] = []

        def call() -> None:
            callers.append(threading.get_ident())
            async_to_sync(handle)()

        await sync_to_async(call, thread_sensitive=False)()
        assert closed.threads[-1:] == callers


class TestTime:
    async def test_they_grow_old_where_nothing_runs(self) -> None:
        restore = replace_sensitive_thread(asyncio.get_running_loop())
        closed, clock = Closed(), Clock()
        connections = OldConnections(self._ask, closed, clock)
        await connections.close()
        clock.now += STANDS_FOR / 2
        await connections.close()
        assert len(closed) == 1
        clock.now += STANDS_FOR / 2
        await connections.close()
        assert len(closed) == 2
        restore()

    async def _ask(self) -> None:
        raise AssertionError("the thread is ours")


class TestReplacement:
    async def test_it_is_undone(self) -> None:
        former = channels.consumer.aclose_old_connections
        restore = close_old_connections_seldom()
        assert channels.consumer.aclose_old_connections is not former
        restore()
        assert channels.consumer.aclose_old_connections is former

    async def test_without_the_thread_it_is_channels_affair(self, monkeypatch: pytest.MonkeyPatch) -> None:
        closed = Closed()
        monkeypatch.setattr(channels.db, "close_old_connections", closed)
        restore = close_old_connections_seldom()
        await handle(messages=3)
        restore()
        assert len(closed) == 3

    @pytest.mark.parametrize("absent", ["channels.consumer", "channels.db"])
    async def test_without_channels_there_is_nothing_to_replace(
        self, absent: str, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        former = channels.consumer.aclose_old_connections
        monkeypatch.delitem(sys.modules, absent)
        close_old_connections_seldom()()
        assert channels.consumer.aclose_old_connections is former
