"""Handshakes over real sockets: who gets a 101, who does not, and what is said about it."""

import asyncio
import contextlib
import io
import json
import logging
import socket
from pathlib import Path
from typing import Any

import aiohttp
import pytest
import websockets
from awxfast.errors import AccessUnavailable
from awxfast.http.access_log import AccessLog
from awxfast.native.access import Identity, RefuseAccess
from awxfast.native.tokens_file import TokensAccess
from awxfast.wire.request import Request
from raw_browser import RawBrowser, close_frame, frame, handshake
from resets import reset_at_close
from serving import Serving, Start, until

WELCOME = '{"accept": true, "user": 0}'


class TestCloseCodes:
    async def test_codes_that_clients_make_up_are_counted_as_one(self, serving: Serving) -> None:
        for code in (1000, 1011, 3000, 3001, 4001, 4999):
            browser = await RawBrowser.open(serving.address)
            browser.send(close_frame(code))
            await browser.read_close()
            await browser.close()
        await until(lambda: sum(serving.server.closes.values()) == 6)
        assert serving.server.closes == {
            ("peer", 1000): 1,
            ("peer", 1011): 1,
            ("peer", 4001): 1,
            ("peer", "other"): 3,
        }


class TestClients:
    async def test_websockets_library_is_served(self, serving: Serving) -> None:
        async with websockets.connect(serving.url) as browser:
            assert await browser.recv() == WELCOME
            await browser.send('{"groups": {"jobs": ["summary"]}}')
            assert json.loads(await browser.recv())["groups_current"] == ["jobs-summary"]
            serving.publish("jobs-summary", "an event")
            assert await browser.recv() == "an event"
            assert await browser.ping() is not None

    async def test_aiohttp_is_served(self, serving: Serving) -> None:
        async with aiohttp.ClientSession() as session, session.ws_connect(serving.url) as browser:
            assert await browser.receive_str() == WELCOME
            await browser.send_json({"groups": {"jobs": ["summary"]}})
            assert (await browser.receive_json())["groups_joined"] == ["jobs-summary"]

    async def test_unix_socket(self, start: Start, tmp_path: Path) -> None:
        sock = socket.socket(socket.AF_UNIX)
        sock.bind(str(tmp_path / "s"))
        sock.listen()
        await start(sock=sock)
        async with websockets.unix_connect(str(tmp_path / "s"), "ws://relay/websocket/") as browser:
            assert await browser.recv() == WELCOME

    async def test_ipv6(self, start: Start) -> None:
        serving = await start(sock=socket.create_server(("::1", 0), family=socket.AF_INET6))
        async with websockets.connect(f"ws://[::1]:{serving.port}/api/websocket/") as browser:
            assert await browser.recv() == WELCOME

    async def test_clients_are_counted_until_their_socket_is_gone(self, serving: Serving) -> None:
        browser = await RawBrowser.open(serving.address)
        assert serving.server.clients == 1
        await browser.close()
        await until(lambda: serving.server.clients == 0)
        assert serving.server.handshakes == {("accepted", "known"): 1}


class TestStrangers:
    """They are told to go, and cost nobody a place or a turn meanwhile."""

    async def test_places_are_not_taken_by_who_is_told_to_go(self, start: Start, tmp_path: Path) -> None:
        tokens = tmp_path / "tokens"
        tokens.write_text('{"good": {"user": 7}}')
        serving = await start(access=TokensAccess(tokens), max_clients=16)
        strangers = []
        for _ in range(40):
            strangers.append(await RawBrowser.open(serving.address))
            assert await strangers[-1].read_text() == '{"close": true}'
        known = [await RawBrowser.open(serving.address, path="/websocket/?token=good") for _ in range(16)]
        late = await RawBrowser.connect(serving.address)
        late.send(handshake("/websocket/?token=good"))
        assert (await late.read_response())[0] == 503
        assert serving.server.clients <= 16 + 8
        for browser in (*strangers, *known, late):
            await browser.close()

    async def test_rate_is_not_used_up_by_who_is_told_to_go(self, start: Start, tmp_path: Path) -> None:
        tokens = tmp_path / "tokens"
        tokens.write_text('{"good": {"user": 7}}')
        serving = await start(access=TokensAccess(tokens), accept_rate=1)
        for _ in range(10):
            stranger = await RawBrowser.open(serving.address)
            assert await stranger.read_close() == 1000
            await stranger.close()
        await (await RawBrowser.open(serving.address, path="/websocket/?token=good")).close()


