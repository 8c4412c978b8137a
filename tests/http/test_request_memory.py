"""Who goes when all together have sent too much that has no answer: by the numbers alone, and over real connections."""

import asyncio
import random
from typing import Any

import pytest
from answering_site import Site, StartSite, get
from asking_access import AskingAccess
from awxfast.http.protocol import HttpProtocol
from awxfast.http.request_memory import UnansweredBytes
from awxfast.http.shared import Arrival
from awxfast.native.access import Identity
from awxfast.wire.request import Request
from raw_browser import RawBrowser, handshake
from serving import HANG, Start, until

LARGE = [f"X-{number}: {'x' * 1000}" for number in range(60)]
"""A head of 60 KB: honest ones have a few."""
MAX_HEAD = 65_536
BEHIND = b"\x89\x80\0\0\0\0" * 10_000
"""Pings that nobody can answer yet."""


class Waiting:
    """A connection that only notes that it went."""

    def __init__(self) -> None:
        self.has_gone = False

    def give_way(self) -> None:
        self.has_gone = True


def hold(unanswered: UnansweredBytes, *sizes: int, is_whole: bool = True) -> list[Waiting]:
    made = [Waiting() for _ in sizes]
    for one, size in zip(made, sizes, strict=True):
        unanswered.count(one, size, is_whole=is_whole)
    return made


def list_gone(*connections: Waiting) -> list[bool]:
    return [one.has_gone for one in connections]


class TestWhoGoes:
    def test_those_with_the_most_and_no_more_of_them_than_needed(self) -> None:
        unanswered = UnansweredBytes(1000)
        small = hold(unanswered, *[10] * 20)
        large = hold(unanswered, 300, 300)
        more = hold(unanswered, *[10] * 30)
        assert list_gone(*small, *more) == [False] * 50
        assert sorted(list_gone(*large)) == [False, True]
        assert unanswered.bytes == 800

    def test_of_what_is_whole_the_newest_whose_work_has_not_begun(self) -> None:
        unanswered = UnansweredBytes(1000)
        assert list_gone(*hold(unanswered, 300, 301, 302, 303)) == [False, False, False, True]

    def test_heads_that_do_not_come_before_those_that_are_there_the_oldest_first(self) -> None:
        unanswered = UnansweredBytes(1000)
        (whole,) = hold(unanswered, 300)
        slow = hold(unanswered, 300, 300, is_whole=False)
        hold(unanswered, 200)
        assert list_gone(whole, *slow) == [False, True, False]

    def test_one_that_is_whole_now_is_as_new_as_that(self) -> None:
        unanswered = UnansweredBytes(1000)
        (late,) = hold(unanswered, 300, is_whole=False)
        early = hold(unanswered, 300, 300)
        unanswered.count(late, 300, is_whole=True)
        hold(unanswered, 150)
        assert list_gone(late, *early) == [True, False, False]

    async def test_before_all_others_an_application_whose_client_is_gone(self) -> None:
        unanswered = UnansweredBytes(1000)
        large = hold(unanswered, 700)
        left = asyncio.create_task(asyncio.sleep(HANG))
        unanswered.leave_behind(left, left.cancel, 100)
        hold(unanswered, 250)
        await asyncio.wait([left], timeout=HANG)
        assert left.cancelled()
        assert list_gone(*large) == [False]

    async def test_task_that_has_ended_holds_nothing(self) -> None:
        unanswered = UnansweredBytes(1000)
        left = asyncio.create_task(asyncio.sleep(0))
        unanswered.leave_behind(left, left.cancel, 100)
        assert unanswered.bytes == 100
        await left
        await until(lambda: unanswered.bytes == 0)

    def test_sum_is_right_whatever_happens(self) -> None:
        rng = random.Random(20260728)
        unanswered, held = UnansweredBytes(200_000), dict[Waiting, int]()
        for _ in range(20_000):
            one = rng.choice([Waiting(), *held]) if rng.random() < 0.1 else rng.choice([*held] or [Waiting()])
            if rng.random() < 0.3:
                unanswered.forget(one)
                held.pop(one, None)
            else:
                held[one] = rng.randrange(1, 10_000)
                unanswered.count(one, held[one], is_whole=rng.random() < 0.5)
            held = {kept: size for kept, size in held.items() if not kept.has_gone}
            assert unanswered.bytes == sum(held.values()) <= unanswered.most


