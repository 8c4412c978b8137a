"""One websocket's life over a real socket: frames in, close codes out, every way to end."""

import asyncio
import json
import socket
import struct

import pytest
from awxfast._rust import Fanout
from awxfast.settings import Settings
from awxfast.sockets.clients import Clients
from awxfast.sockets.connection import Connection, Phase
from raw_browser import BINARY, CLOSE, PING, PONG, TEXT, RawBrowser, close_frame, frame, handshake, length, open_browser
from serving import Serving, Start, until

NOT_JSON = "not JSON"
SUBSCRIBE = '{"groups": {"jobs": ["summary"]}}'


class TestFrames:
    async def test_fragmented_message_is_one_command(self, serving: Serving) -> None:
        browser = await open_browser(serving)
        for n, character in enumerate(SUBSCRIBE):
            browser.send(frame(character, TEXT if n == 0 else 0, final=n == len(SUBSCRIBE) - 1))
        assert json.loads(await browser.read_text())["groups_joined"] == ["jobs-summary"]
        await browser.close()

    async def test_ping_between_fragments_is_answered_first(self, serving: Serving) -> None:
        browser = await open_browser(serving)
        browser.send(frame(SUBSCRIBE[:9], final=False), frame("are you there", PING))
        assert await browser.read_frame() == (PONG, b"are you there")
        browser.send(frame(SUBSCRIBE[9:], 0))
        assert "groups_current" in await browser.read_text()
        await browser.close()

    async def test_ten_pings_in_one_write_get_ten_answers_in_order(self, serving: Serving) -> None:
        browser = await open_browser(serving)
        payloads = [f"number {number}".encode() for number in range(10)]
        browser.send(*(frame(payload, PING) for payload in payloads))
        assert [await browser.read_frame() for _ in payloads] == [(PONG, payload) for payload in payloads]
        await browser.close()

    async def test_unasked_pong_is_ignored(self, serving: Serving) -> None:
        browser = await open_browser(serving)
        browser.send(frame("x", PONG), frame("y"))
        assert NOT_JSON in await browser.read_text()
        await browser.close()

    async def test_frames_split_at_every_byte(self, serving: Serving) -> None:
        browser = await open_browser(serving)
        for byte in frame(SUBSCRIBE):
            browser.send(bytes([byte]))
            await asyncio.sleep(0)
        assert "groups_current" in await browser.read_text()
        await browser.close()


class TestHalfMessages:
    """Each may be as long as a whole one, and everybody may have one."""

    @staticmethod
    async def begin(serving: Serving, size: int) -> RawBrowser:
        """A message of so many bytes, less its last."""
        browser = await open_browser(serving)
        before = serving.server.websockets.unserved
        browser.send(frame("x" * size)[:-1])
        await until(lambda: serving.server.websockets.unserved >= before + size - 1)
        return browser

    async def test_past_the_bound_of_all_who_has_sent_the_most_is_closed_and_nobody_else(
        self, start: Start, caplog: pytest.LogCaptureFixture
    ) -> None:
        serving = await start(queue_memory=400_000, websocket_max_message_size=50_000)
        others = [(await self.begin(serving, size), size) for size in (40_000, 1_000, 30_000)]
        most = await open_browser(serving)
        most.send(frame("x" * 45_000)[:-1])
        assert await most.read_close() == 1008
        assert "--queue-memory" in caplog.text
        for browser, size in others:
            browser.send(frame("x" * size)[-1:])
            assert NOT_JSON in await browser.read_text()
        assert serving.server.websockets.faults == {"too much is sent that is not served yet": 1}
        assert serving.server.websockets.unserved == 0
        for browser in (most, *(browser for browser, _ in others)):
            await browser.close()

    async def test_what_a_lost_client_had_sent_counts_no_more(self, serving: Serving) -> None:
        browser = await self.begin(serving, 40_000)
        browser.reset()
        await until(lambda: serving.server.websockets.unserved == 0)

    async def test_one_message_as_long_as_may_be_has_room_whatever_the_bound_of_all(self, start: Start) -> None:
        serving = await start(queue_memory=40_000, websocket_max_message_size=50_000)
        browser = await self.begin(serving, 50_000)
        browser.send(frame("x" * 50_000)[-1:])
        assert NOT_JSON in await browser.read_text()
        await browser.close()