class TestAcceptedHandshakes:
    """tarasko/picows#115, over the wire."""

    @pytest.mark.parametrize(
        "lines",
        [
            ["Connection: keep-alive, Upgrade", "Upgrade: websocket"],
            ["Connection: Upgrade, HTTP2-Settings", "Upgrade: websocket"],
            ["Connection: keep-alive", "Connection: Upgrade", "Upgrade: websocket"],
            ["Connection: Upgrade", "Upgrade: WebSocket"],
            ["connection: upgrade", "upgrade: h2c, websocket"],
            ["CONNECTION: UPGRADE", "UPGRADE: WEBSOCKET"],
        ],
    )
    async def test_forms_that_browsers_send_get_101(self, serving: Serving, lines: list[str]) -> None:
        key = ["Sec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==", "SEC-WEBSOCKET-VERSION: 13"]
        browser = await RawBrowser.connect(serving.address)
        browser.send("\r\n".join(["GET /websocket/ HTTP/1.1", "Host: a", *lines, *key, "", ""]).encode())
        head = await browser.read_head()
        assert head.startswith("HTTP/1.1 101 ")
        assert "sec-websocket-accept: s3pPLMBiTxaQ9kYGzzhZRbK+xOo=\r\n" in head
        assert await browser.read_text() == WELCOME
        await browser.close()

    async def test_offered_subprotocols_are_not_taken(self, serving: Serving) -> None:
        browser = await RawBrowser.connect(serving.address)
        browser.send(handshake("/websocket/", "Sec-WebSocket-Protocol: a, b"))
        assert "sec-websocket-protocol" not in (await browser.read_head()).lower()
        await browser.close()


class TestRefusedHandshakes:
    @pytest.mark.parametrize(
        ("path", "lines", "status", "reason"),
        [
            ("/websocket", [], 404, "path"),
            ("/x/websocket/", [], 404, "path"),
            ("/websocket/broadcast/", ["secret: HMAC-SHA256 1:a"], 404, "path"),
            ("/websocket/relay/", [], 404, "path"),
            ("/websocket/", ["Sec-WebSocket-Version: 12"], 426, "head"),
            ("/websocket/", ["Sec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ=="], 400, "head"),
            ("/websocket/", ["Sec-WebSocket-Protocol: a,,b"], 400, "head"),
            ("/websocket/", ["Content-Length: 3"], 400, "head"),
        ],
    )
    async def test_each_has_its_status_and_is_counted(
        self, serving: Serving, path: str, lines: list[str], status: int, reason: str
    ) -> None:
        browser = await RawBrowser.connect(serving.address)
        browser.send(handshake(path, *lines))
        found, head, _ = await browser.read_response()
        assert found == status
        assert "connection: close\r\n" in head
        assert await browser.read_to_end() == b""
        assert serving.server.handshakes == {("refused", reason): 1}
        await browser.close()

    async def test_version_12_is_told_13(self, serving: Serving) -> None:
        browser = await RawBrowser.connect(serving.address)
        browser.send(handshake().replace(b"Version: 13", b"Version: 12"))
        status, head, _ = await browser.read_response()
        assert status == 426
        assert "sec-websocket-version: 13\r\n" in head
        assert "upgrade: websocket\r\n" in head
        await browser.close()

    async def test_upgrade_without_a_key_gets_400(self, serving: Serving) -> None:
        browser = await RawBrowser.connect(serving.address)
        browser.send(handshake().replace(b"Sec-WebSocket-Key", b"X-Key"))
        assert (await browser.read_response())[0] == 400
        await browser.close()


