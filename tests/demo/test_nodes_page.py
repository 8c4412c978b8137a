"""The page of the demo's nodes in a real browser, while a node, or a server of the engine, is killed and comes back."""

import re
import signal
import subprocess
from collections.abc import Iterator
from pathlib import Path

import pytest
from chromium import Chromium
from demo.running_demo import RunningDemo
from programs import require_program
from servers import list_children, wait_for

pytestmark = [pytest.mark.long, pytest.mark.timeout(240)]
PROGRAMS = {"redis-cluster": "redis-server", "nats": "nats-server"}
MORE = 30
"""Events that show that a column goes on: some of each job."""
COLUMNS = """[...document.querySelectorAll("main section")].map((one) => ({
    state: one.querySelector("h2 b").textContent,
    received: Number(one.querySelectorAll("p b")[1].textContent),
    missed: Number(one.querySelectorAll("p b")[2].textContent),
    jobs: new Set([...one.querySelectorAll("pre div")].slice(-30).map((line) => line.className)).size,
}))"""


@pytest.fixture(params=PROGRAMS)
def demo(request: pytest.FixtureRequest, tmp_path: Path) -> Iterator[RunningDemo]:
    require_program(PROGRAMS[request.param])
    if request.param == "nats":
        pytest.importorskip("nats")
    running = RunningDemo(tmp_path, "--engine", request.param, "--browsers", "0")
    yield running
    running.process.send_signal(signal.SIGINT)
    running.process.wait(30)


@pytest.fixture
def page(demo: RunningDemo) -> Iterator[Chromium]:
    opened = Chromium(require_program("chromium"), demo.page)
    yield opened
    opened.close()


def columns(page: Chromium) -> list[dict]:
    return page.evaluate(COLUMNS) or []


def wait_until_all_go_on(page: Chromium) -> None:
    """Each column gets more, and has lines of all three jobs among the last."""
    wait_for(lambda: len(columns(page)) == 3)
    before = columns(page)
    wait_for(
        lambda: all(
            now["received"] >= then["received"] + MORE and now["jobs"] == 3
            for now, then in zip(columns(page), before, strict=True)
        )
    )


def test_node_that_is_killed_and_comes_back_costs_the_others_nothing(demo: RunningDemo, page: Chromium) -> None:
    wait_for(lambda: [one["state"] for one in columns(page)] == ["up", "up", "killed"])
    wait_for(lambda: [one["state"] for one in columns(page)] == ["up", "up", "up"])
    wait_until_all_go_on(page)
    assert [one["missed"] for one in columns(page)] == [0, 0, 0]
    assert "NaN" not in page.evaluate("document.body.innerText")


def server_of_the_engine(demo: RunningDemo) -> tuple[int, list[str]]:
    """One of its processes, and what starts it again. Redis has its command line changed: its folder says the rest."""
    for pid in list_children(demo.process.pid):
        command = Path(f"/proc/{pid}/cmdline").read_text().rstrip("\0").split("\0")
        if "--cluster" in command:
            return pid, command
        if command[0].endswith("[cluster]"):
            folder = Path(f"/proc/{pid}/cwd").readlink()
            found = re.search(r":(\d+)@(\d+)\S* myself", (folder / "nodes.conf").read_text())
            assert found is not None
            ports = ("--port", found[1], "--cluster-port", found[2], "--bind", "127.0.0.1")
            return pid, ["redis-server", *ports, "--cluster-enabled", "yes", "--save", "", "--dir", str(folder)]
    raise AssertionError("the demo has no engine")


def test_server_of_the_engine_that_is_killed_and_comes_back(demo: RunningDemo, page: Chromium) -> None:
    wait_until_all_go_on(page)
    pid, command = server_of_the_engine(demo)
    subprocess.run(["kill", "-9", str(pid)], check=True)
    wait_for(lambda: Path(f"/proc/{pid}/stat").read_text().split()[2] == "Z")
    back = subprocess.Popen(command, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
    try:
        wait_until_all_go_on(page)
    finally:
        back.kill()
        back.wait()
