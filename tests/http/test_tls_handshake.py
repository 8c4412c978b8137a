"""Steps of TLS handshakes, which wait for their turns. The clients are Python's ssl, byte by byte where it matters."""

import asyncio
import contextlib
import socket
import ssl
from collections.abc import AsyncIterator, Callable
from pathlib import Path
from typing import Any

import pytest
from awxfast.http.plain_connections import PlainConnections
from awxfast.http.tls import Certificate
from awxfast.http.tls_handshake import PacedHandshake
from awxfast.http.tls_listener import TlsListener
from awxfast.turns import Turns
from certificates import SelfSigned
from serving import until

STEPS = 4
"""Of handshakes, in a turn."""


class CountingTurns(Turns):
    """Says how much went on in each of the loop's turns, and may keep all waiting."""

    def __init__(self, most: int) -> None:
        super().__init__(most)
        self.begun = 0
        self.waiting: list[Callable[[], None]] | None = None

    def call(self, amount: int, callback: Callable[[], None]) -> asyncio.Future[None] | None:
        def begin() -> None:
            self.begun += 1
            callback()

        if self.waiting is None:
            return super().call(amount, begin)
        self.waiting.append(begin)
        turn: asyncio.Future[None] = asyncio.get_running_loop().create_future()
        return turn


class Secured(asyncio.Protocol):
    """Has a connection when its handshake is done."""

    made: list["Secured"]

    def __init__(self) -> None:
        self.data = b""
        self.lost = False

    def connection_made(self, transport: Any) -> None:
        self.transport: asyncio.Transport = transport
        self.made.append(self)

    def data_received(self, data: bytes) -> None:
        self.data += data

    def connection_lost(self, exc: Exception | None) -> None:
        self.lost = True


class Client:
    """One that sends when the test says so."""

    def __init__(self, context: ssl.SSLContext, port: int) -> None:
        self._incoming, self._outgoing = ssl.MemoryBIO(), ssl.MemoryBIO()
        self.tls = context.wrap_bio(self._incoming, self._outgoing, server_hostname="127.0.0.1")
        self.socket = socket.create_connection(("127.0.0.1", port))
        self.socket.setblocking(False)

    def step(self) -> bytes:
        """What is to be sent next; empty: it waits for the server, or is done."""
        with contextlib.suppress(BlockingIOError):
            self._incoming.write(self.socket.recv(65_536))
        with contextlib.suppress(ssl.SSLWantReadError):
            self.tls.do_handshake()
        return self._outgoing.read()


class Listened:
    def __init__(self, files: SelfSigned) -> None:
        self.context = files.trust()
        sock = socket.create_server(("127.0.0.1", 0))
        self.port = sock.getsockname()[1]
        self.made: list[Secured] = []
        kind = type("OwnSecured", (Secured,), {"made": self.made})
        self.plain = PlainConnections(300)
        self.listener = TlsListener(sock, Certificate(*files.files).context, kind, self.plain, handshake_timeout=60)
        self.turns = self.listener.turns = CountingTurns(STEPS)
        self.listener.start(64)
        self.listens = True
        self.clients: list[Client] = []

    def connect(self) -> Client:
        self.clients.append(Client(self.context, self.port))
        return self.clients[-1]

    async def shake_hands(self, client: Client) -> None:
        def go_on() -> bool:
            client.socket.send(client.step())
            return client.tls.version() is not None

        await until(go_on)

    async def go_on_to(self, steps: int) -> None:
        await until(lambda: self.turns.begun >= steps)

    def end_listening(self) -> None:
        if self.listens:
            self.listens = False
            self.listener.end_listening()
            self.listener.end_handshakes()

    def close(self) -> None:
        self.end_listening()
        for client in self.clients:
            client.socket.close()


@pytest.fixture
async def listened(tmp_path: Path) -> AsyncIterator[Listened]:
    one = Listened(SelfSigned(tmp_path))
    yield one
    one.close()
    await until(lambda: all(secured.lost for secured in one.made))


