"""Connections behind TLS, with real clients on a real server."""

import asyncio
import contextlib
import errno
import json
import socket
import ssl
from collections.abc import AsyncIterator, Callable
from pathlib import Path

import aiohttp
import pytest
import websockets
from awxfast.http import bridge as bridge_module
from awxfast.http import open_bridges
from awxfast.http.bridge import Bridge, Bridges
from awxfast.http.plain_connections import PlainConnections
from awxfast.http.tls import Certificate
from awxfast.http.tls_listener import TlsListener
from awxfast.turns import Turns
from certificates import SelfSigned
from resets import reset_at_close
from serving import HANG, Serving, Start, until
from websockets.asyncio.client import ClientConnection

WELCOME = '{"accept": true, "user": 0}'


@pytest.fixture
def files(tmp_path: Path) -> SelfSigned:
    return SelfSigned(tmp_path)


@pytest.fixture
async def serving(start: Start, files: SelfSigned) -> Serving:
    return await start(certificate=Certificate(*files.files))


def connect(serving: Serving, files: SelfSigned, **options: object) -> websockets.connect:
    return websockets.connect(f"wss://127.0.0.1:{serving.port}/websocket/", ssl=files.trust(), **options)


async def subscribe(browser: ClientConnection) -> None:
    assert await browser.recv() == WELCOME
    await browser.send('{"groups": {"jobs": ["summary"]}}')
    assert json.loads(await browser.recv())["groups_current"] == ["jobs-summary"]


@contextlib.asynccontextmanager
async def open_stream(
    serving: Serving, files: SelfSigned, **options: object
) -> AsyncIterator[tuple[asyncio.StreamReader, asyncio.StreamWriter]]:
    """A client that does only what the test does."""
    reader, writer = await asyncio.open_connection("127.0.0.1", serving.port, ssl=files.trust(), **options)
    yield reader, writer
    writer.transport.abort()


class TestClients:
    async def test_websockets_library(self, serving: Serving, files: SelfSigned) -> None:
        async with connect(serving, files) as browser:
            await subscribe(browser)
            serving.publish("jobs-summary", "an event")
            assert await browser.recv() == "an event"
            assert await (await browser.ping()) is not None

    async def test_aiohttp(self, serving: Serving, files: SelfSigned) -> None:
        url = f"https://127.0.0.1:{serving.port}/websocket/"
        async with aiohttp.ClientSession() as session:
            async with session.ws_connect(url, ssl=files.trust()) as browser:
                assert await browser.receive_str() == WELCOME
                await browser.send_json({"groups": {"jobs": ["summary"]}})
                assert (await browser.receive_json())["groups_joined"] == ["jobs-summary"]
            async with session.get(url, ssl=files.trust()) as response:
                assert response.status == 426

    async def test_one_that_speaks_no_tls_is_alone_in_that(self, serving: Serving, files: SelfSigned) -> None:
        reader, writer = await asyncio.open_connection("127.0.0.1", serving.port)
        writer.write(b"GET /websocket/ HTTP/1.1\r\nHost: a\r\n\r\n")
        with contextlib.suppress(ConnectionError):
            assert b"HTTP" not in await asyncio.wait_for(reader.read(), HANG)
        writer.transport.abort()
        async with connect(serving, files) as browser:
            assert await browser.recv() == WELCOME


