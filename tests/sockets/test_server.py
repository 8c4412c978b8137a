"""Real browsers from their 101 to their end: counters, the access log, faults, and the stop of all."""

import asyncio
import contextlib
import io
import json
import os
import socket
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import aiohttp
import pytest
import websockets
from asking_access import AskingAccess
from awxfast._rust import Balance
from awxfast.http.access_log import AccessLog
from awxfast.http.fair_share import WHOLE, FairShare
from awxfast.native.access import Identity
from awxfast.native.tokens_file import TokensAccess
from awxfast.system.shares import Shares
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


class TestBesideOtherProcesses:
    """What others see of this one in the table."""

    @pytest.fixture
    def shares(self) -> Iterator[Shares]:
        table = Shares.create(2)
        own = Shares.open(os.dup(table.descriptor), 0, generation=7)
        yield own
        own.close()
        table.close()

    async def test_websockets_are_told_as_they_come_and_go(self, shares: Shares, start: Start) -> None:
        serving = await start(shares=shares)
        row = shares.rows[0]
        assert (row.pid, row.generation, row.websockets) == (os.getpid(), 7, 0)
        browsers = [await RawBrowser.open(serving.address) for _ in range(3)]
        assert (row.websockets, row.accepted) == (3, 3)
        await until(lambda: row.load == 3 * WHOLE)
        browsers[0].send(close_frame())
        await browsers[0].read_close()
        await until(lambda: row.websockets == 2)
        await until(lambda: row.load == 2 * WHOLE)
        for browser in browsers:
            await browser.close()

    async def test_connection_without_a_request_counts_in_part(self, shares: Shares, start: Start) -> None:
        serving = await start(shares=shares)
        row = shares.rows[0]
        browser = await RawBrowser.connect(serving.address)
        await until(lambda: row.load == WHOLE)
        browser.send(b"GET /nowhere HTTP/1.1\r\nHost: a\r\n\r\n")
        assert (await browser.read_response())[0] == 404
        await until(lambda: row.load == 1)
        await browser.close()
        await until(lambda: row.load == 0)

    async def test_place_of_one_that_is_let_in_is_at_no_moment_free(
        self, shares: Shares, start: Start, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        """Another process would give it away."""
        access = AskingAccess()
        serving = await start(shares=shares, access=access, max_clients=1)
        browser = await RawBrowser.connect(serving.address)
        browser.send(handshake())
        await until(lambda: access.asked)
        assert shares.own.websockets == 1
        told: list[int] = []

        def remember(balance: Balance) -> None:
            balance.publish()
            told.append(shares.own.websockets)

        for name in ("publish", "_publish_due"):
            monkeypatch.setattr(FairShare, name, lambda share: remember(share.balance))
        access.answer.set_result(Identity(user=7))
        await browser.read_head()
        await until(lambda: serving.server.clients == 1)
        assert set(told) == {1}
        monkeypatch.undo()
        await browser.close()

    async def test_loop_that_runs_is_seen_to_run(self, shares: Shares, start: Start) -> None:
        await start(shares=shares)
        looked_at = shares.rows[0].looked_at
        await until(lambda: shares.rows[0].looked_at > looked_at)

    async def test_row_is_anothers_when_it_listens_no_more(self, shares: Shares, start: Start) -> None:
        serving = await start(shares=shares)
        row = shares.rows[0]
        browser = await RawBrowser.open(serving.address)
        serving.server.end_listening()
        assert (row.listens, row.websockets) == (False, 1)
        browser.send(close_frame())
        await browser.read_close()
        await browser.close()
        await until(lambda: serving.server.clients == 0)
        assert row.websockets == 1

    async def test_clients_of_others_count_under_the_limit(self, shares: Shares, start: Start) -> None:
        serving = await start(shares=shares, max_clients=3)
        shares.rows[1].websockets = 2
        browser = await RawBrowser.open(serving.address)
        refused = await RawBrowser.connect(serving.address)
        refused.send(handshake())
        assert (await refused.read_response())[0] == 503
        await refused.close()
        await browser.close()


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
