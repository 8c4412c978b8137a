"""A server in this process, in a thread of its own."""

import threading
import urllib.request
from typing import Any

import pytest
from awxfast.errors import StartError
from awxfast.options import parse_settings
from awxfast.process.embedded import EmbeddedServer
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

    def test_port_in_use_is_told_before_anything_runs(self) -> None:
        first = EmbeddedServer(parse_settings(OPTIONS, {}))
        with pytest.raises(StartError, match="Address already in use"):
            EmbeddedServer(parse_settings([*OPTIONS[:3], str(first.port), *OPTIONS[4:]], {}))
        first.stop()
