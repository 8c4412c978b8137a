"""Connections to a TLS listener until their handshake is done."""

import asyncio
import socket
from collections.abc import AsyncIterator, Callable
from pathlib import Path
from typing import cast

import pytest
from awxfast.http import tls_listener
from awxfast.http.fair_share import FairShare
from awxfast.http.listening import Listening
from awxfast.http.plain_connections import PlainConnections
from awxfast.http.tls import Certificate
from awxfast.http.tls_listener import TlsListener
from certificates import SelfSigned
from serving import Serving, Start, until

Listen = Callable[..., tuple[TlsListener, int]]


@pytest.fixture
def files(tmp_path: Path) -> SelfSigned:
    return SelfSigned(tmp_path)


@pytest.fixture
async def listen(files: SelfSigned) -> AsyncIterator[Listen]:
    """Starts a listener; its port comes with it."""
    listeners = []

    def start(plain: PlainConnections, share: FairShare | None = None) -> tuple[TlsListener, int]:
        sock, context = socket.create_server(("127.0.0.1", 0)), Certificate(*files.files).context
        listener = TlsListener(sock, context, asyncio.Protocol, plain, handshake_timeout=60, share=share)
        listener.start(64)
        listeners.append(listener)
        return listener, sock.getsockname()[1]

    yield start
    for listener in listeners:
        listener.end_listening()
        listener.end_handshakes()
    await asyncio.sleep(0)


def dial(port: int, count: int) -> list[socket.socket]:
    return [socket.create_connection(("127.0.0.1", port)) for _ in range(count)]


def is_ended(connection: socket.socket) -> bool:
    connection.setblocking(False)
    try:
        return connection.recv(1) == b""
    except BlockingIOError:
        return False
    except ConnectionResetError:
        return True


class Share:
    """Says what the test wants, in place of the core; `accepted` are those that it was told of."""

    def __init__(self, *seconds: float) -> None:
        self.seconds = list(seconds)
        self.accepted = self.deserted = 0
        self.balance = self

    def publish(self) -> None:
        pass

    def wait_time(self) -> float:
        return self.seconds.pop(0) if self.seconds else 0.0

    def note_accepted(self) -> None:
        self.accepted += 1

    def note_nobody(self) -> None:
        self.deserted += 1


class TestShare:
    async def test_who_is_another_processs_waits_in_the_kernel(self, listen: Listen) -> None:
        share, plain = Share(0.0, 0.01, 0.01), PlainConnections(30)
        _, port = listen(plain, cast(FairShare, share))
        connections = dial(port, 3)
        await until(lambda: share.accepted == 3)
        assert share.seconds == []
        assert len(plain) == 3
        assert share.deserted == 0
        for one in connections:
            one.close()

    async def test_it_is_told_where_another_has_accepted_whoever_waited(self, listen: Listen) -> None:
        share = Share(*[0.05] * 1000)
        listener, port = listen(PlainConnections(30), cast(FairShare, share))
        (one,) = dial(port, 1)
        await until(lambda: len(share.seconds) < 1000)
        with socket.socket(fileno=socket.dup(listener._sock.fileno())) as other:
            other.accept()[0].close()
        await until(lambda: share.deserted == 1)
        assert share.accepted == 0
        one.close()