class TestAmounts:
    async def test_large_events_arrive_whole_and_in_order(self, serving: Serving, files: SelfSigned) -> None:
        texts = [f"{number}" * 1_500_000 for number in range(6)]
        async with connect(serving, files, max_size=None) as browser:
            await subscribe(browser)
            serving.publish("jobs-summary", *texts)
            for text in texts:
                assert await browser.recv() == text
        assert serving.fanout.ledger()["frames"]["shed"] == {}

    async def test_message_at_the_limit_is_read_and_one_above_is_1009(
        self, serving: Serving, files: SelfSigned
    ) -> None:
        async with connect(serving, files) as browser:
            assert await browser.recv() == WELCOME
            await browser.send("x" * 1_048_576)
            assert "error" in json.loads(await browser.recv())
            await browser.send("x" * 1_048_577)
            with pytest.raises(websockets.ConnectionClosed, match="1009"):
                await browser.recv()

    async def test_client_that_does_not_read_loses_frames_alone(self, start: Start, files: SelfSigned) -> None:
        fanout = {"queue_frames": 50, "send_buffer": 65_536}
        serving = await start(certificate=Certificate(*files.files), fanout=fanout, send_buffer=65_536)
        async with (
            connect(serving, files, max_queue=1, max_size=None) as slow,
            connect(serving, files, max_size=None) as quick,
        ):
            await subscribe(slow)
            await subscribe(quick)
            slow.transport.pause_reading()
            for number in range(300):
                serving.publish("jobs-summary", f"{number} ".ljust(100_000))
                assert (await quick.recv()).startswith(f"{number} ")
            assert count_shed(serving) > 100
            slow.transport.resume_reading()
            numbers = [int((await slow.recv()).split()[0])]
            while numbers[-1] < 299:
                numbers.append(int((await slow.recv()).split()[0]))
            assert numbers == sorted(numbers)
            assert len(numbers) + count_shed(serving) == 300

    async def test_commands_wait_while_the_server_does_not_read(self, serving: Serving, files: SelfSigned) -> None:
        serving.groups.answers.clear()
        async with connect(serving, files) as browser:
            assert await browser.recv() == WELCOME
            await browser.send('{"groups": {"jobs": ["summary"]}}')
            sending = asyncio.create_task(send_many(browser, 300, "y" * 50_000))
            await until(lambda: serving.groups.calls)
            done, _ = await asyncio.wait([sending], timeout=0.5)
            assert not done, "15 MB were taken though nobody reads"
            serving.groups.answers.set()
            assert json.loads(await browser.recv())["groups_joined"] == ["jobs-summary"]
            for _ in range(300):
                assert "error" in json.loads(await browser.recv())
            await sending


async def send_many(browser: ClientConnection, count: int, text: str) -> None:
    for _ in range(count):
        await browser.send(text)


def count_descriptors() -> int:
    return len(list(Path("/proc/self/fd").iterdir()))


class TestEnds:
    async def test_clients_code_comes_back(self, serving: Serving, files: SelfSigned) -> None:
        async with connect(serving, files) as browser:
            assert await browser.recv() == WELCOME
            await browser.close(4321, "enough")
            assert browser.close_code == 4321
        await until(lambda: serving.server.clients == 0)
        assert serving.server.closes == {("peer", "other"): 1}

    async def test_servers_code_and_the_answer_to_it(self, serving: Serving, files: SelfSigned) -> None:
        async with connect(serving, files) as browser:
            assert await browser.recv() == WELCOME
            await browser.send(b"binary")
            with pytest.raises(websockets.ConnectionClosed, match="1003"):
                await browser.recv()
        await until(lambda: serving.server.clients == 0)
        assert serving.server.closes == {("server", 1003): 1}

    async def test_stop_closes_with_1001(self, serving: Serving, files: SelfSigned) -> None:
        async with connect(serving, files, max_size=None) as browser:
            await subscribe(browser)
            serving.publish("jobs-summary", "x" * 3_000_000)
            stopping = asyncio.create_task(serving.stop())
            assert len(await browser.recv()) == 3_000_000
            with pytest.raises(websockets.ConnectionClosed, match="1001"):
                await browser.recv()
            await stopping

    async def test_nothing_is_left_open(self, serving: Serving, files: SelfSigned) -> None:
        near, far = socket.socketpair()
        _, writer = await asyncio.open_connection(sock=near)  # the loop keeps a descriptor from its first stream on
        writer.close()
        await writer.wait_closed()
        far.close()
        before = count_descriptors()
        for code in range(4000, 4010):
            async with connect(serving, files) as browser:
                assert await browser.recv() == WELCOME
                await browser.close(code)
        await until(lambda: count_descriptors() <= before)

    async def test_connection_that_breaks_is_noticed(self, serving: Serving, files: SelfSigned) -> None:
        async with connect(serving, files) as browser:
            assert await browser.recv() == WELCOME
            sock = browser.transport.get_extra_info("socket")
            reset_at_close(sock)
            browser.transport.abort()
            await until(lambda: serving.server.clients == 0)

    async def test_refusal_is_read_whole(self, serving: Serving, files: SelfSigned) -> None:
        async with open_stream(serving, files) as (reader, writer):
            writer.write(b"GET /nowhere/ HTTP/1.1\r\nHost: a\r\nConnection: close\r\n\r\n")
            answer = await asyncio.wait_for(reader.read(), HANG)
        assert answer.startswith(b"HTTP/1.1 404 ")
        assert answer.endswith(b"There is nothing here.\n")

    async def test_late_answer_to_a_close_is_waited_for(self, serving: Serving, files: SelfSigned) -> None:
        """A client that takes its time must not find its connection cut before it has read the code."""
        async with connect(serving, files, max_queue=1) as browser:
            await subscribe(browser)
            browser.transport.pause_reading()
            serving.publish("jobs-summary", *(["z" * 500_000] * 10))
            closing = asyncio.create_task(serving.server._clients.close_all(1001, 0.0, HANG))
            await browser.send('{"groups": {}}')
            await asyncio.sleep(0.2)
            browser.transport.resume_reading()
            received = 0
            with pytest.raises(websockets.ConnectionClosed, match="1001"):
                while True:
                    received += len(await browser.recv())
            assert received == 5_000_000
            await closing


