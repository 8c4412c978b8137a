"""Java's own client, which offers HTTP/2 with each request as long as nobody has taken that up."""

import hashlib
import json
import shutil
import subprocess
from dataclasses import dataclass
from pathlib import Path

import pytest
from parity.hosts import HostingServer
from project.documents import DOCUMENT
from servers import HANG

PROGRAM = Path(__file__).with_name("Fetching.java")
LARGE = b"l" * 3_000_000


@dataclass
class Line:
    """What the program tells of one response."""

    version: str
    status: int
    length: int
    text: str


@pytest.fixture(scope="module")
def told(server: HostingServer) -> dict[str, Line]:
    """All responses by name."""
    java = shutil.which("java")
    if java is None or "jdk.compiler" not in list_modules(java):
        pytest.skip("no JDK: apt-get install default-jdk-headless")
    command = [java, "-Xshare:auto", "-XX:TieredStopAtLevel=1", str(PROGRAM), server.url("", "http")]
    done = subprocess.run(command, capture_output=True, text=True, timeout=3 * HANG, check=False)
    assert done.returncode == 0, done.stdout + done.stderr
    lines = (line.split("\t") for line in done.stdout.splitlines())
    return {name: Line(version, int(status), int(length), text) for name, version, status, length, text in lines}


def list_modules(java: str) -> str:
    """A runtime alone can't run a source file."""
    return subprocess.run([java, "--list-modules"], capture_output=True, text=True, timeout=HANG, check=False).stdout


def received(method: str, content: bytes) -> dict[str, object]:
    """What the site tells of a body that it got whole."""
    return {"method": method, "length": len(content), "sha256": hashlib.sha256(content).hexdigest()}


class TestJava:
    def test_all_is_answered_in_http_1_1(self, told: dict[str, Line]) -> None:
        assert {line.version for line in told.values()} == {"HTTP_1_1"}

    @pytest.mark.parametrize(
        ("name", "method", "content"),
        [
            ("small", "POST", b"small"),
            ("large", "PUT", LARGE),
            ("chunked", "POST", LARGE),
            ("asked first", "POST", LARGE),
        ],
    )
    def test_body_arrives_whole(self, told: dict[str, Line], name: str, method: str, content: bytes) -> None:
        assert json.loads(told[name].text) == received(method, content)

    def test_requests_at_the_same_time_have_their_own_answers(self, told: dict[str, Line]) -> None:
        lengths = [json.loads(told[f"many {number}"].text)["length"] for number in range(20)]
        assert lengths == list(range(20))

    @pytest.mark.parametrize(
        ("name", "status", "length"),
        [
            ("head", 200, 0),
            ("nothing", 204, 0),
            ("range", 206, 10),
            ("document", 200, len(DOCUMENT)),
            ("known", 304, 0),
            ("stream", 200, 3_000_000),
        ],
    )
    def test_responses_have_the_bodies_that_they_may(
        self, told: dict[str, Line], name: str, status: int, length: int
    ) -> None:
        assert (told[name].status, told[name].length) == (status, length)

    def test_range_is_the_part_that_was_asked_for(self, told: dict[str, Line]) -> None:
        assert told["range"].text == "abcdefghij"

    def test_events_of_a_stream(self, told: dict[str, Line]) -> None:
        events = "".join(rf"id: {number}\ndata: {number}\n\n" for number in range(3))
        assert told["events"].text == r"retry: 50\n\n" + events

    def test_connection_is_in_step_after_all_of_that(self, told: dict[str, Line]) -> None:
        assert told["lost"].status == 404
        assert told["get again"] == told["get"] and told["get"].status == 200
