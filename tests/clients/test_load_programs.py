"""Programs that make load, wrk and h2load, with a little of it: each request has its own answer, none fails."""

import re
import subprocess
from pathlib import Path

import pytest
from parity.hosts import HostingServer
from programs import require_program
from servers import HANG

CONNECTIONS = "4"
REQUESTS = 200


def run(*command: str) -> str:
    done = subprocess.run(command, capture_output=True, text=True, timeout=4 * HANG, check=False)
    assert done.returncode == 0, done.stdout + done.stderr
    return done.stdout


def run_wrk(server: HostingServer, seconds: int, path: str, *options: str) -> int:
    """How many responses came; wrk has a line for those that were late, wrong or cut."""
    program = require_program("wrk")
    threads = ["--threads", "1", "--connections", CONNECTIONS, "--duration", f"{seconds}s"]
    told = run(program, *threads, "--timeout", f"{HANG:.0f}s", *options, server.url(path, "http"))
    assert "Socket errors" not in told and "Non-2xx" not in told, told
    found = re.search(r"(\d+) requests in", told)
    assert found is not None, told
    return int(found[1])


def run_h2load(server: HostingServer, path: str, *options: str, requests: int = REQUESTS) -> str:
    """What h2load tells of so many requests in HTTP/1.1, all of them answered."""
    program = require_program("h2load", "nghttp2-client")
    counts = ["--h1", "--requests", str(requests), "--clients", CONNECTIONS]
    told = run(program, *counts, *options, server.url(path, "http"))
    assert f"{requests} succeeded, 0 failed, 0 errored, 0 timeout" in told, told
    assert f"status codes: {requests} 2xx" in told
    return told


class TestWrk:
    @pytest.mark.parametrize("path", ["/page/", "/nothing/"])
    def test_every_response_is_good(self, server: HostingServer, path: str) -> None:
        assert run_wrk(server, 1, path) > 0

    def test_requests_may_be_pipelined(self, server: HostingServer, tmp_path: Path) -> None:
        script = tmp_path / "pipeline.lua"
        script.write_text(
            "init = function(args)\n"
            "  local one = wrk.format('GET', '/page/')\n"
            "  local other = wrk.format('POST', '/echo/', nil, 'a body')\n"
            "  both = one .. other .. one\n"
            "end\n"
            "request = function() return both end\n"
        )
        assert run_wrk(server, 1, "/page/", "--script", str(script)) > 0

    @pytest.mark.long
    @pytest.mark.parametrize("path", ["/page/", "/nothing/", "/document/", "/download/300000/", "/events/", "/echo/"])
    def test_every_response_is_good_for_longer(self, server: HostingServer, path: str) -> None:
        assert run_wrk(server, 5, path) > 0


class TestH2load:
    @pytest.mark.parametrize("under_way", ["1", "8"])
    def test_every_response_is_good(self, server: HostingServer, under_way: str) -> None:
        """With 8 under way on each connection they are pipelined."""
        run_h2load(server, "/page/", "--max-concurrent-streams", under_way)

    def test_bodies_are_taken(self, server: HostingServer, tmp_path: Path) -> None:
        (tmp_path / "body").write_bytes(b"b" * 50_000)
        run_h2load(server, "/echo/", "--data", str(tmp_path / "body"))

    def test_documents_are_whole(self, server: HostingServer) -> None:
        told = run_h2load(server, "/document/", requests=20)
        assert f"({20 * 1_024_000}) data" in told, told

    @pytest.mark.long
    @pytest.mark.parametrize("path", ["/page/", "/nothing/", "/download/300000/", "/events/"])
    def test_every_response_of_very_many_is_good(self, server: HostingServer, path: str) -> None:
        run_h2load(server, path, "--max-concurrent-streams", "4", requests=500)