class TestHandshake:
    async def test_silent_client_is_cut_off(self, start: Start, files: SelfSigned) -> None:
        serving = await start(certificate=Certificate(*files.files), websocket_connect_timeout=1)
        reader, writer = await asyncio.open_connection("127.0.0.1", serving.port)
        with contextlib.suppress(ConnectionError):
            assert await asyncio.wait_for(reader.read(), HANG) == b""
        writer.close()

    async def test_old_versions_are_refused(self, serving: Serving, files: SelfSigned) -> None:
        context = files.trust()
        context.set_ciphers("DEFAULT:@SECLEVEL=0")
        with pytest.warns(DeprecationWarning):
            context.minimum_version = context.maximum_version = ssl.TLSVersion.TLSv1_1
        with pytest.raises((ssl.SSLError, ConnectionError)):
            await asyncio.open_connection("127.0.0.1", serving.port, ssl=context)


class Sink(asyncio.Protocol):
    """Counts what comes."""

    def __init__(self) -> None:
        self.received = 0
        self.ended = False
        self.plain = PlainConnections(100)

    def data_received(self, data: bytes) -> None:
        self.received += len(data)

    def connection_lost(self, exc: Exception | None) -> None:
        self.ended = True


class Source(asyncio.Protocol):
    """Sends so many bytes and ends."""

    SIZE = 3_000_000

    def connection_made(self, transport: asyncio.Transport) -> None:  # type: ignore[override]
        transport.write(bytes(self.SIZE))
        transport.close()


