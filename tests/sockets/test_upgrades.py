"""Handshakes over real sockets: who gets a 101, who does not, and what is said about it."""

import asyncio
import logging
import socket
from pathlib import Path
from typing import Any

import aiohttp
import pytest
from asking_access import AskingAccess
from awxfast.errors import AccessUnavailable
from awxfast.native.access import Identity, RefuseAccess
from awxfast.native.tokens_file import TokensAccess
from raw_browser import RawBrowser, close_frame, frame, handshake
from serving import Serving, Start, until

WELCOME = '{"accept": true, "user": 0}'


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
