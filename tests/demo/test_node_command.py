"""`awxfast demo --engine KIND`: three nodes, of which one goes and comes back."""

import json
import re
import signal
import tempfile
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from demo.running_demo import RunningDemo
from main_process import run_to_its_end
from programs import require_program
from servers import HANG, wait_for
from websockets.sync.client import connect

SUMMARY = re.compile(r"demo: events (\d+), frames (\d+), missed (\d+), killed (\d+), p50 (\d+) ms, p99 (\d+) ms")
JOBS = [41, 42, 43]
PROGRAMS = {"redis-cluster": "redis-server", "nats": "nats-server"}


def read_summary(text: str) -> list[int]:
    found = SUMMARY.fullmatch(text.splitlines()[-1])
    assert found, text
    return [int(figure) for figure in found.groups()]


@pytest.fixture
def temporary(monkeypatch: pytest.MonkeyPatch) -> Iterator[Path]:
    """The demo's folder for temporary files, short enough for unix sockets in it; it is looked at afterwards."""
    with tempfile.TemporaryDirectory(prefix="t-") as folder:
        monkeypatch.setenv("TMPDIR", folder)
        yield Path(folder)


@pytest.fixture
def demo(tmp_path: Path, temporary: Path) -> Iterator[RunningDemo]:
    require_program("redis-server")
    running = RunningDemo(tmp_path, "--engine", "redis-cluster", "--browsers", "1")
    yield running
    running.process.kill()
    running.process.wait()


def list_nodes(demo: RunningDemo) -> list[dict[str, Any]]:
    nodes: list[dict[str, Any]] = json.loads(demo.fetch("nodes"))
    return nodes


@pytest.mark.parametrize("kind", PROGRAMS)
def test_it_ends_by_itself_and_browsers_get_the_jobs_of_all_nodes(kind: str) -> None:
    require_program(PROGRAMS[kind])
    if kind == "nats":
        pytest.importorskip("nats")
    done = run_to_its_end("demo", "--engine", kind, "--seconds", "3")
    assert done.returncode == 0, done.stderr
    told = [line for line in done.stderr.splitlines() if f"engine: {kind} at " in line]
    assert {line.partition(": ")[0] for line in told} == {"node-1", "node-2", "node-3"}
    events, frames, missed, killed, half, most = read_summary(done.stdout)
    assert frames > events > 0  # a browser on each node gets its own node's job, and those of the others
    assert (missed, killed) == (0, 0)
    assert half <= most


class TestOneNodeDies:
    def test_it_comes_back_and_no_browser_that_was_there_misses_anything(self, demo: RunningDemo) -> None:
        wait_for(lambda: list_nodes(demo)[2]["state"] == "killed")
        assert [node["state"] for node in list_nodes(demo)[:2]] == ["up", "up"]
        wait_for(lambda: "node-3 is back" in demo.out.read_text())
        (node,) = list_nodes(demo)[2:]
        assert node["state"] == "up"
        with connect(f"ws://127.0.0.1:{node['port']}/websocket/", open_timeout=HANG) as browser:
            browser.send(json.dumps({"groups": {"job_events": JOBS}}))
            missing = {*JOBS}
            while missing:  # its own job's events, and those of the nodes that never went
                missing.discard(json.loads(browser.recv(timeout=HANG)).get("job"))
        demo.process.send_signal(signal.SIGINT)
        assert demo.process.wait(HANG) == 0
        _, _, missed, killed, _, _ = read_summary(demo.out.read_text())
        assert (missed, killed) == (0, 1)


class TestEnd:
    def test_nothing_of_it_is_left(self, demo: RunningDemo, temporary: Path) -> None:
        names = [path.name for path in temporary.iterdir()]
        assert len([name for name in names if name.startswith("awxfast-redis-")]) == 3
        demo.process.send_signal(signal.SIGTERM)
        assert demo.process.wait(HANG) == 0
        assert [*temporary.iterdir()] == []

    def test_its_parts_end_when_it_is_killed(self, demo: RunningDemo) -> None:
        servers = re.search(r"redis-cluster://(\S+)", demo.out.read_text())
        assert servers is not None
        ports = [int(place.rpartition(":")[2]) for place in servers[1].split(",")]
        ports += [node["port"] for node in list_nodes(demo)]
        demo.process.kill()
        demo.process.wait()
        wait_for(lambda: not any(map(is_listening, ports)))


def is_listening(port: int) -> bool:
    return any(f":{port:04X} 00000000:0000 0A" in line for line in Path("/proc/net/tcp").read_text().splitlines())


class TestPage:
    def test_page_needs_nothing_from_elsewhere_and_finds_the_nodes(self, demo: RunningDemo) -> None:
        page = demo.fetch("").decode()
        assert "<title>awxfast demo: three nodes</title>" in page
        assert "http://" not in page and "https://" not in page and "src=" not in page
        nodes = list_nodes(demo)
        assert [(node["name"], node["job"]) for node in nodes] == [("node-1", 41), ("node-2", 42), ("node-3", 43)]
        assert len({node["port"] for node in nodes}) == 3