class TestFailures:
    """Every close code that bad input gets; nobody else notices."""

    @pytest.mark.parametrize(
        ("data", "code"),
        [
            (frame("x", masked=False), 1002),
            (frame("x", rsv=4), 1002),
            (frame("x", 3), 1002),
            (frame("x", 11), 1002),
            (frame("x" * 126, PING), 1002),
            (frame("x", PING, final=False), 1002),
            (frame("x", 0), 1002),
            (frame("x", final=False) + frame("y"), 1002),
            (close_frame(999), 1002),
            (close_frame(1005), 1002),
            (frame(b"\x03", CLOSE), 1002),
            (frame(b"x", BINARY), 1003),
            (frame(b"", BINARY), 1003),
            (frame(b"\xff"), 1007),
            (frame(b"\xc3", final=False) + frame(b"(", 0), 1007),
            (frame(b"\xed\xa0\x80"), 1007),
            (close_frame(1000, b"\xff"), 1007),
        ],
    )
    async def test_bad_frame_is_answered_with_its_code_and_the_end(
        self, serving: Serving, data: bytes, code: int
    ) -> None:
        neighbour, browser = await open_browser(serving), await open_browser(serving)
        browser.send(data)
        assert await browser.read_close() == code
        assert await browser.read_to_end() == b""
        await browser.close()
        await until(lambda: serving.server.clients == 1)
        assert serving.server.closes == {("server", code): 1}
        neighbour.send(frame(SUBSCRIBE))
        assert "groups_current" in await neighbour.read_text()
        await neighbour.close()

    async def test_fault_is_logged_once_without_what_was_sent(
        self, serving: Serving, caplog: pytest.LogCaptureFixture
    ) -> None:
        for _ in range(3):
            browser = await open_browser(serving)
            browser.send(frame(b"SECRET\xff"))
            assert await browser.read_close() == 1007
            await browser.close()
        assert len(caplog.messages) == 1
        assert "1007" in caplog.text
        assert "SECRET" not in caplog.text

    async def test_what_follows_the_bad_frame_is_not_served(self, serving: Serving) -> None:
        browser = await open_browser(serving)
        browser.send(frame("x", rsv=4), frame(SUBSCRIBE))
        assert await browser.read_close() == 1002
        assert not serving.groups.calls
        await browser.close()


class TestSizes:
    """tarasko/picows#38: one MiB, in one frame or in many; exactly the limit is allowed."""

    async def test_a_message_of_the_limit_is_served(self, serving: Serving) -> None:
        browser = await open_browser(serving)
        browser.send(frame("x" * 2**20))
        assert NOT_JSON in await browser.read_text()
        await browser.close()

    async def test_one_byte_more_in_one_frame(self, serving: Serving) -> None:
        browser = await open_browser(serving)
        browser.send(frame("x" * (2**20 + 1)))
        assert await browser.read_close() == 1009
        await browser.close()

    async def test_33_fragments_of_32_kib(self, serving: Serving) -> None:
        browser = await open_browser(serving)
        for n in range(33):
            browser.send(frame("x" * 32768, TEXT if n == 0 else 0, final=n == 32))
        assert await browser.read_close() == 1009
        await browser.close()

    @pytest.mark.parametrize("size", [2**31, 2**62])
    async def test_header_of_a_huge_frame_is_enough(self, serving: Serving, size: int) -> None:
        browser = await open_browser(serving)
        browser.send(b"\x81" + length(size))
        assert await browser.read_close() == 1009
        await browser.close()

    async def test_limits_are_options(self, start: Start) -> None:
        serving = await start(websocket_max_message_size=20, websocket_max_frame_size=10)
        browser = await open_browser(serving)
        browser.send(frame("x" * 10, final=False), frame("x" * 10, 0))
        assert NOT_JSON in await browser.read_text()
        browser.send(frame("x" * 11))
        assert await browser.read_close() == 1009
        await browser.close()

    async def test_zero_is_no_limit(self, start: Start) -> None:
        serving = await start(websocket_max_message_size=0, websocket_max_frame_size=0)
        browser = await open_browser(serving)
        browser.send(frame("x" * (2**20 + 1)))
        assert NOT_JSON in await browser.read_text()
        await browser.close()


