"""Websockets as applications and browsers know them from daphne."""

import asyncio
import json
from typing import Any

import aiohttp
import pytest
import websockets
from hypothesis import given, settings
from hypothesis import strategies as st
from parity.conftest import Start
from parity.hosts import HostingServer
from parity.raw_client import RawClient, ask, handshake, read_text_frame, upgrade
from servers import wait_for
from websockets.sync.client import connect


def refusal(server: HostingServer, target: str, *lines: str) -> int:
    return ask(server.address, handshake(target, *lines)).status


def seen(server: HostingServer) -> list[Any]:
    found: list[Any] = ask(server.address, "GET /seen HTTP/1.1").json()
    return found


async def close_code(server: HostingServer, target: str, *messages: str) -> int | None:
    async with websockets.connect(server.url(target)) as browser:
        for message in messages:
            await browser.send(message)
        await browser.wait_closed()
        return browser.close_code


class TestHandshakes:
    def test_head_of_the_101(self, server: HostingServer) -> None:
        with RawClient(server.address) as client:
            headers = dict(upgrade(client, "/echo"))
        assert headers["sec-websocket-accept"] == "s3pPLMBiTxaQ9kYGzzhZRbK+xOo="
        assert (headers["upgrade"].lower(), headers["connection"].lower()) == ("websocket", "upgrade")
        assert headers["server"] == "daphne"
        assert "sec-websocket-extensions" not in headers

    @pytest.mark.parametrize("line", ["Connection: keep-alive, Upgrade", "Connection: upgrade, x"])
    def test_connection_header_of_browsers(self, server: HostingServer, line: str) -> None:
        with RawClient(server.address) as client:
            head = handshake("/echo").replace("Connection: Upgrade", line).replace("\n", "\r\n")
            client.send(f"{head}\r\nHost: test\r\n\r\n".encode())
            assert client.read_head()[0] == 101

    @pytest.mark.parametrize("size", [8_700, 15_000])
    def test_long_cookie(self, server: HostingServer, size: int) -> None:
        """python-websockets/websockets#1471, as far as daphne goes."""
        with RawClient(server.address) as client:
            upgrade(client, "/echo", "Cookie: a=" + "c" * size)

    def test_handshake_split_at_every_byte(self, server: HostingServer) -> None:
        with RawClient(server.address) as client:
            for byte in (handshake("/echo").replace("\n", "\r\n") + "\r\nHost: test\r\n\r\n").encode():
                client.send(bytes([byte]))
            assert client.read_head()[0] == 101

    def test_chosen_subprotocol_is_named_once(self, server: HostingServer) -> None:
        """Subprotocols as browsers offer them (django/daphne#565)."""
        with RawClient(server.address) as client:
            headers = upgrade(client, "/subprotocol/b", "Sec-WebSocket-Protocol: a, b")
            assert [value for name, value in headers if name == "sec-websocket-protocol"] == ["b"]
            assert json.loads(read_text_frame(client)) == ["a", "b"]

    def test_denial_is_403(self, server: HostingServer) -> None:
        assert refusal(server, "/deny") == 403

    def test_fault_before_the_acceptance_is_500(self, server: HostingServer) -> None:
        assert refusal(server, "/raise") == 500

    def test_sending_before_the_acceptance_is_a_fault(self, server: HostingServer) -> None:
        assert refusal(server, "/early") == 500

    def test_client_that_leaves_before_the_decision(self, server: HostingServer) -> None:
        seen(server)
        with RawClient(server.address) as client:
            client.send((handshake("/never").replace("\n", "\r\n") + "\r\nHost: test\r\n\r\n").encode())
        wait_for(lambda: seen(server) == [1006])

    @pytest.mark.parametrize("line", ["Sec-WebSocket-Key: short", "Sec-WebSocket-Version: 12"])
    def test_wrong_handshakes_are_refused(self, server: HostingServer, line: str) -> None:
        name = line.split(":")[0]
        head = "\n".join(x for x in handshake("/echo").split("\n") if not x.startswith(name))
        assert 400 <= ask(server.address, f"{head}\n{line}").status < 500

    def test_asgi_2_application(self, start: Start) -> None:
        server = start(application="application:TwoCallables")
        with connect(server.url("/echo")) as browser:
            browser.send("hello")
            assert browser.recv() == "hello"
        assert ask(server.address, "GET /status/201 HTTP/1.1").status == 201