class TestLimits:
    """centrifugal/centrifugo#546, scaled down."""

    async def test_one_more_than_max_clients_gets_503_and_the_others_stay(self, start: Start) -> None:
        serving = await start(max_clients=2)
        held = [await RawBrowser.open(serving.address) for _ in range(2)]
        late = await RawBrowser.connect(serving.address)
        late.send(handshake())
        status, head, _ = await late.read_response()
        assert status == 503
        assert "retry-after: " in head
        assert serving.server.clients == 2
        assert serving.server.handshakes["refused", "limit"] == 1
        held[0].send(close_frame())
        await held[0].read_to_end()
        await until(lambda: serving.server.clients == 1)
        held.append(await RawBrowser.open(serving.address))
        for browser in [*held, late]:
            await browser.close()

    async def test_more_than_accept_rate_get_503(self, start: Start) -> None:
        serving = await start(accept_rate=3)
        browsers = [await RawBrowser.connect(serving.address) for _ in range(8)]
        for browser in browsers:
            browser.send(handshake())
        statuses = sorted([(await browser.read_head()).split(" ")[1] for browser in browsers])
        assert statuses[:3] == ["101"] * 3
        assert statuses[-1] == "503"
        assert serving.server.handshakes["refused", "limit"] == statuses.count("503")
        for browser in browsers:
            await browser.close()


class TestOrigin:
    """ansible/awx#2468: an option checks Origin; a refusal is logged with it and counted."""

    async def test_foreign_origin_gets_403(self, start: Start, caplog: pytest.LogCaptureFixture) -> None:
        serving = await start(origins=("awx.example",))
        browser = await RawBrowser.connect(serving.address)
        browser.send(handshake("/websocket/", "Origin: https://evil.example"))
        assert (await browser.read_response())[0] == 403
        assert "Origin 'https://evil.example' (allowed: awx.example): " in caplog.text
        assert serving.server.handshakes == {("refused", "origin"): 1}
        await browser.close()

    async def test_own_origin_is_let_in(self, start: Start) -> None:
        serving = await start(origins=("awx.example",))
        await (await RawBrowser.open(serving.address, "Origin: https://awx.example")).close()

    async def test_without_the_option_it_plays_no_part(self, serving: Serving) -> None:
        await (await RawBrowser.open(serving.address, "Origin: https://evil.example")).close()


class TestOpen:
    """`--auth open` over real sockets: no page from elsewhere gets in by a name of its own."""

    async def test_rebound_name_gets_403_and_a_line(self, start: Start, caplog: pytest.LogCaptureFixture) -> None:
        serving = await start(auth="open")
        browser = await RawBrowser.connect(serving.address)
        browser.send(handshake().replace(b"Host: test", b"Host: evil.example:8051"))
        assert (await browser.read_response())[0] == 403
        assert "refused (origin) '/websocket/' from 127.0.0.1" in caplog.text
        assert "Host 'evil.example:8051' (allowed: localhost, 127.0.0.0/8, [::1])" in caplog.text
        await browser.close()

    @pytest.mark.parametrize("interface", ["127.0.0.1", "::1"])
    async def test_clients_of_this_machine_get_in(self, start: Start, interface: str) -> None:
        family = socket.AF_INET6 if ":" in interface else socket.AF_INET
        serving = await start(auth="open", sock=socket.create_server((interface, 0), family=family))
        host = f"[{interface}]" if ":" in interface else interface
        for name in (host, "localhost"):
            url = f"ws://{host}:{serving.port}/websocket/"
            headers = {"Host": f"{name}:{serving.port}", "Origin": "http://localhost:3000"}
            async with aiohttp.ClientSession() as session, session.ws_connect(url, headers=headers) as browser:
                assert await browser.receive_json() == {"accept": True, "user": 0}

    async def test_whoever_reaches_the_socket_file_gets_in(self, start: Start, tmp_path: Path) -> None:
        sock = socket.socket(socket.AF_UNIX)
        sock.bind(str(tmp_path / "relay.sock"))
        sock.listen()
        serving = await start(auth="open", sock=sock)
        await (await RawBrowser.open(serving.address)).close()


class AskingAccess(RefuseAccess):
    """Has to ask somebody else who it is."""

    def __init__(self) -> None:
        self.answer: asyncio.Future[Identity | None] = asyncio.get_running_loop().create_future()
        self.asked = 0

    async def identify(self, request: Request) -> Identity | None:  # type: ignore[override]
        self.asked += 1
        return await asyncio.shield(self.answer)


