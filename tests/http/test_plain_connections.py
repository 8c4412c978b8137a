"""Who goes when there are more connections than places: on a clock of the test's, and over real sockets."""

import asyncio
import logging
from collections.abc import AsyncIterator

import pytest
from awxfast.http import plain_connections
from awxfast.http.plain_connections import PlainConnections
from awxfast.system.descriptors import descriptor_limit
from raw_browser import RawBrowser, handshake
from serving import Serving, Start, until

GET = b"GET / HTTP/1.1\r\nHost: a\r\n\r\n"


class Place:
    """A connection that only notes its end."""

    def __init__(self, descriptor: int = 10, weight: int = 1) -> None:
        self.descriptor = descriptor
        self.weight = weight
        self.is_ended = False
        self.awaits_body = False
        self.is_taken = True

    def end_idle(self) -> None:
        self.is_ended = True


async def add(plain: PlainConnections, *places: Place) -> list[Place]:
    """As they come, each with its look at what has been read meanwhile."""
    for place in places:
        plain.add(place)
        await asyncio.sleep(0)
        await asyncio.sleep(0)
        await asyncio.sleep(0)
    return list(places)


class TestPlaces:
    async def test_the_longest_idle_goes_for_a_newcomer(self) -> None:
        plain = PlainConnections(3)
        first, second, third, newcomer = await add(plain, *(Place() for _ in range(4)))
        assert [one.is_ended for one in (first, second, third, newcomer)] == [True, False, False, False]
        assert plain.ended == {"idle": 1, "refused": 0, "cut_off": 0, "memory": 0}
        assert len(plain) == 3

    async def test_whoever_had_a_request_last_is_the_last_that_goes(self) -> None:
        plain = PlainConnections(3)
        first, second, _ = await add(plain, Place(), Place(), Place())
        plain.work(first)
        plain.wait(first)
        await add(plain, Place())
        assert (first.is_ended, second.is_ended) == (False, True)

    async def test_work_is_requests_and_those_that_have_not_said_anything_yet(self) -> None:
        plain = PlainConnections(9)
        fresh, first, second, _ = await add(plain, *(Place() for _ in range(4)))
        plain.work(first)
        plain.work(second)
        assert plain.at_work == 4
        plain.wait(first)
        assert plain.at_work == 3
        plain.leave(fresh)
        plain.leave(second)
        assert plain.at_work == 1

    async def test_one_whose_response_is_still_being_taken_stays_while_others_can_go(self) -> None:
        plain = PlainConnections(3)
        taking, idle, _ = await add(plain, Place(), Place(), Place())
        taking.is_taken = False
        await add(plain, Place())
        assert (taking.is_ended, idle.is_ended) == (False, True)

    async def test_request_whose_body_does_not_come_makes_room_for_one_that_is_whole(self) -> None:
        plain = PlainConnections(4)
        late, *others, newcomer = await add(plain, *(Place() for _ in range(4)))
        late.awaits_body = True
        assert all(plain.work(one) for one in (late, *others))
        assert plain.work(newcomer)
        assert (late.is_ended, plain.ended["refused"]) == (True, 0)
        late.awaits_body = others[0].awaits_body = False
        assert not plain.work(Place())

    async def test_one_with_a_request_is_not_idle(self) -> None:
        plain = PlainConnections(4)
        busy, idle, *_ = await add(plain, *(Place() for _ in range(4)))
        assert plain.work(busy)
        await add(plain, Place())
        assert (busy.is_ended, idle.is_ended) == (False, True)

    async def test_requests_leave_places_to_newcomers(self) -> None:
        plain = PlainConnections(4)
        places = await add(plain, *(Place() for _ in range(4)))
        assert [plain.work(place) for place in places] == [True, True, True, False]
        assert plain.ended == {"idle": 0, "refused": 1, "cut_off": 0, "memory": 0}
        assert plain.work(places[0]), "it has its place already"

    async def test_newcomer_that_has_sent_its_head_costs_nobody_a_place(self) -> None:
        """A websocket is none of these any more when it is looked at."""
        plain = PlainConnections(2)
        places = await add(plain, Place(), Place())
        newcomer = Place()
        plain.add(newcomer)
        plain.leave(newcomer)
        await asyncio.sleep(0.01)
        assert not any(place.is_ended for place in places)

    async def test_tls_weighs_as_much_as_it_holds(self) -> None:
        plain = PlainConnections(6)
        first, second = await add(plain, Place(weight=3), Place(weight=3))
        await add(plain, Place())
        assert (first.is_ended, second.is_ended) == (True, False)


