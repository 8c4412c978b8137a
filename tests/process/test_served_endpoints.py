"""Endpoints of `-e` as an operator gives them: TLS and sockets of systemd, on a server with an application."""

import json
import os
import signal
import socket
import ssl
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

import aiohttp
import pytest
from certificates import SelfSigned
from main_process import MainProcess, run_to_its_end
from servers import wait_for

APPLICATION = """
import json

async def application(scope, receive, send):
    said = json.dumps({name: scope[name] for name in ("scheme", "client", "server")})
    if scope["type"] == "websocket":
        await receive()
        await send({"type": "websocket.accept"})
        await send({"type": "websocket.send", "text": said})
        while (message := await receive())["type"] == "websocket.receive":
            await send({"type": "websocket.send", "text": message["text"]})
    elif scope["type"] == "http":
        await send({"type": "http.response.start", "status": 200, "headers": []})
        await send({"type": "http.response.body", "body": said.encode()})
"""

ACTIVATE = """
import os, sys
os.dup2(int(sys.argv[1]), 3)
os.environ.update(LISTEN_FDS="1", LISTEN_PID=str(os.getpid()), LISTEN_FDNAMES="browsers.socket")
os.execv(sys.executable, [sys.executable, "-m", "awxfast", *sys.argv[2:]])
"""

Start = Callable[..., MainProcess]


@pytest.fixture
def site(tmp_path: Path) -> dict[str, str]:
    """The environment that has the application on its path."""
    (tmp_path / "site_of_test.py").write_text(APPLICATION)
    return {"PYTHONPATH": os.pathsep.join([str(tmp_path), os.environ.get("PYTHONPATH", "")])}


def describe(files: SelfSigned) -> str:
    return f"ssl:0:privateKey={files.private_key}:certKey={files.certificate}:interface=127.0.0.1"


class TestTls:
    async def test_application_knows_scheme_and_addresses(
        self, start: Start, site: dict[str, str], tmp_path: Path
    ) -> None:
        files = SelfSigned(tmp_path)
        server = start("-e", describe(files), "site_of_test:application", environ=site)
        port = server.wait_until_serving()
        connector = aiohttp.TCPConnector(ssl=files.trust(), local_addr=("127.0.0.1", 0))
        async with aiohttp.ClientSession(f"https://127.0.0.1:{port}", connector=connector) as session:
            async with session.get("/") as response:
                assert_described(await response.json(content_type=None), "https", port)
            async with session.ws_connect("/", max_msg_size=0) as browser:
                said = json.loads(await browser.receive_str())
                assert_described(said, "wss", port)
                assert said["client"] == list(browser.get_extra_info("sockname"))
                await browser.send_str("x" * 1_000_000)
                assert await browser.receive_str() == "x" * 1_000_000
        assert server.stop() == 0
        assert "Traceback" not in server.err.read_text()

    def test_renewed_certificate_is_shown_after_hup(self, start: Start, site: dict[str, str], tmp_path: Path) -> None:
        files = SelfSigned(tmp_path)
        server = start("-e", describe(files), "site_of_test:application", environ=site)
        port = server.wait_until_serving()
        assert shown_at(port) == files.certificate.read_text()
        SelfSigned(tmp_path)
        server.signal(signal.SIGHUP)
        wait_for(lambda: shown_at(port) == files.certificate.read_text())

    @pytest.mark.parametrize("check", [[], ["--check"]])
    def test_faulty_file_is_named_in_one_line(self, tmp_path: Path, check: list[str]) -> None:
        files = SelfSigned(tmp_path)
        files.private_key.write_text("no key\n")
        done = run_to_its_end("-v", "0", *check, "-e", describe(files), "--admin", "off", "--auth", "open")
        (line,) = done.stderr.splitlines()
        assert done.returncode == 2
        assert f"privateKey={files.private_key}: there is no key in it" in line


def assert_described(said: dict[str, Any], scheme: str, port: int) -> None:
    assert said["scheme"] == scheme
    assert said["server"] == ["127.0.0.1", port]
    assert said["client"][0] == "127.0.0.1"


def shown_at(port: int) -> str:
    return ssl.get_server_certificate(("127.0.0.1", port))


class TestSystemd:
    @pytest.mark.parametrize("which", ["index=0", "name=browsers.socket"])
    def test_passed_socket_is_served(self, tmp_path: Path, site: dict[str, str], which: str) -> None:
        with socket.create_server(("127.0.0.1", 0)) as passed:
            words = [str(passed.fileno()), "-e", f"systemd:domain=INET:{which}", "site_of_test:application"]
            command = [sys.executable, "-c", ACTIVATE, *words]
            server = MainProcess(tmp_path, command=command, environ=site, pass_fds=[passed.fileno()])
            port = server.wait_until_serving()
            assert port == passed.getsockname()[1]
            with socket.create_connection(("127.0.0.1", port)) as client:
                client.sendall(b"GET / HTTP/1.1\r\nHost: a\r\nConnection: close\r\n\r\n")
                answer = b"".join(iter(lambda: client.recv(65536), b""))
            assert answer.startswith(b"HTTP/1.1 200 ")
            assert server.stop() == 0

    def test_socket_that_was_not_passed(self) -> None:
        done = run_to_its_end("-v", "0", "-e", "systemd:domain=INET:index=0", "--admin", "off", "--auth", "open")
        assert done.returncode == 2
        assert "systemd has passed 0 sockets, none with index 0; start the .socket unit" in done.stderr

    def test_socket_of_another_domain(self, tmp_path: Path) -> None:
        with socket.create_server(("127.0.0.1", 0)) as passed:
            words = [str(passed.fileno()), "-e", "systemd:domain=INET6:index=0", "--admin", "off", "--auth", "open"]
            command = [sys.executable, "-c", ACTIVATE, *words]
            server = MainProcess(tmp_path, command=command, pass_fds=[passed.fileno()])
            assert server.wait() == 2
            assert "the socket is of another domain" in server.err.read_text()