class TestMessages:
    @settings(max_examples=25, deadline=None)
    @given(messages=st.lists(st.one_of(st.text(min_size=1, max_size=300), st.binary(min_size=1)), max_size=8))
    def test_they_come_back_as_they_were(self, server: HostingServer, messages: list[str | bytes]) -> None:
        echoed = [m for m in messages if not (isinstance(m, str) and (m.startswith("close") or m == "raise"))]
        with connect(server.url("/echo"), compression=None) as browser:
            for message in echoed:
                browser.send(message)
                assert browser.recv() == message

    def test_fragments_are_one_message(self, server: HostingServer) -> None:
        with connect(server.url("/echo"), compression=None) as browser:
            browser.send(["a", "b", "c"])
            assert browser.recv() == "abc"

    async def test_many_messages_of_the_application_arrive_in_order(self, server: HostingServer) -> None:
        async with websockets.connect(server.url("/flood/3000"), compression=None) as browser:
            numbers = [int((await browser.recv())[:8]) for _ in range(3000)]
            await browser.send("enough")
            await browser.wait_closed()
        assert numbers == list(range(3000))

    async def test_ping_is_answered(self, server: HostingServer) -> None:
        async with websockets.connect(server.url("/echo")) as browser:
            assert await (await browser.ping()) >= 0

    async def test_aiohttp(self, server: HostingServer) -> None:
        async with aiohttp.ClientSession() as session, session.ws_connect(server.url("/echo", "http")) as browser:
            await browser.send_str("hello")
            assert await browser.receive_str() == "hello"
            await browser.send_bytes(b"\x00\xff")
            assert await browser.receive_bytes() == b"\x00\xff"

    async def test_limit_of_a_message_is_1_mib(self, server: HostingServer) -> None:
        """tarasko/picows#38, CVE-2026-44545: exactly the limit is allowed."""
        async with websockets.connect(server.url("/echo"), compression=None, max_size=None) as browser:
            await browser.send(["x" * 32_768] * 32)
            assert len(await browser.recv()) == 1_048_576
        assert await close_code(server, "/echo", "x" * 1_048_577) in (1006, 1009)

    async def test_limits_are_options(self, start: Start) -> None:
        server = start("--websocket-max-message-size", "10", "--websocket-max-frame-size", "5")
        assert await close_code(server, "/echo", "123456") in (1006, 1009)
        async with websockets.connect(server.url("/echo")) as browser:
            await browser.send(["12345", "67890"])
            assert await browser.recv() == "1234567890"
            await browser.send(["12345", "67890", "1"])
            await browser.wait_closed()


class TestEnds:
    @pytest.mark.parametrize(("message", "code"), [("close", 1000), ("close 3000", 3000), ("close 4999", 4999)])
    async def test_close_of_the_application_has_its_code(self, server: HostingServer, message: str, code: int) -> None:
        assert await close_code(server, "/echo", message) == code

    async def test_what_was_sent_before_the_close_arrives_and_nothing_after_it(self, server: HostingServer) -> None:
        async with websockets.connect(server.url("/bye")) as browser:
            assert [message async for message in frames(browser)] == ["bye"]
            assert browser.close_code == 4001

    async def test_fault_after_the_acceptance_closes_with_1011(self, server: HostingServer) -> None:
        assert await close_code(server, "/echo", "raise") == 1011

    @pytest.mark.parametrize("code", [1000, 1001, 3333, 4321])
    async def test_application_is_told_the_code_of_the_browser(self, server: HostingServer, code: int) -> None:
        seen(server)
        async with websockets.connect(server.url("/scope/")) as browser:
            await browser.close(code)
        await asyncio.to_thread(wait_for, lambda: seen(server) == [code])

    async def test_application_is_told_of_a_lost_socket(self, server: HostingServer) -> None:
        seen(server)
        with RawClient(server.address) as client:
            upgrade(client, "/echo")
        assert wait_for(lambda: seen(server)) == [1006]

    async def test_age_has_a_limit(self, start: Start) -> None:
        server = start("--websocket_timeout", "1")
        assert await close_code(server, "/scope/") in (1000, 1001)
        assert wait_for(lambda: seen(server)) in ([1000], [1001])

    async def test_silent_client_is_pinged_and_then_cut(self, start: Start) -> None:
        server = start("--ping-interval", "1", "--ping-timeout", "1")
        with RawClient(server.address) as client:
            upgrade(client, "/echo")
            assert client.read(1) == b"\x89"
            client.read_to_end()
        assert wait_for(lambda: seen(server)) == [1006]

    async def test_application_that_outlives_its_socket_is_cancelled(self, start: Start) -> None:
        """Whoever never ends holds up nobody (django/daphne#579)."""
        server = start("--application-close-timeout", "1")
        async with websockets.connect(server.url("/clinging")):
            pass
        wait_for(lambda: "took too long to" in server.log)
        assert await close_code(server, "/echo", "close") == 1000


async def frames(browser: Any) -> Any:
    """All messages, whatever code the end has."""
    try:
        async for message in browser:
            yield message
    except websockets.ConnectionClosedError:
        pass