class TestIdentityThatTakesTime:
    async def test_101_waits_for_the_answer_and_nothing_behind_it_is_lost(self, start: Start) -> None:
        access = AskingAccess()
        serving = await start(access=access)
        browser = await RawBrowser.connect(serving.address)
        browser.send(handshake(), frame("not json"))
        await until(lambda: access.asked)
        browser.send(frame("not json either"))
        await asyncio.sleep(0.02)
        access.answer.set_result(Identity(user=7))
        assert (await browser.read_head()).startswith("HTTP/1.1 101 ")
        assert await browser.read_text() == '{"accept": true, "user": 7}'
        assert "not JSON" in await browser.read_text()
        assert "not JSON" in await browser.read_text()
        await browser.close()

    async def test_no_answer_gets_503(self, start: Start) -> None:
        access = AskingAccess()
        serving = await start(access=access)
        browser = await RawBrowser.connect(serving.address)
        browser.send(handshake())
        await until(lambda: access.asked)
        access.answer.set_exception(AccessUnavailable("the API is down"))
        status, head, _ = await browser.read_response()
        assert status == 503
        assert "retry-after" in head
        assert serving.server.handshakes == {("refused", "access"): 1}
        await browser.close()

    async def test_client_that_leaves_meanwhile_leaves_nothing(self, start: Start) -> None:
        access = AskingAccess()
        serving = await start(access=access)
        browser = await RawBrowser.connect(serving.address)
        browser.send(handshake())
        await until(lambda: access.asked)
        await browser.close()
        await asyncio.sleep(0.02)
        access.answer.set_result(Identity(user=7))
        await asyncio.sleep(0.02)
        assert serving.server.clients == 0

    async def test_those_who_wait_count_as_clients(self, start: Start) -> None:
        access = AskingAccess()
        serving = await start(access=access, max_clients=1)
        waiting, late = [await RawBrowser.connect(serving.address) for _ in range(2)]
        waiting.send(handshake())
        await until(lambda: access.asked)
        late.send(handshake())
        assert (await late.read_response())[0] == 503
        for browser in (waiting, late):
            await browser.close()


async def shake_hands_and_reset(address: Any, last_read: bytes) -> None:
    """A browser that is gone, with an RST, as soon as its answer has so much."""
    loop = asyncio.get_running_loop()
    with socket.create_connection(address) as sock:
        sock.sendall(handshake())
        sock.setblocking(False)
        reset_at_close(sock)
        answer = b""
        while last_read not in answer:
            answer += await loop.sock_recv(sock, 4096)


class TestAccessLog:
    async def test_a_websocket_has_three_lines_in_daphnes_format(self, start: Start) -> None:
        lines = io.StringIO()
        serving = await start(access_log=AccessLog(lines))
        browser = await RawBrowser.open(serving.address, path="/websocket/?token=SECRET")
        client = "{}:{}".format(*browser.writer.get_extra_info("sockname"))
        await browser.close()
        await until(lambda: "WSDISCONNECT" in lines.getvalue())
        actions = [line.split('"')[1] for line in lines.getvalue().splitlines()]
        assert actions == ["WSCONNECTING /websocket/", "WSCONNECT /websocket/", "WSDISCONNECT /websocket/"]
        assert all(line.startswith(f"{client} - - [") for line in lines.getvalue().splitlines())
        assert "SECRET" not in lines.getvalue()

    async def test_a_refused_one_has_two(self, start: Start) -> None:
        lines = io.StringIO()
        serving = await start(access_log=AccessLog(lines))
        browser = await RawBrowser.connect(serving.address)
        browser.send(handshake("/nothing%0a/"))
        await browser.read_response()
        assert [line.split('"')[1] for line in lines.getvalue().splitlines()] == [
            "WSCONNECTING /nothing%0A/",
            "WSREJECT /nothing%0A/",
        ]
        await browser.close()

    @pytest.mark.parametrize("known", [True, False])
    @pytest.mark.parametrize("last_read", [b"", b" 101 "])
    async def test_one_that_is_reset_has_its_last_line_whenever_that_is(
        self, start: Start, tmp_path: Path, known: bool, last_read: bytes
    ) -> None:
        """With its request, so that no 101 can be written to it, or behind the 101."""
        (tmp_path / "tokens").write_text("{}")
        lines = io.StringIO()
        access = None if known else TokensAccess(tmp_path / "tokens")
        serving = await start(access_log=AccessLog(lines), access=access)
        for _ in range(20):
            await shake_hands_and_reset(serving.address, last_read)
        await until(lambda: lines.getvalue().count("WSDISCONNECT") == 20)
        assert lines.getvalue().count("WSCONNECTING") == 20

    async def test_forwarded_address_is_logged_when_asked_for(self, start: Start) -> None:
        lines = io.StringIO()
        serving = await start(access_log=AccessLog(lines), proxy_headers=True)
        await (await RawBrowser.open(serving.address, "X-Forwarded-For: 203.0.113.7, 10.0.0.1")).close()
        await until(lambda: "WSDISCONNECT" in lines.getvalue())
        assert all(line.startswith("203.0.113.7:0 ") for line in lines.getvalue().splitlines())


