"""`awxfast demo` as somebody runs it who has just installed awxfast."""

import json
import re
import signal
import urllib.request
from collections.abc import Iterator
from pathlib import Path

import pytest
from demo.running_demo import RunningDemo
from main_process import run_to_its_end
from servers import HANG, wait_for
from websockets.sync.client import connect

SUMMARY = re.compile(r"demo: events (\d+), frames (\d+), lost (\d+), p50 (\d+) ms, p99 (\d+) ms")


def read_summary(text: str) -> list[int]:
    found = SUMMARY.fullmatch(text.splitlines()[-1])
    assert found, text
    return [int(figure) for figure in found.groups()]


@pytest.fixture
def demo(tmp_path: Path) -> Iterator[RunningDemo]:
    running = RunningDemo(tmp_path, "--browsers", "1")
    yield running
    running.process.kill()
    running.process.wait()


class TestSummary:
    def test_it_ends_by_itself_and_nothing_is_lost(self) -> None:
        done = run_to_its_end("demo", "--seconds", "3")
        assert (done.returncode, done.stderr) == (0, "")
        events, frames, lost, half, most = read_summary(done.stdout)
        assert events > 0
        assert frames > events  # three browsers, one of which looks at one job only
        assert lost == 0
        assert half <= most

    def test_without_browsers_there_are_no_frames(self) -> None:
        done = run_to_its_end("demo", "--seconds", "1", "--browsers", "0")
        _, *rest = read_summary(done.stdout)
        assert (done.returncode, rest) == (0, [0, 0, 0, 0])

    @pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM])
    def test_ctrl_c_ends_it_well(self, demo: RunningDemo, number: signal.Signals) -> None:
        demo.process.send_signal(number)
        assert demo.process.wait(HANG) == 0
        assert read_summary(demo.out.read_text())[2] == 0
        assert demo.err.read_text() == ""

    def test_nothing_of_it_is_left(self, demo: RunningDemo) -> None:
        folder = Path(re.search(r"unix://(\S+)/redis.sock", demo.out.read_text())[1])  # type: ignore[index]
        assert folder.exists()
        demo.process.send_signal(signal.SIGINT)
        demo.process.wait(HANG)
        assert not folder.exists()

    def test_its_parts_end_when_it_is_killed(self, demo: RunningDemo) -> None:
        port = json.loads(demo.fetch("config"))["port"]
        demo.process.kill()
        demo.process.wait()
        wait_for(lambda: not_listening(port))


def not_listening(port: int) -> bool:
    listening = Path("/proc/net/tcp").read_text().splitlines()
    return not any(f":{port:04X} 00000000:0000 0A" in line for line in listening)


class TestPage:
    def test_page_needs_nothing_from_elsewhere(self, demo: RunningDemo) -> None:
        page = demo.fetch("").decode()
        assert "<title>awxfast demo</title>" in page
        assert "http://" not in page and "https://" not in page and "src=" not in page

    def test_page_finds_the_relay_and_gets_job_output(self, demo: RunningDemo) -> None:
        config = json.loads(demo.fetch("config"))
        with connect(f"ws://127.0.0.1:{config['port']}/websocket/", open_timeout=HANG) as browser:
            assert json.loads(browser.recv(timeout=HANG)) == {"accept": True, "user": 0}
            browser.send(json.dumps({"groups": {"job_events": [config["jobs"][0]], "jobs": ["status_changed"]}}))
            messages = (json.loads(browser.recv(timeout=HANG)) for _ in range(1000))
            event = next(message for message in messages if message.get("group_name") == "job_events")
        assert event["job"] == config["jobs"][0]
        assert event["stdout"]

    def test_ledger_stands_beside_the_page(self, demo: RunningDemo) -> None:
        assert json.loads(demo.fetch("ledger"))["balance"] == {"events": 0, "frames": 0}

    def test_status_page_is_linked(self, demo: RunningDemo) -> None:
        url = json.loads(demo.fetch("config"))["status"]
        with urllib.request.urlopen(url, timeout=HANG) as answer:
            assert b"<title>awxfast</title>" in answer.read()