class TestPeerCloses:
    @pytest.mark.parametrize("code", [1000, 1001, 3000, 4999, None])
    async def test_code_is_echoed_then_the_connection_ends(self, serving: Serving, code: int | None) -> None:
        browser = await open_browser(serving)
        browser.send(close_frame(code, b"bye" if code else b""))
        assert await browser.read_close() == code
        assert await browser.read_to_end() == b""
        await until(lambda: serving.server.clients == 0)
        known = code is None or code < 3000
        assert serving.server.closes == {("peer", (code or 1005) if known else "other"): 1}
        await browser.close()

    async def test_what_is_queued_comes_before_the_echo(self, serving: Serving) -> None:
        browser = await open_browser(serving)
        browser.send(frame(SUBSCRIBE))
        await browser.read_text()
        serving.publish("jobs-summary", *map(str, range(1000)))
        browser.send(close_frame())
        assert [await browser.read_text() for _ in range(1000)] == [str(n) for n in range(1000)]
        assert await browser.read_close() == 1000
        await browser.close()

    async def test_commands_behind_the_close_are_not_served(self, serving: Serving) -> None:
        browser = await open_browser(serving)
        browser.send(close_frame(), frame(SUBSCRIBE))
        assert await browser.read_close() == 1000
        assert not serving.groups.calls
        await browser.close()

    async def test_half_closing_behind_the_close_still_gets_the_echo(self, serving: Serving) -> None:
        browser = await open_browser(serving)
        browser.send(close_frame())
        browser.writer.write_eof()
        assert await browser.read_close() == 1000
        await browser.close()

    @pytest.mark.parametrize("how", ["fin", "reset"])
    async def test_loss_without_a_close_ends_everything(self, serving: Serving, how: str) -> None:
        browser = await open_browser(serving)
        browser.send(frame(SUBSCRIBE))
        await browser.read_text()
        if how == "reset":
            browser.reset()
        else:
            browser.writer.write_eof()
        await until(lambda: serving.server.clients == 0)
        assert serving.server.closes == {("peer", 1006): 1}
        assert not serving.groups.counts
        assert serving.fanout.ledger()["clients"] == 0
        await browser.close()

    async def test_reset_while_events_flow(self, serving: Serving) -> None:
        for _ in range(30):
            browser = await open_browser(serving)
            browser.send(frame(SUBSCRIBE))
            await browser.read_text()
            serving.publish("jobs-summary", *["x" * 10_000] * 20)
            browser.reset()
            serving.publish("jobs-summary", *["x" * 10_000] * 20)
        await until(lambda: serving.server.clients == 0)
        assert serving.fanout.ledger()["balance"] == {"events": 0, "frames": 0}


class TestServerCloses:
    async def test_client_that_does_not_answer_is_cut_off(self, start: Start) -> None:
        serving = await start(close_timeout=0.1)
        browser = await open_browser(serving)
        browser.send(frame(b"", BINARY))
        assert await browser.read_close() == 1003
        await until(lambda: serving.server.clients == 0)
        await browser.close()

    async def test_slow_client_is_closed_when_asked_for(self, start: Start) -> None:
        serving = await start(
            close_timeout=0.1, fanout={"slow_client": "close", "queue_frames": 10, "send_buffer": 8192}
        )
        browser = await RawBrowser.open(serving.address, receive_buffer=4096)
        browser.send(frame(SUBSCRIBE))
        await browser.read_text()
        await browser.read_text()
        browser.reader._transport.pause_reading()  # type: ignore[attr-defined]
        for _ in range(50):
            serving.publish("jobs-summary", *["x" * 100_000] * 5)
        await until(lambda: serving.server.clients == 0)
        assert serving.server.closes == {("server", 4008): 1}
        assert not serving.groups.counts
        await browser.close()


class QuietSession:
    """Remembers what it is told."""

    greeting = b"hello"
    takes_str = False

    def __init__(self) -> None:
        self.calls: list[str] = []

    def open(self, connection: Connection) -> None:
        self.calls.append("open")

    def receive_text(self, payload: bytes) -> None:
        self.calls.append(payload.decode())
        if payload == b"fail":
            raise RuntimeError("a fault of ours")

    def receive_binary(self, payload: bytes) -> None:
        self.calls.append("binary")

    def replies_drained(self) -> None:
        self.calls.append("drained")

    def room_made(self) -> None:
        self.calls.append("room")

    def end(self, code: int, reason: str = "") -> None:
        self.calls.append("end")