class TestLastBytes:
    """What was written before the server's end."""

    @pytest.fixture
    async def source(self, files: SelfSigned) -> AsyncIterator[tuple[Bridges, int]]:
        bridges = Bridges(lambda _: Source(), PlainConnections(100))
        sock = socket.create_server(("127.0.0.1", 0))
        sock.setsockopt(socket.SOL_SOCKET, socket.SO_SNDBUF, 65_536)
        context = Certificate(*files.files).context
        listener = TlsListener(sock, context, bridges, PlainConnections(100), handshake_timeout=60)
        listener.start(8)
        yield bridges, sock.getsockname()[1]
        listener.end_listening()
        listener.end_handshakes()

    async def test_client_that_reads_late_gets_all(self, source: tuple[Bridges, int], files: SelfSigned) -> None:
        client = await asyncio.to_thread(connect_tls, source[1], files, receive_buffer=4_096)
        received = 0
        while part := await asyncio.to_thread(client.recv, 65_536):
            received += len(part)
            if received > Source.SIZE - 150_000:
                await asyncio.sleep(0.02)
        assert received == Source.SIZE
        client.close()

    async def test_client_that_reads_nothing_is_cut_off(
        self, source: tuple[Bridges, int], files: SelfSigned, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        monkeypatch.setattr(bridge_module, "END_SECONDS", 0.1)
        monkeypatch.setattr(Source, "SIZE", 100_000)
        client = await asyncio.to_thread(connect_tls, source[1], files, receive_buffer=4_096)
        bridges, _ = source
        await until(lambda: bridges._open)
        await until(lambda: not bridges._open)
        client.close()

    async def test_client_that_reads_nothing_has_little_in_the_transport(
        self, source: tuple[Bridges, int], files: SelfSigned, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        """It is in no bound of the server's: the event loop's own of half a MiB is for each client."""
        waiting = []
        pause_writing = Bridge.pause_writing

        def note(bridge: Bridge) -> None:
            waiting.append(bridge._transport.get_write_buffer_size())
            pause_writing(bridge)

        monkeypatch.setattr(Bridge, "pause_writing", note)
        client = await asyncio.to_thread(connect_tls, source[1], files, receive_buffer=4_096)
        await until(lambda: waiting)
        assert waiting[0] < 200_000
        client.close()

    async def test_client_that_has_all_is_not_waited_for(
        self, source: tuple[Bridges, int], files: SelfSigned, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        monkeypatch.setattr(bridge_module, "END_SECONDS", 3_600)
        monkeypatch.setattr(bridge_module, "LINGER_SECONDS", 0.05)
        monkeypatch.setattr(Source, "SIZE", 1_000)
        client = await asyncio.to_thread(connect_tls, source[1], files)
        await until(lambda: source[0]._open)
        await until(lambda: not source[0]._open)
        assert client.recv(2_000) == bytes(1_000)
        client.close()

    async def test_client_that_still_takes_them_goes_when_its_descriptor_is_needed(
        self, source: tuple[Bridges, int], files: SelfSigned, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        monkeypatch.setattr(bridge_module, "END_SECONDS", 3_600)
        monkeypatch.setattr(Source, "SIZE", 200_000)
        bridges, port = source
        clients = [await asyncio.to_thread(connect_tls, port, files, receive_buffer=4_096) for _ in range(3)]
        await until(lambda: len(bridges._open) == 3 and len(bridges.plain) == 3)
        for _ in clients:
            assert bridges.plain._end_oldest()
        await until(lambda: not bridges._open)
        assert len(bridges.plain) == 0
        for client in clients:
            client.close()

    async def test_server_that_can_not_be_waited_for_is_taken_for_ended(
        self, source: tuple[Bridges, int], files: SelfSigned, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        def refuse() -> None:
            raise OSError(errno.EMFILE, "Too many open files")

        monkeypatch.setattr(open_bridges, "HangUps", refuse)
        monkeypatch.setattr(bridge_module, "LINGER_SECONDS", 0.05)
        monkeypatch.setattr(Source, "SIZE", 1_000)
        client = await asyncio.to_thread(connect_tls, source[1], files)
        await until(lambda: source[0]._open)
        await until(lambda: not source[0]._open)
        client.close()

    @pytest.mark.parametrize("end", ["close", "unwrap", "reset"])
    async def test_client_that_goes_as_soon_as_it_has_its_answer_is_no_error(
        self, source: tuple[Bridges, int], files: SelfSigned, monkeypatch: pytest.MonkeyPatch, end: str
    ) -> None:
        errors: list[dict[str, object]] = []
        asyncio.get_running_loop().set_exception_handler(lambda _, context: errors.append(context))
        monkeypatch.setattr(Source, "SIZE", 1_000)
        for _ in range(30):
            await asyncio.to_thread(take_and_go, source[1], files, end)
        await until(lambda: not source[0]._open)
        assert errors == []


class UnreadTransport(asyncio.Transport):
    """Of a client that is read no further."""

    def get_write_buffer_size(self) -> int:
        return 0

    def pause_reading(self) -> None: ...

    def resume_reading(self) -> None: ...


class TestManyRecords:
    """A few bytes in each, which cost as much to decrypt as a full one."""

    @pytest.fixture
    def two_small_turns(self, monkeypatch: pytest.MonkeyPatch) -> None:
        """Before there are bridges."""
        monkeypatch.setattr(bridge_module, "TURN_SMALL", 2)

    @pytest.fixture
    async def sink(self, files: SelfSigned) -> AsyncIterator[tuple[Sink, int]]:
        sink = Sink()
        context = Certificate(*files.files).context
        bridges = Bridges(lambda _: sink, sink.plain)
        server = await asyncio.get_running_loop().create_server(bridges, "127.0.0.1", 0, ssl=context)
        yield sink, server.sockets[0].getsockname()[1]
        server.close()
        await server.wait_closed()

    @pytest.mark.parametrize("text", [b"x", b"sixsix", b"x" * 1_000])
    async def test_of_many_who_send_at_once_few_are_decrypted_in_a_turn(
        self, sink: tuple[Sink, int], files: SelfSigned, monkeypatch: pytest.MonkeyPatch, text: bytes
    ) -> None:
        """However little their records bring: of key updates a thousand bring nothing, and cost 25 ms."""
        shares = [0]
        get_buffer = Bridge.get_buffer

        def count(bridge: Bridge, sizehint: int) -> memoryview:
            buffer = get_buffer(bridge, sizehint)
            shares[-1] += sizehint if len(buffer) else 0
            return buffer

        monkeypatch.setattr(Bridge, "get_buffer", count)  # before there is a transport, which keeps it
        taker, port = sink
        clients = [await asyncio.to_thread(connect_tls, port, files) for _ in range(10)]
        await asyncio.sleep(0.05)
        records = 20_000 // (len(text) + 22)
        for client in clients:  # in this thread, so that all of it waits
            for _ in range(records):
                client.sendall(text)
        while taker.received < 10 * records * len(text):
            shares.append(0)
            await asyncio.sleep(0)
        for client in clients:
            client.close()
        assert 10_000 < max(shares) < 50_000, "one who has waited, and one who has just come"

    async def test_turn_has_so_many_of_those_who_send_little(
        self, two_small_turns: None, sink: tuple[Sink, int], files: SelfSigned, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        turns: list[set[Bridge]] = [set()]
        buffer_updated = Bridge.buffer_updated

        def note(bridge: Bridge, size: int) -> None:
            turns[-1].add(bridge)
            buffer_updated(bridge, size)

        monkeypatch.setattr(Bridge, "buffer_updated", note)  # as above
        taker, port = sink
        clients = [await asyncio.to_thread(connect_tls, port, files) for _ in range(10)]
        await asyncio.sleep(0.05)
        for client in clients:
            client.sendall(b"a command")
        while taker.received < 10 * len(b"a command"):
            turns.append(set())
            await asyncio.sleep(0)
        for client in clients:
            client.close()
        assert max(map(len, turns)) <= 4, "those who have waited, and those who have just come"

    async def test_those_who_send_little_have_no_more_of_a_turn_together_than_the_others(self) -> None:
        """Each as much as counts for a command, all at once: of key updates that is 60 ms."""
        bridges = Bridges(lambda _: Sink(), PlainConnections(100))
        taken = 0
        for _ in range(4 * bridge_module.TURN_SMALL):
            bridge = Bridge(bridges)
            bridge._transport = UnreadTransport()
            if len(bridge.get_buffer(bridge_module.SMALL_BYTES + bridge_module.HINT_BYTES)):
                taken += bridge_module.SMALL_BYTES
        assert taken == open_bridges.TURN_BYTES

    async def test_client_that_takes_no_answers_of_tls_itself_is_cut_off(
        self, sink: tuple[Sink, int], files: SelfSigned, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        """Each key update that asks for another is answered without a look at what the client has taken."""
        monkeypatch.setattr(bridge_module, "UNTAKEN_BYTES", -1)
        taker, port = sink
        client = await asyncio.to_thread(connect_tls, port, files)
        client.sendall(b"x")
        await until(lambda: taker.ended)
        assert (taker.received, taker.plain.ended["cut_off"]) == (0, 1)
        client.close()

    async def test_client_whose_records_bring_next_to_nothing_is_cut_off(
        self, sink: tuple[Sink, int], files: SelfSigned
    ) -> None:
        """As one that floods key updates, which no client of Python's ssl can send."""
        taker, port = sink
        client = await asyncio.to_thread(connect_tls, port, files)

        def send() -> None:
            with contextlib.suppress(OSError):
                for _ in range(60_000):
                    client.sendall(b"x")

        await asyncio.to_thread(send)
        await until(lambda: taker.ended)
        assert taker.received < 30_000
        assert taker.plain.ended["cut_off"] == 1
        client.close()

    async def test_client_that_ends_before_its_turn_loses_nothing(
        self, sink: tuple[Sink, int], files: SelfSigned, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        """A TLS transport that has read the end drops what is not decrypted by then."""
        waiting: list[Callable[[], None]] = []

        def defer(_: Turns, amount: int, callback: Callable[[], None]) -> None:
            waiting.append(callback)

        taker, port = sink
        client = await asyncio.to_thread(connect_tls, port, files)
        await asyncio.sleep(0.05)
        monkeypatch.setattr(Turns, "take_at_once", lambda *_: False)
        monkeypatch.setattr(Turns, "call", defer)
        client.sendall(b"x" * 10_000)
        await until(lambda: waiting)
        socket.socket.shutdown(client, socket.SHUT_WR)
        await asyncio.sleep(0.05)
        waiting.pop()()
        await until(lambda: taker.ended)
        assert taker.received == 10_000
        client.close()

    @pytest.mark.parametrize("size", [3_000, 50_000, 300_000])
    async def test_all_that_a_client_sent_before_its_end_arrives(
        self, sink: tuple[Sink, int], files: SelfSigned, size: int
    ) -> None:
        taker, port = sink
        client = await asyncio.to_thread(connect_tls, port, files)
        await asyncio.to_thread(client.sendall, b"x" * size)
        socket.socket.shutdown(client, socket.SHUT_WR)
        await until(lambda: taker.ended)
        assert taker.received == size
        client.close()


def count_shed(serving: Serving) -> int:
    return sum(serving.fanout.ledger()["frames"]["shed"].values())


def take_and_go(port: int, files: SelfSigned, end: str) -> None:
    """Reads 1,000 bytes and ends the connection in one of the ways that clients have."""
    client = connect_tls(port, files)
    received = 0
    while received < 1_000:
        received += len(client.recv(1_000))
    if end == "unwrap":
        with contextlib.suppress(OSError):
            client.unwrap()
    elif end == "reset":
        reset_at_close(client)
    client.close()


def connect_tls(port: int, files: SelfSigned, receive_buffer: int | None = None) -> ssl.SSLSocket:
    connection = socket.socket()
    connection.settimeout(HANG)
    if receive_buffer is not None:
        connection.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, receive_buffer)
    connection.connect(("127.0.0.1", port))
    return files.trust().wrap_socket(connection, server_hostname="127.0.0.1")


class TestDescriptorsThatAreOut:
    async def test_clients_that_are_turned_away_are_one_line(
        self, files: SelfSigned, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
    ) -> None:
        def refuse() -> None:
            raise OSError(errno.EMFILE, "Too many open files")

        bridges = Bridges(lambda _: Sink(), PlainConnections(100))
        server = await asyncio.get_running_loop().create_server(
            bridges, "127.0.0.1", 0, ssl=Certificate(*files.files).context
        )
        port = server.sockets[0].getsockname()[1]
        monkeypatch.setattr(bridge_module.socket, "socketpair", refuse)
        for _ in range(3):
            client = await asyncio.to_thread(connect_tls, port, files)
            with contextlib.suppress(OSError):
                assert await asyncio.to_thread(client.recv, 1) == b""
            client.close()
        assert caplog.text.count("can't be served") == 1
        server.close()
        await server.wait_closed()