class TestTurns:
    async def test_turn_goes_on_with_so_many_handshakes_whoever_sends_at_once(self, listened: Listened) -> None:
        clients = [listened.connect() for _ in range(40)]
        await until(lambda: len(listened.plain) == 40)
        for client in clients:
            client.socket.send(client.step())
        counts = []
        while listened.turns.begun < 40:
            before = listened.turns.begun
            await asyncio.sleep(0)
            counts.append(listened.turns.begun - before)
        assert max(counts) <= 2 * STEPS, "those who waited for one turn, and those of the next who need not wait"
        await asyncio.gather(*map(listened.shake_hands, clients))
        await until(lambda: len(listened.made) == 40)

    async def test_hello_in_pieces_is_whole_in_the_end_and_what_follows_is_the_protocols(
        self, listened: Listened
    ) -> None:
        client = listened.connect()
        hello = client.step()
        for place in range(0, len(hello), 100):
            client.socket.send(hello[place : place + 100])
            await listened.go_on_to(1 + place // 100)
        await listened.shake_hands(client)
        client.tls.write(b"and more")
        await asyncio.get_running_loop().sock_sendall(client.socket, client.step())
        await until(lambda: listened.made and listened.made[0].data == b"and more")

    async def test_data_in_one_write_with_the_last_step_arrives(self, listened: Listened) -> None:
        client = listened.connect()
        client.socket.send(client.step())
        steps: list[bytes] = []
        await until(lambda: steps.append(client.step()) or steps[-1])
        client.tls.write(b"at once")
        client.socket.send(steps[-1] + client.step())
        await until(lambda: listened.made and listened.made[0].data == b"at once")


class Tls(asyncio.BufferedProtocol):
    """Notes what it is fed."""

    def __init__(self) -> None:
        self.data = b""
        self._buffer = bytearray(65_536)

    def get_buffer(self, sizehint: int) -> bytearray:
        return self._buffer

    def buffer_updated(self, nbytes: int) -> None:
        self.data += self._buffer[:nbytes]


class TlsTransport(asyncio.Transport):
    """A connection that TLS reads from, and nobody sends on."""

    def __init__(self, protocol: asyncio.BaseProtocol) -> None:
        super().__init__()
        self.protocol = protocol
        self.is_paused = False

    def get_protocol(self) -> asyncio.BaseProtocol:
        return self.protocol

    def set_protocol(self, protocol: asyncio.BaseProtocol) -> None:
        self.protocol = protocol

    def is_closing(self) -> bool:
        return False

    def pause_reading(self) -> None:
        self.is_paused = True

    def resume_reading(self) -> None:
        self.is_paused = False


class TestDone:
    @pytest.mark.parametrize("is_due", [True, False], ids=["turn has come", "turn is to come"])
    async def test_what_waits_for_a_turn_is_fed_at_once_and_who_pauses_then_stays_so(self, is_due: bool) -> None:
        """A socket that goes on being read while TLS is paused is read without a bound."""
        tls, turns = Tls(), Turns(1)
        transport, pace = TlsTransport(tls), PacedHandshake(turns)
        pace.connection_made(transport)
        pace.begin()
        pace.data_received(b"a step, ")
        pace.data_received(b"and data")
        assert (tls.data, transport.is_paused) == (b"a step, ", True)
        if is_due:
            turns._begin()
        pace.end()
        assert (tls.data, transport.protocol, transport.is_paused) == (b"a step, and data", tls, False)
        transport.pause_reading()
        await asyncio.sleep(0)
        await asyncio.sleep(0)
        assert (tls.data, transport.is_paused) == (b"a step, and data", True)


class TestEnds:
    async def test_client_that_goes_while_it_waits_for_its_turn_leaves_its_place(self, listened: Listened) -> None:
        listened.turns.waiting = []
        client = listened.connect()
        client.socket.send(client.step())
        await until(lambda: listened.turns.waiting)
        listened.end_listening()
        await until(lambda: len(listened.plain) == 0)
        for begin in listened.turns.waiting:
            begin()
        assert listened.made == []

    async def test_client_that_ends_before_it_is_done_leaves_its_place(self, listened: Listened) -> None:
        client = listened.connect()
        client.socket.send(client.step())
        await until(lambda: listened.turns.begun == 1)
        client.socket.shutdown(socket.SHUT_WR)
        await until(lambda: len(listened.plain) == 0)

    async def test_what_is_no_tls_ends_its_connection(self, listened: Listened) -> None:
        client = listened.connect()
        client.socket.send(b"GET / HTTP/1.1\r\n\r\n")
        await until(lambda: listened.turns.begun == 1 and len(listened.plain) == 0)
        assert listened.made == []
