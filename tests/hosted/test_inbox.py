"""The queue between a browser and its application."""

import asyncio

from awxfast.hosted.inbox import MESSAGE_OVERHEAD, MOST_BYTES, Inbox, Unreceived


def message(number: int) -> dict[str, int]:
    return {"number": number}


class TestOrder:
    async def test_messages_come_as_they_were_put(self) -> None:
        inbox = Inbox(Unreceived())
        for number in range(5):
            inbox.put(message(number))
        assert [await inbox.get() for _ in range(5)] == [message(number) for number in range(5)]

    async def test_somebody_waits_until_one_comes(self) -> None:
        inbox = Inbox(Unreceived())
        waiting = asyncio.create_task(inbox.get())
        await asyncio.sleep(0)
        inbox.put(message(1))
        assert await waiting == message(1)

    async def test_who_is_cancelled_takes_nothing_along(self) -> None:
        inbox = Inbox(Unreceived())
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
    async def test_more_than_64_small_messages_may_wait(self) -> None:
        inbox = Inbox(Unreceived())
        for number in range(1000):
            inbox.put(message(number), 10)
        assert not inbox.is_full

    async def test_it_is_full_of_bytes(self) -> None:
        inbox = Inbox(Unreceived())
        inbox.put(message(1), MOST_BYTES - 2 * MESSAGE_OVERHEAD - 1)
        assert not inbox.is_full
        inbox.put(message(2), 1)
        assert inbox.is_full
        await inbox.get()
        assert not inbox.is_full

    async def test_each_message_counts_with_its_overhead(self) -> None:
        inbox, number = Inbox(Unreceived()), 0
        while not inbox.is_full:
            inbox.put(message(number), 1)
            number += 1
        assert number == MOST_BYTES // (MESSAGE_OVERHEAD + 1) + 1

    async def test_when_all_have_too_much_each_may_have_one(self) -> None:
        unreceived = Unreceived(most=10_000)
        hoarding, other = Inbox(unreceived), Inbox(unreceived)
        hoarding.put(message(1), 10_000)
        assert not other.is_full
        other.put(message(2), 1)
        assert (hoarding.is_full, other.is_full) == (True, True)
        await other.get()
        assert not other.is_full
        other.put(message(3), 1)
        await hoarding.get()
        assert not other.is_full

    async def test_what_nobody_will_take_counts_no_more(self) -> None:
        unreceived = Unreceived()
        inbox = Inbox(unreceived)
        for number in range(10):
            inbox.put(message(number), 1000)
        await inbox.get()
        inbox.discard()
        assert unreceived.size == 0