class TestUpgradesThatWait:
    async def test_large_ones_with_bytes_behind_give_way_and_small_ones_are_let_in(self, start: Start) -> None:
        access = AskingAccess()
        serving = await start(access=access, queue_memory=1)
        plain, honest = serving.server.plain, [await RawBrowser.connect(serving.address) for _ in range(20)]
        for browser in honest[:10]:
            browser.send(handshake())
        large = [await RawBrowser.connect(serving.address) for _ in range(60)]
        for browser in large:
            browser.send(handshake("/websocket/", *LARGE), BEHIND)
        for browser in honest[10:]:
            browser.send(handshake())
        await until(lambda: len(serving.server._upgrades.deciding) + plain.ended["memory"] == 80)
        refused = plain.ended["memory"]
        assert refused > 20
        assert serving.server.handshakes == {("refused", "limit"): refused}
        assert 0 < plain.unanswered.bytes <= plain.unanswered.most
        access.answer.set_result(Identity(user=7))
        for browser in honest:
            assert (await browser.read_head()).startswith("HTTP/1.1 101 ")
        answers = [(await browser.read_head()).split("\r\n")[0] for browser in large]
        assert answers.count("HTTP/1.1 503 Service Unavailable") == refused
        assert plain.unanswered.bytes == 0
        for browser in (*honest, *large):
            await browser.close()

    async def test_heads_that_do_not_end_give_way_to_whole_ones(self, start: Start) -> None:
        access = AskingAccess()
        serving = await start(access=access, queue_memory=1)
        slow = [await RawBrowser.connect(serving.address) for _ in range(150)]
        for browser in slow:
            browser.send(handshake("/websocket/", *LARGE).removesuffix(b"\r\n"))
        plain = serving.server.plain
        await until(lambda: plain.ended["memory"] > 50)
        honest = await RawBrowser.connect(serving.address)
        honest.send(handshake())
        await until(lambda: access.asked)
        access.answer.set_result(Identity(user=7))
        assert (await honest.read_head()).startswith("HTTP/1.1 101 ")
        status, head, body = await slow[0].read_response()
        assert (status, "retry-after" in head.lower()) == (503, True)
        assert "--queue-memory" in body
        for browser in (honest, *slow):
            await browser.close()
        await until(lambda: plain.unanswered.bytes == 0)


async def work(_scope: Any, _receive: Any, _send: Any) -> None:
    await asyncio.Event().wait()


async def answer_in_part(_scope: Any, _receive: Any, send: Any) -> None:
    await send({"type": "http.response.start", "status": 200, "headers": [(b"content-length", b"9")]})
    await send({"type": "http.response.body", "body": b"part", "more_body": True})
    await asyncio.Event().wait()


class Leaving:
    """Decides about an upgrade for as long as it likes, whether its client is there or not."""

    def __init__(self) -> None:
        self.work = asyncio.create_task(asyncio.sleep(HANG))
        self.asked: list[HttpProtocol] = []

    def open_websocket(self, http: HttpProtocol, request: Request) -> None:
        self.asked.append(http)
        http.on_lost = lambda: http.leave_behind(self.work)

    def open_at_once(self, arrival: Arrival) -> bool:
        return False


class TestUpgradesThatAreLeft:
    @pytest.mark.parametrize("resets", [True, False])
    async def test_head_is_counted_however_its_client_has_gone(self, start_site: StartSite, resets: bool) -> None:
        upgrades = Leaving()
        site = await start_site(upgrades=upgrades)
        browser = await site.connect(handshake("/websocket/", *LARGE))
        await until(lambda: upgrades.asked)
        if resets:
            browser.reset()
        else:
            await browser.close()
        await until(lambda: not site.service.connections)
        unanswered = site.service.plain.unanswered
        assert unanswered.bytes > 60_000
        upgrades.work.cancel()
        await until(lambda: unanswered.bytes == 0)


class TestRequests:
    async def test_large_ones_that_are_worked_on_give_way_to_small_ones(self, site: Site) -> None:
        site.application.run = work
        unanswered = site.service.plain.unanswered
        unanswered.most = 20 * MAX_HEAD
        large = [await site.connect(get("/", *LARGE)) for _ in range(30)]
        await until(lambda: site.service.plain.ended["memory"] > 10)
        assert await site.ask(get("/next", "Connection: close"))
        assert unanswered.bytes <= unanswered.most
        for browser in large:
            await browser.close()
        await site.service.requests.stop(0)
        await until(lambda: unanswered.bytes == 0)

    async def test_what_an_application_works_on_for_clients_that_are_gone_is_bounded_too(self, site: Site) -> None:
        site.application.run = work
        unanswered = site.service.plain.unanswered
        unanswered.most = 10 * MAX_HEAD
        for number in range(40):
            browser = await site.connect(get("/", *LARGE))
            await until(lambda number=number: len(site.application.scopes) == number + 1)
            browser.reset()
            await until(lambda: not site.service.connections)
        await until(lambda: site.service.requests.running < 10)
        assert site.service.plain.ended["memory"] == 0

    async def test_response_that_has_begun_is_cut_off_without_a_word(self, site: Site) -> None:
        site.application.run = answer_in_part
        browser = await site.connect(get())
        await browser.read_head()
        (connection,) = site.service.connections
        connection.give_way()
        assert await browser.read_to_end() == b"part"
        await browser.close()

    @pytest.mark.parametrize(
        "data",
        [get("/", "Connection: close"), get(), b"nonsense\r\n\r\n", get("/", *LARGE, *LARGE), get()[:-2]],
        ids=["the last", "one of many", "broken", "too large", "not whole"],
    )
    async def test_nothing_is_held_behind_an_answer(self, start_site: StartSite, data: bytes) -> None:
        site = await start_site(head_timeout=0.2)
        browser = await site.connect(data)
        await browser.read_head()
        await until(lambda: site.service.plain.unanswered.bytes == 0)
        await browser.close()
