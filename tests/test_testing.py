"""The server for test suites, by itself."""

import urllib.request
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest
from awxfast.testing import AwxfastProcess
from servers import HANG
from websockets.exceptions import ConnectionClosed
from websockets.sync.client import connect


async def application(scope: Any, receive: Any, send: Any) -> None:
    """Accepts websockets, and greets all others."""
    if scope["type"] == "websocket":
        await receive()
        await send({"type": "websocket.accept"})
        await receive()
    elif scope["type"] == "http":
        await send({"type": "http.response.start", "status": 200, "headers": []})
        await send({"type": "http.response.body", "body": b"hello"})


@pytest.fixture
def start() -> Iterator[Callable[..., AwxfastProcess]]:
    """Starts one, which ends with the test."""
    started: list[AwxfastProcess] = []

    def start_one(get_application: Callable[[], Any] = lambda: application, **more: Any) -> AwxfastProcess:
        started.append(AwxfastProcess("localhost", get_application, **more))
        started[-1].start()
        return started[-1]

    yield start_one
    for process in started:
        process.kill()
        process.join(HANG)
        process.errors.close()
        process.close()


class TestAwxfastProcess:
    def test_serves_on_a_free_port_between_setup_and_teardown(
        self, start: Callable[..., AwxfastProcess], tmp_path: Path
    ) -> None:
        before, after = tmp_path / "before", tmp_path / "after"
        process = start(setup=before.touch, teardown=after.touch)
        assert process.ready.wait(HANG)
        with urllib.request.urlopen(f"http://localhost:{process.port.value}/", timeout=HANG) as response:
            assert response.read() == b"hello"
        assert before.exists() and not after.exists()
        with connect(f"ws://localhost:{process.port.value}/") as browser:
            process.terminate()
            with pytest.raises(ConnectionClosed, match="1001"):
                browser.recv(HANG)
        process.join(HANG)
        assert (process.exitcode, after.exists()) == (0, True)

    def test_takes_awxfasts_options(self, start: Callable[..., AwxfastProcess]) -> None:
        process = start(options=["--server-name", "of-a-test"])
        assert process.ready.wait(HANG)
        with urllib.request.urlopen(f"http://localhost:{process.port.value}/", timeout=HANG) as response:
            assert response.headers["Server"] == "of-a-test"

    def test_tells_why_it_does_not_serve(self, start: Callable[..., AwxfastProcess]) -> None:
        def fail() -> None:
            raise LookupError("no such application")

        process = start(fail)
        error, text = process.errors.get(timeout=HANG)
        process.join(HANG)
        assert (repr(error), process.exitcode) == ("LookupError('no such application')", 1)
        assert "in fail" in text
        assert not process.ready.is_set()