class TestReserve:
    async def test_idle_one_goes_for_a_newcomer_in_the_reserve(self) -> None:
        plain = PlainConnections(1000, reserve=100)
        idle, other, newcomer = await add(plain, Place(98), Place(99), Place(100))
        assert (idle.is_ended, other.is_ended, newcomer.is_ended) == (True, False, False)

    async def test_request_in_the_reserve_has_a_place_while_anybody_is_idle(self) -> None:
        plain = PlainConnections(1000, reserve=100)
        lowest, idle, in_reserve, last = await add(plain, Place(97), Place(98), Place(100), Place(101))
        assert lowest.is_ended
        assert idle.is_ended
        assert plain.work(in_reserve)
        assert last.is_ended
        plain.wait(in_reserve)
        assert not plain.work(in_reserve)

    async def test_idle_ones_go_when_others_have_taken_all(
        self, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
    ) -> None:
        def no_descriptor(_: int) -> int:
            raise OSError(24, "Too many open files")

        plain = PlainConnections(1000, reserve=1000)
        (idle,) = await add(plain, Place())
        list(plain.sweep())
        assert not idle.is_ended
        monkeypatch.setattr(plain_connections.os, "dup", no_descriptor)
        list(plain.sweep())
        assert idle.is_ended
        assert len(caplog.messages) == 1


class TestLog:
    async def test_one_line_a_minute(self, caplog: pytest.LogCaptureFixture) -> None:
        clock = [0.0]
        plain = PlainConnections(2, now=lambda: clock[0])
        await add(plain, *(Place() for _ in range(50)))
        assert len(caplog.messages) == 1
        assert "no place for more" in caplog.text
        clock[0] = 59.0
        await add(plain, Place())
        assert len(caplog.messages) == 1
        clock[0] = 61.0
        await add(plain, Place())
        assert len(caplog.messages) == 2


@pytest.fixture
async def narrow(start: Start, monkeypatch: pytest.MonkeyPatch) -> AsyncIterator[Serving]:
    """A server with eight places."""
    limit = descriptor_limit()
    monkeypatch.setattr(PlainConnections, "of_process", classmethod(lambda cls, now: cls(8, limit, now)))
    yield await start()


class TestStrangers:
    async def test_websockets_are_let_in_beside_idle_connections(self, narrow: Serving) -> None:
        silent = [await RawBrowser.connect(narrow.address) for _ in range(20)]
        await until(lambda: narrow.server.plain.ended["idle"] == 12)
        browser = await RawBrowser.open(narrow.address)
        assert await browser.read_text() == '{"accept": true, "user": 0}'
        for one in (browser, *silent):
            await one.close()

    async def test_idle_connections_between_requests_go_first_come_first(self, narrow: Serving) -> None:
        browsers = [await RawBrowser.connect(narrow.address) for _ in range(8)]
        for browser in browsers:
            browser.send(GET)
            assert (await browser.read_response())[0] == 404
        newcomer = await RawBrowser.connect(narrow.address)
        assert await browsers[0].read_to_end() == b""
        newcomer.send(GET)
        assert (await newcomer.read_response())[0] == 404
        browsers[1].send(GET)
        assert (await browsers[1].read_response())[0] == 404
        for browser in (newcomer, *browsers):
            await browser.close()

    async def test_refusal_of_a_head_request_has_no_body(
        self, narrow: Serving, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        """RFC 9110 section 9.3.2: its length is told, nothing follows."""
        monkeypatch.setattr(PlainConnections, "work", lambda *_: False)
        for method in (b"HEAD", b"GET"):
            browser = await RawBrowser.connect(narrow.address)
            browser.send(GET.replace(b"GET", method))
            head, _, body = (await browser.read_to_end()).partition(b"\r\n\r\n")
            assert head.startswith(b"HTTP/1.1 503 ")
            assert b"content-length: 35" in head
            assert len(body) == (35 if method == b"GET" else 0)
            await browser.close()

    async def test_slow_heads_go_as_idle_ones_do(self, narrow: Serving) -> None:
        slow = [await RawBrowser.connect(narrow.address) for _ in range(8)]
        for one in slow:
            one.send(b"GET / HTTP/1.1\r\nX-Slow: ")
        await asyncio.sleep(0.05)
        browser = await RawBrowser.open(narrow.address)
        for one in (browser, *slow):
            await one.close()

    async def test_refused_handshakes_that_nobody_reads_are_bounded(self, narrow: Serving) -> None:
        """Each lingers, so that its answer can be read."""
        refused = []
        for number in range(20):
            refused.append(await RawBrowser.connect(narrow.address))
            refused[-1].send(handshake("/nowhere"))
            await until(lambda number=number: narrow.server.handshakes.get(("refused", "path")) == number + 1)
        assert len(narrow.server.plain) <= 8
        for one in refused:
            await one.close()

    async def test_stop_ends_them_all(self, narrow: Serving, caplog: pytest.LogCaptureFixture) -> None:
        caplog.set_level(logging.ERROR)
        silent = [await RawBrowser.connect(narrow.address) for _ in range(4)]
        await until(lambda: len(narrow.server.plain) == 4)
        await narrow.stop()
        for one in silent:
            assert await one.read_to_end() == b""
            await one.close()
        assert not caplog.messages
