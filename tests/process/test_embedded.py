"""A server in this process, in a thread of its own."""

import socket
import threading
import urllib.request
from pathlib import Path
from typing import Any

import pytest
from awxfast.errors import StartError
from awxfast.options import parse_settings
from awxfast.process.embedded import EmbeddedServer
from certificates import SelfSigned
from servers import HANG

OPTIONS = ["--bind", "127.0.0.1", "--port", "0", "--access-log", "/dev/null", "site:application"]


async def application(scope: Any, receive: Any, send: Any) -> None:
    if scope["type"] != "http":
        raise ValueError("only plain requests are served here")
    await send({"type": "http.response.start", "status": 200, "headers": []})
    await send({"type": "http.response.body", "body": b"hello"})


class TestEmbeddedServer:
    def test_serves_until_it_is_stopped(self) -> None:
        server, serving = EmbeddedServer(parse_settings(OPTIONS, {})), threading.Event()
        thread = threading.Thread(target=server.run, args=(application, None, serving.set))
        thread.start()
        assert serving.wait(HANG)
        with urllib.request.urlopen(f"http://127.0.0.1:{server.port}/", timeout=HANG) as response:
            assert response.read() == b"hello"
        server.stop()
        thread.join(HANG)
        assert not thread.is_alive()

    def test_admin_listener_when_it_is_asked_for(self, tmp_path: Path) -> None:
        path = tmp_path / "admin"
        server, serving = EmbeddedServer(parse_settings(OPTIONS, {"AWXFAST_ADMIN": str(path)})), threading.Event()
        thread = threading.Thread(target=server.run, args=(application, None, serving.set))
        thread.start()
        assert serving.wait(HANG)
        with socket.socket(socket.AF_UNIX) as client:
            client.connect(str(path))
            client.sendall(b"GET /readyz HTTP/1.1\r\nHost: localhost\r\nConnection: close\r\n\r\n")
            assert client.recv(65536).startswith(b"HTTP/1.1 200 ")
        server.stop()
        thread.join(HANG)
        assert not path.exists()

    def test_tls(self, tmp_path: Path) -> None:
        files = SelfSigned(tmp_path)
        endpoint = f"ssl:0:privateKey={files.private_key}:certKey={files.certificate}:interface=127.0.0.1"
        server, serving = EmbeddedServer(parse_settings(["-e", endpoint, *OPTIONS[4:]], {})), threading.Event()
        thread = threading.Thread(target=server.run, args=(application, None, serving.set))
        thread.start()
        assert serving.wait(HANG)
        url = f"https://127.0.0.1:{server.port}/"
        with urllib.request.urlopen(url, timeout=HANG, context=files.trust()) as response:
            assert response.read() == b"hello"
        server.stop()
        thread.join(HANG)

    def test_port_in_use_is_told_before_anything_runs(self) -> None:
        first = EmbeddedServer(parse_settings(OPTIONS, {}))
        with pytest.raises(StartError, match="Address already in use"):
            EmbeddedServer(parse_settings([*OPTIONS[:3], str(first.port), *OPTIONS[4:]], {}))
        first.stop()
