"""Requests that are refused: heads that are too large, malformed or late (long cookies, control bytes)."""

import asyncio

import pytest
from raw_browser import RawBrowser, handshake
from serving import Serving, Start
from waiting_site import Host

WELCOME = '{"accept": true, "user": 0}'
GET = b"GET / HTTP/1.1\r\nHost: a\r\n\r\n"


class TestLargeHeads:
    """python-websockets/websockets#1471: long cookies of identity providers."""

    async def test_cookie_of_16000_bytes_in_a_head_of_60_kib_is_accepted(self, serving: Serving) -> None:
        lines = ["Cookie: " + "c" * 16_000, *(f"X-Filler-{n}: {'f' * 1000}" for n in range(45))]
        assert 60_000 < len(handshake("/websocket/", *lines)) < 65_536
        browser = await RawBrowser.open(serving.address, *lines)
        assert await browser.read_text() == WELCOME
        await browser.close()

    async def test_150_header_lines_are_accepted(self, serving: Serving) -> None:
        browser = await RawBrowser.open(serving.address, *(f"X-Filler-{n}: f" for n in range(150)))
        assert await browser.read_text() == WELCOME
        await browser.close()

    @pytest.mark.parametrize("end", [b"\r\n\r\n", b""], ids=["whole", "endless"])
    async def test_larger_head_gets_431_with_the_limit_and_one_log_line(
        self, serving: Serving, caplog: pytest.LogCaptureFixture, end: bytes
    ) -> None:
        browser = await RawBrowser.connect(serving.address)
        browser.send(b"GET /websocket/?token=SECRET HTTP/1.1\r\nHost: a\r\nCookie: ", b"c" * 70_000, end)
        status, _, body = await browser.read_response()
        assert status == 431
        assert "65536" in body
        assert len(caplog.messages) == 1
        assert "65536" in caplog.text
        assert "SECRET" not in caplog.text
        assert serving.server.handshakes == {("refused", "head"): 1}
        await browser.close()

    async def test_limit_is_an_option_and_exactly_the_limit_is_allowed(self, start: Start) -> None:
        size = len(handshake("/websocket/", "X-Filler: "))
        serving = await start(max_head=size + 10)
        await (await RawBrowser.open(serving.address, "X-Filler: " + "f" * 10)).close()
        browser = await RawBrowser.connect(serving.address)
        browser.send(handshake("/websocket/", "X-Filler: " + "f" * 11))
        assert (await browser.read_response())[0] == 431
        await browser.close()

    async def test_limit_counts_anew_for_each_request(self, start: Start) -> None:
        serving = await start(max_head=len(GET))
        browser = await RawBrowser.connect(serving.address)
        browser.send(GET * 5)
        for _ in range(5):
            assert (await browser.read_response())[0] == 404
        await browser.close()

    async def test_refusal_reaches_a_client_that_goes_on_sending(self, serving: Serving) -> None:
        browser = await RawBrowser.connect(serving.address)
        browser.send(b"GET / HTTP/1.1\r\nHost: a\r\nCookie: ", b"c" * 5_000_000)
        assert (await browser.read_response())[0] == 431
        await browser.close()


class TestMalformedRequests:
    @pytest.mark.parametrize("byte", [*range(9), *range(0x0B, 0x20), 0x7F, 0x85])
    async def test_control_byte_in_a_header_value_gets_400(self, serving: Serving, byte: int) -> None:
        browser = await RawBrowser.connect(serving.address)
        browser.send(handshake("/websocket/", f"X-Name: a{chr(byte)}b"))
        assert (await browser.read_response())[0] == 400
        await browser.close()

    @pytest.mark.parametrize("value", ["a\tb", "\u00e9", "\x80", "\x9f", "\xff"])
    async def test_other_bytes_are_allowed(self, serving: Serving, value: str) -> None:
        await (await RawBrowser.open(serving.address, f"X-Name: {value}")).close()

    async def test_plain_requests_are_held_to_the_same(self, serving: Serving) -> None:
        browser = await RawBrowser.connect(serving.address)
        browser.send(b"GET / HTTP/1.1\r\nHost: a\r\nX-Name: \x85\r\n\r\n")
        assert (await browser.read_response())[0] == 400
        await browser.close()

    @pytest.mark.parametrize(
        "data",
        [
            b"\x16\x03\x01\x02\x00\x01\x00",
            b"GET /a b HTTP/1.1\r\n\r\n",
            b"GET \xff HTTP/1.1\r\n\r\n",
            b"GET / HTTP/1.1\nHost: a\n\n",
            b"GET / HTTP/1.1\r\nX: a\r\n b\r\n\r\n",
            b"GET / HTTP/1.1\r\nbad name: a\r\n\r\n",
            b"CONNECT a:80 HTTP/1.1\r\n\r\n",
            b"POST / HTTP/1.1\r\nHost: a\r\nContent-Length: a\r\n\r\n",
        ],
    )
    async def test_what_is_no_request_gets_400(
        self, serving: Serving, caplog: pytest.LogCaptureFixture, data: bytes
    ) -> None:
        browser = await RawBrowser.connect(serving.address)
        browser.send(data)
        assert (await browser.read_response())[0] == 400
        assert serving.server.handshakes == {("refused", "head"): 1}
        assert "Traceback" not in caplog.text
        await browser.close()


class TestSlowHeads:
    async def test_head_that_takes_too_long_gets_408(self, host: Host) -> None:
        hosted = await host(head_timeout=0.05)
        browser = await hosted.connect()
        browser.send(b"GET / HTTP/1.1\r\nHost: a\r\n")
        assert (await browser.read_response())[0] == 408
        assert hosted.handshakes.counts == {("refused", "head"): 1}
        await browser.close()

    async def test_trickling_does_not_prolong_it(self, host: Host) -> None:
        hosted = await host(head_timeout=0.05)
        browser = await hosted.connect()
        browser.send(b"GET / HTTP/1.1\r\nHost: a\r\n")
        for _ in range(20):
            browser.send(b"X: y\r\n")
            await asyncio.sleep(0.01)
        assert (await browser.read_response())[0] == 408
        await browser.close()

    async def test_connection_without_a_byte_is_closed_quietly(self, host: Host) -> None:
        hosted = await host(head_timeout=0.05)
        browser = await hosted.connect()
        assert await browser.read_to_end() == b""
        assert not hosted.handshakes.counts
        await browser.close()

    async def test_line_ends_do_not_keep_a_connection(self, host: Host) -> None:
        hosted = await host(head_timeout=0.05)
        hosted.application.go.set()
        browser = await hosted.connect()
        browser.send(GET)
        await browser.read_response()
        browser.send(b"\r\n")
        assert b"408" in await browser.read_to_end()
        await browser.close()

    async def test_response_that_takes_long_is_waited_for(self, host: Host) -> None:
        hosted = await host(head_timeout=0.05)
        browser = await hosted.connect()
        browser.send(GET)
        await asyncio.sleep(0.2)
        hosted.application.go.set()
        assert (await browser.read_response())[0] == 200
        await browser.close()