class TestTakenOver:
    async def test_one_that_can_not_be_read_is_lost(self, serving: Serving, caplog: pytest.LogCaptureFixture) -> None:
        class Losing(asyncio.Protocol):
            lost: Exception | None = None

            def connection_lost(self, exc: Exception | None) -> None:
                self.lost = exc

        protocol, sock = Losing(), socket.socket()
        sock.close()
        serving.server.adopt(sock, protocol)
        assert isinstance(protocol.lost, OSError)
        assert "a client is lost, it can't be taken over" in caplog.text


class TestFaults:
    """A client that is closed for what it did has a line with its address, and with the option that it overstepped."""

    @pytest.mark.parametrize(
        ("settings", "said"),
        [
            ({"websocket_max_message_size": 10}, "1009: message too big (--websocket-max-message-size)"),
            ({"websocket_max_frame_size": 10}, "1009: frame too big (--websocket-max-frame-size)"),
        ],
    )
    async def test_option_is_named(
        self, start: Start, caplog: pytest.LogCaptureFixture, settings: dict[str, int], said: str
    ) -> None:
        serving = await start(proxy_headers=True, access_log=AccessLog(io.StringIO()), **settings)
        browser = await RawBrowser.open(serving.address, "X-Forwarded-For: 203.0.113.7")
        browser.send(frame(b"x" * 11))
        assert await browser.read_close() == 1009
        assert caplog.messages == [f"closed 203.0.113.7:0 with {said}"]
        await browser.close()

    async def test_each_fault_has_a_line_whatever_code_it_shares(
        self, serving: Serving, caplog: pytest.LogCaptureFixture
    ) -> None:
        for bits in (0xC1, 0x83):
            browser = await RawBrowser.open(serving.address)
            browser.send(bytes([bits, 0x80, 0, 0, 0, 0]))
            assert await browser.read_close() == 1002
            await browser.close()
        assert [text.partition(" with ")[2] for text in caplog.messages] == [
            "1002: reserved bits",
            "1002: reserved opcode",
        ]


SECRETS = ["Authorization: Bearer SECRET", "Cookie: csrftoken=SECRET", "X-DAB-JW-TOKEN: SECRET", "secret: SECRET"]


class TestRefusals:
    """Each has one line with path, peer and word, a counter with that word, and no secret (django/channels#2062)."""

    @pytest.mark.parametrize(
        ("line", "options", "path", "reason"),
        [
            ("Origin: https://evil.example", {"origins": ("awx.example",)}, "/websocket/", "origin"),
            ("X-A: b", {}, "/nothing/", "path"),
            ("X-A: b", {"max_clients": 0}, "/websocket/", "limit"),
            ("Sec-WebSocket-Version: 12", {}, "/websocket/", "head"),
            ("X-A: b", {"access": TokensAccess}, "/websocket/", "token"),
            ("X-A: b", {"access": RefuseAccess}, "/websocket/", "access"),
        ],
    )
    async def test_the_line_has_path_peer_and_word(
        self,
        start: Start,
        caplog: pytest.LogCaptureFixture,
        tmp_path: Path,
        line: str,
        options: dict[str, Any],
        path: str,
        reason: str,
    ) -> None:
        caplog.set_level(logging.DEBUG)
        if options.get("access") is TokensAccess:
            (tmp_path / "tokens").write_text('{"OTHER": {"user": 7}}')
            options = {"access": TokensAccess(tmp_path / "tokens")}
        elif "access" in options:
            options = {"access": options["access"]()}
        serving = await start(**options)
        browser = await RawBrowser.connect(serving.address)
        browser.send(handshake(f"{path}?token=SECRET", line, *SECRETS))
        await browser.read_to_end()
        peer = "{}:{}".format(*browser.writer.get_extra_info("sockname"))
        (said,) = [message for message in caplog.messages if "refused" in message]
        assert said.startswith(f"refused ({reason}) '{path}' from {peer}")
        assert serving.server.handshakes == {("refused", reason): 1}
        assert "SECRET" not in caplog.text
        await browser.close()

    async def test_a_broken_head_has_its_peer(self, serving: Serving, caplog: pytest.LogCaptureFixture) -> None:
        browser = await RawBrowser.connect(serving.address)
        browser.send(b"NONSENSE\r\n\r\n")
        await browser.read_to_end()
        peer = "{}:{}".format(*browser.writer.get_extra_info("sockname"))
        assert f"refused (head) a request from {peer}: " in caplog.text
        await browser.close()


