"""TLS towards peers: verified unless told otherwise, and the failure said in words."""

import asyncio
import contextlib
import ssl
from collections.abc import AsyncIterator
from pathlib import Path
from typing import Any

import pytest
from awxfast.broadcast.dial_attempt import Caller, DialError, tls_context
from awxfast.broadcast.dialled_link import DialledLink
from awxfast.broadcast.era import Era
from awxfast.broadcast.link_counts import LinkCounts
from awxfast.broadcast.target import Target
from awxfast.errors import ConfigurationError
from certificates import SelfSigned
from peer_server import HANG, PeerServer


class Taker:
    def receive_text(self, payload: bytes) -> None:
        """Nothing is sent here."""


@pytest.fixture
def certificate(tmp_path: Path) -> tuple[Path, Path]:
    files = SelfSigned(tmp_path)
    return files.certificate, files.private_key


@pytest.fixture
async def server(certificate: tuple[Path, Path]) -> AsyncIterator[PeerServer]:
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.load_cert_chain(*certificate)
    server = PeerServer(context)
    await server.start()
    yield server
    await server.stop()


async def dial(host: str, port: int, tls: ssl.SSLContext | None, protocol: str = "https") -> None:
    """Links and closes. Raises `DialError`."""
    caller = Caller(protocol, lambda: "secret", tls)
    link = await caller.dial(
        Target.of(protocol, host, port), Era.RELAY, lambda redis: DialledLink(Taker(), LinkCounts(), redis)
    )
    link.close()
    await link.wait_closed()


async def failure_of(*arguments: Any) -> Any:
    with pytest.raises(DialError) as refusal:
        await dial(*arguments)
    return refusal.value.failure


class TestCertificates:
    @pytest.mark.parametrize("host", ["localhost", "127.0.0.1"])
    async def test_one_that_is_trusted_and_for_this_name_is_taken(
        self, server: PeerServer, certificate: tuple[Path, Path], host: str
    ) -> None:
        await dial(host, server.port, tls_context(True, str(certificate[0])))
        assert server.requests[0].headers["host"] == f"{host}:{server.port}"

    async def test_one_that_nobody_vouches_for_is_refused(self, server: PeerServer) -> None:
        failure = await failure_of("localhost", server.port, tls_context(True, None))
        assert failure.kind == "certificate"
        assert "--ca-file" in failure.text
        assert not server.requests

    async def test_one_for_another_name_is_refused(
        self, server: PeerServer, certificate: tuple[Path, Path], monkeypatch: pytest.MonkeyPatch
    ) -> None:
        monkeypatch.setattr(Target, "certificate_name", "web-1.example")
        failure = await failure_of("localhost", server.port, tls_context(True, str(certificate[0])))
        assert failure.kind == "certificate"

    async def test_nobody_looks_when_told_not_to(self, server: PeerServer) -> None:
        await dial("127.0.0.1", server.port, tls_context(False, None))

    def test_file_without_certificates_is_named(self, tmp_path: Path) -> None:
        file = tmp_path / "ca.pem"
        file.write_text("no certificate")
        with pytest.raises(ConfigurationError, match=r"ca\.pem"):
            tls_context(True, str(file))


class TestAddresses:
    @pytest.mark.parametrize("host", ["::1", "::1%lo"])
    async def test_ipv6_with_and_without_a_zone(self, host: str) -> None:
        server = PeerServer(host="::1")
        try:
            await server.start()
        except OSError:
            await server.stop()
            pytest.skip("this machine has no IPv6")
        await dial(host, server.port, None, "http")
        assert server.requests[0].headers["host"] == f"[::1]:{server.port}"
        await server.stop()


class TestWrongProtocol:
    async def test_https_to_a_plain_peer(self) -> None:
        plain = PeerServer()
        await plain.start()
        failure = await failure_of("127.0.0.1", plain.port, tls_context(True, None))
        await plain.stop()
        assert failure.kind == "tls"
        assert "--protocol" in failure.text

    async def test_http_to_a_peer_with_tls(self, server: PeerServer) -> None:
        failure = await failure_of("127.0.0.1", server.port, None, "http")
        assert failure.kind in ("not_http", "hung_up")
        assert not server.requests


class TestEndlessAnswers:
    @pytest.mark.parametrize(
        "begin", [b"HTTP/1.1 101 Switching Protocols\r\n", b"HTTP/1.1 503 Busy\r\n", b"", b"HTTP/1.1 101 S\r\nX: "]
    )
    @pytest.mark.parametrize("piece", [b"a: b\r\n", b"x"])
    async def test_head_without_an_end_is_cut_off_at_its_limit(self, begin: bytes, piece: bytes) -> None:
        """picows has 16 KiB for a head; what else was written is in the kernel's buffers."""
        written: asyncio.Future[int] = asyncio.get_running_loop().create_future()

        async def answer(_: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
            count = 0
            with contextlib.suppress(OSError):
                writer.write(begin)
                while True:
                    writer.write(piece * 10_000)
                    await writer.drain()
                    count += 10_000 * len(piece)
            written.set_result(count)

        server = await asyncio.start_server(answer, "127.0.0.1", 0)
        async with asyncio.timeout(HANG):
            failure = await failure_of("127.0.0.1", server.sockets[0].getsockname()[1], None, "http")
            assert await written < 32 * 1024 * 1024
        assert failure.kind == "not_http"
        server.close()
        await server.wait_closed()
