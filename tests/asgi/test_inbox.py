"""The queue between a browser and its application."""

import asyncio

from awxfast.asgi.inbox import MOST_BYTES, MOST_MESSAGES, Inbox


def message(number: int) -> dict[str, int]:
    return {"number": number}


class TestOrder:
    async def test_messages_come_as_they_were_put(self) -> None:
        inbox = Inbox()
        for number in range(5):
            inbox.put(message(number))
        assert [await inbox.get() for _ in range(5)] == [message(number) for number in range(5)]

    async def test_somebody_waits_until_one_comes(self) -> None:
        inbox = Inbox()
        waiting = asyncio.create_task(inbox.get())
        await asyncio.sleep(0)
        inbox.put(message(1))
        assert await waiting == message(1)

    async def test_who_is_cancelled_takes_nothing_along(self) -> None:
        inbox = Inbox()
        first, second = asyncio.create_task(inbox.get()), asyncio.create_task(inbox.get())
        await asyncio.sleep(0)
        first.cancel()
        await asyncio.sleep(0)
        inbox.put(message(1))
        assert await second == message(1)
        third = asyncio.create_task(inbox.get())
        await asyncio.sleep(0)
        inbox.put(message(2))
        third.cancel()
        await asyncio.wait([third])
        assert await inbox.get() == message(2)


class TestBound:
    async def test_it_is_full_of_messages(self) -> None:
        inbox = Inbox()
        for number in range(MOST_MESSAGES):
            assert not inbox.is_full
            inbox.put(message(number))
        assert inbox.is_full
        await inbox.get()
        assert not inbox.is_full

    async def test_it_is_full_of_bytes(self) -> None:
        inbox = Inbox()
        inbox.put(message(1), MOST_BYTES - 1)
        assert not inbox.is_full
        inbox.put(message(2), 1)
        assert inbox.is_full
        await inbox.get()
        assert not inbox.is_full