class TestLog:
    async def test_tokens_never_reach_it(self, serving: Serving, caplog: pytest.LogCaptureFixture) -> None:
        caplog.set_level(logging.DEBUG)
        for path in ("/websocket/?token=SECRET", "/nothing/?token=SECRET"):
            browser = await RawBrowser.connect(serving.address)
            browser.send(handshake(path, "Authorization: Bearer SECRET", "Cookie: csrftoken=SECRET"))
            await browser.read_head()
            await browser.close()
        assert "SECRET" not in caplog.text

    async def test_a_flood_of_refusals_is_one_line(self, serving: Serving, caplog: pytest.LogCaptureFixture) -> None:
        for _ in range(20):
            browser = await RawBrowser.connect(serving.address)
            browser.send(handshake("/nothing/"))
            await browser.read_response()
            await browser.close()
        assert len([line for line in caplog.messages if "refused (path)" in line]) == 1
        assert serving.server.handshakes == {("refused", "path"): 20}


class TestStop:
    async def test_clients_get_what_is_queued_then_1001(self, serving: Serving) -> None:
        browsers = [await RawBrowser.open(serving.address) for _ in range(5)]
        for browser in browsers:
            browser.send(frame('{"groups": {"jobs": ["summary"]}}'))
            await browser.read_text()
            await browser.read_text()
        serving.publish("jobs-summary", *map(str, range(100)))
        stopping = asyncio.create_task(serving.stop(grace=20))
        for browser in browsers:
            assert [await browser.read_text() for _ in range(100)] == [str(n) for n in range(100)]
            assert await browser.read_close() == 1001
            browser.send(close_frame(1001))
            assert await browser.read_to_end() == b""
        await stopping
        assert serving.server.closes == {("server", 1001): 5}
        for browser in browsers:
            await browser.close()

    async def test_nobody_is_accepted_any_more(self, serving: Serving) -> None:
        await serving.stop()
        with pytest.raises(OSError):
            await RawBrowser.connect(serving.address)

    async def test_client_that_never_reads_is_cut_off_after_the_grace(
        self, start: Start, caplog: pytest.LogCaptureFixture
    ) -> None:
        serving = await start(fanout={"send_buffer": 8192})
        browser = await RawBrowser.open(serving.address, receive_buffer=4096)
        browser.send(frame('{"groups": {"jobs": ["summary"]}}'))
        await browser.read_text()
        await browser.read_text()
        browser.reader._transport.pause_reading()  # type: ignore[attr-defined]
        serving.publish("jobs-summary", *["x" * 100_000] * 30)
        await serving.stop(grace=0.1)
        assert serving.server.clients == 0
        assert "did not close in time" in caplog.text
        await browser.close()

    async def test_closes_are_spread(self, start: Start) -> None:
        serving = await start(close_spread=0.3)
        browsers = [await RawBrowser.open(serving.address) for _ in range(3)]
        loop = asyncio.get_running_loop()
        stopping = asyncio.create_task(serving.stop(grace=20))
        begin = loop.time()
        times = []
        for browser in browsers:
            assert await browser.read_close() == 1001
            times.append(loop.time() - begin)
            await browser.close()
        await stopping
        assert times[1] >= 0.09
        assert times[2] >= 0.19

    async def test_handshake_that_is_being_decided_ends(self, start: Start) -> None:
        access = AskingAccess()
        serving = await start(access=access)
        browser = await RawBrowser.connect(serving.address)
        browser.send(handshake())
        await until(lambda: access.asked)
        await serving.stop()
        with contextlib.suppress(ConnectionError):
            assert await browser.read_to_end() == b""
        await browser.close()