class TestPlaces:
    async def test_silent_ones_have_the_places_of_tls_and_the_first_goes(self, listen: Listen) -> None:
        plain = PlainConnections(9)
        _, port = listen(plain)
        first, *others = dial(port, 3)
        await until(lambda: len(plain) == 3)
        (newcomer,) = dial(port, 1)
        await until(lambda: is_ended(first))
        assert not any(is_ended(one) for one in (*others, newcomer))
        assert len(plain) == 3
        for one in (first, *others, newcomer):
            one.close()
        await until(lambda: len(plain) == 0)

    async def test_those_that_come_when_all_is_taken_wait(
        self, listen: Listen, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        """Else a burst of honest clients would push each other out amid their handshakes."""
        monkeypatch.setattr(tls_listener, "HANDSHAKE_SECONDS", 3_600)
        plain = PlainConnections(9)
        _, port = listen(plain)
        connections = dial(port, 12)
        await until(lambda: is_ended(connections[0]))
        await asyncio.sleep(0.05)
        assert [is_ended(one) for one in connections] == [True] + 11 * [False]
        for one in connections:
            one.close()

    async def test_lone_newcomer_in_the_reserve_may_be_a_node(self, listen: Listen, files: SelfSigned) -> None:
        plain = PlainConnections(9, reserve=0)
        _, port = listen(plain)
        _, writer = await asyncio.open_connection("127.0.0.1", port, ssl=files.trust())
        writer.transport.abort()

    async def test_all_shake_hands_where_there_are_places(self, listen: Listen, files: SelfSigned) -> None:
        plain = PlainConnections(300)
        _, port = listen(plain)
        opened = await asyncio.gather(
            *(asyncio.open_connection("127.0.0.1", port, ssl=files.trust()) for _ in range(50))
        )
        for _, writer in opened:
            writer.transport.abort()
        await until(lambda: len(plain) == 0)
        assert plain.ended["idle"] == 0


class TestDescriptors:
    async def test_listener_without_any_neither_spins_nor_ends(
        self, listen: Listen, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        tries = 0

        def accept(sock: socket.socket) -> tuple[socket.socket, object]:
            nonlocal tries
            tries += 1
            raise OSError(24, "Too many open files")

        plain = PlainConnections(9)
        _, port = listen(plain)
        with monkeypatch.context() as patched:
            patched.setattr(socket.socket, "accept", accept)
            (connection,) = dial(port, 1)
            await until(lambda: tries == 2)
        await until(lambda: len(plain) == 1)
        connection.close()


class TestStop:
    async def test_handshakes_that_are_under_way_end(self, start: Start, files: SelfSigned) -> None:
        serving: Serving = await start(certificate=Certificate(*files.files))
        (connection,) = dial(serving.port, 1)
        await until(lambda: len(serving.server.plain) == 1)
        await serving.stop()
        await until(lambda: is_ended(connection))
        connection.close()
        with pytest.raises(ConnectionRefusedError):
            dial(serving.port, 1)


class TestHandOver:
    """Nobody is accepted in the process that is to be left, so that it comes to rest."""

    async def test_handshake_that_is_under_way_is_waited_for_and_a_connection_without_a_request_is_not(
        self, start: Start, files: SelfSigned
    ) -> None:
        serving: Serving = await start(certificate=Certificate(*files.files))
        (connection,) = dial(serving.port, 1)
        await until(lambda: len(serving.server.plain) == 1)
        serving.server.end_listening()
        assert not serving.server.is_quiet
        reader, writer = await asyncio.open_connection(sock=connection, ssl=files.trust(), server_hostname="localhost")
        await until(lambda: serving.server.carries and serving.server.is_quiet)
        assert serving.server.list_idle() == []
        writer.write(b"GET /nowhere HTTP/1.1\r\nHost: localhost\r\n\r\n")
        assert b" 404 " in await reader.readline()
        writer.transport.abort()

    async def test_one_that_is_not_done_by_then_is_cut_off(self, start: Start, files: SelfSigned) -> None:
        serving: Serving = await start(certificate=Certificate(*files.files))
        (connection,) = dial(serving.port, 1)
        await until(lambda: len(serving.server.plain) == 1)
        serving.server.end_listening()
        serving.server.begin_leaving([])
        await until(lambda: is_ended(connection))
        connection.close()

    async def test_those_that_come_to_nothing_leave_nothing(self, start: Start, files: SelfSigned) -> None:
        certificate = Certificate(*files.files)
        serving: Serving = await start(certificate=certificate)
        for _ in range(3):
            again = serving.sock.dup()
            serving.server.end_listening()
            serving.sock = again
            await serving.server.listen([Listening(again, certificate=certificate)])
        assert serving.server._accepting._shaking == []
        assert serving.server._accepting._certificates == [certificate]
        reader, writer = await asyncio.open_connection("127.0.0.1", serving.port, ssl=files.trust())
        writer.write(b"GET /nowhere HTTP/1.1\r\nHost: localhost\r\n\r\n")
        assert b" 404 " in await reader.readline()
        writer.transport.abort()