class BlockedTransport:
    """A transport whose buffer does not empty by itself."""

    def __init__(self) -> None:
        self.written = b""
        self.buffered = 0
        self.reading = True
        self.aborted = False
        self.descriptor = -1

    def set_write_buffer_limits(self, high: int) -> None:
        assert high == 0

    def write(self, data: bytes) -> None:
        self.written += data
        self.buffered = len(data)

    def get_write_buffer_size(self) -> int:
        return self.buffered

    def pause_reading(self) -> None:
        self.reading = False

    def resume_reading(self) -> None:
        self.reading = True

    def is_closing(self) -> bool:
        return self.aborted

    def is_reading(self) -> bool:
        return self.reading

    def get_extra_info(self, name: str) -> "BlockedTransport":
        return self

    def fileno(self) -> int:
        return self.descriptor

    def abort(self) -> None:
        self.aborted = True


class TestOpening:
    async def test_fan_out_waits_until_the_101_is_out(self) -> None:
        fanout, transport, session = Fanout(threads=1), BlockedTransport(), QuietSession()
        clients = Clients(fanout, Settings())
        connection = Connection(clients, session)
        connection.open(transport, b"101", frame("held"))  # type: ignore[arg-type]
        connection.data_received(frame("later"))
        assert (len(clients), session.calls, transport.reading) == (1, [], False)
        connection.connection_lost(None)
        assert (len(clients), session.calls, connection.phase) == (0, ["end"], Phase.ENDED)
        fanout.stop()

    async def test_greeting_leaves_with_the_101_and_is_in_the_ledger_once_it_is_out(self) -> None:
        fanout, transport, session = Fanout(threads=1), BlockedTransport(), QuietSession()
        near, far = socket.socketpair()
        transport.descriptor = near.fileno()
        connection = Connection(Clients(fanout, Settings()), session)
        connection.open(transport, b"101", b"", b"hello")  # type: ignore[arg-type]
        assert transport.written == b"101\x81\x05hello"
        assert fanout.ledger()["frames"]["queued"] == 0
        transport.buffered = 0
        connection.resume_writing()
        frames = fanout.ledger()["frames"]
        assert (session.calls, frames["queued"], frames["written"]) == (["open"], 1, 1)
        connection.connection_lost(None)
        fanout.stop()
        near.close()
        far.close()

    async def test_client_that_can_not_be_attached_is_turned_away(self, caplog: pytest.LogCaptureFixture) -> None:
        fanout, transport, session = Fanout(threads=1), BlockedTransport(), QuietSession()
        connection = Connection(Clients(fanout, Settings()), session)
        connection.open(transport, b"101", b"")  # type: ignore[arg-type]
        transport.buffered = 0
        connection.resume_writing()
        assert transport.aborted
        assert "it can't be attached: not a descriptor" in caplog.text
        connection.connection_lost(None)
        fanout.stop()


class TestFaultsOfOurs:
    async def test_session_that_fails_closes_with_1011_and_ends_once(
        self, serving: Serving, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
    ) -> None:
        session = QuietSession()
        monkeypatch.setattr(serving.endpoints._native, "begin", lambda identity, request: session)
        browser = await RawBrowser.connect(serving.address)
        browser.send(handshake(), frame("hello"), frame("fail"), frame("more"))
        await browser.read_head()
        assert await browser.read_close() == 1011
        assert await browser.read_to_end() == b""
        await browser.close()
        await until(lambda: serving.server.clients == 0)
        assert session.calls == ["open", "hello", "fail", "end"]
        assert "a session failed" in caplog.text


class TestCloseCodes:
    async def test_reason_goes_with_the_code(self, serving: Serving) -> None:
        browser = await open_browser(serving)
        browser.send(frame("x", masked=False))
        opcode, payload = await browser.read_frame()
        assert (opcode, payload[:2]) == (CLOSE, struct.pack("!H", 1002))
        assert b"mask" in payload[2:]
        await browser.close()
