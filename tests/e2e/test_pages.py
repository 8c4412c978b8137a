"""The pages, as a person sees them in a real browser."""

import re
import subprocess
import sys
from collections.abc import Iterator

import pytest
from chromium import Chromium
from programs import require_program
from servers import wait_for


@pytest.fixture
def demo() -> Iterator[str]:
    """A running demo; what it printed until its pages could be opened."""
    command = [sys.executable, "-m", "awxfast", "demo", "--seconds", "60"]
    process = subprocess.Popen(command, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True)
    assert process.stdout is not None
    printed = ""
    while "Open http" not in printed:
        line = process.stdout.readline()
        assert line, printed
        printed += line
    yield printed
    process.terminate()
    process.communicate(timeout=30)


@pytest.fixture
def open_page() -> Iterator[object]:
    opened: list[Chromium] = []
    program = require_program("chromium")

    def open_one(url: str) -> Chromium:
        opened.append(Chromium(program, url))
        return opened[-1]

    yield open_one
    for page in opened:
        page.close()


def test_demo_page_shows_live_job_output_and_that_nothing_is_lost(demo: str, open_page) -> None:
    page = open_page(re.search(r"Open (http\S+)", demo)[1])
    wait_for(lambda: page.text("state").startswith("live: ") and int(page.text("received")) >= 20)
    assert "job_events-" in page.text("state")
    assert re.search(r"TASK \[|ok: \[|changed: \[", page.text("output"))
    assert page.evaluate("document.querySelectorAll('#output span[class^=c3]').length") > 0, "colours"
    assert "\u001b" not in page.text("output")
    assert (page.text("missed"), page.text("lost")) == ("0", "0")


def test_status_page_shows_clients_and_balanced_books(demo: str, open_page) -> None:
    page = open_page(re.search(r"status page at (http\S+)", demo)[1])
    wait_for(lambda: "clients" in page.text("tiles").lower())
    wait_for(lambda: re.search(r"\b3\b", page.text("tiles")), seconds=30)
    assert "NaN" not in page.evaluate("document.body.innerText")
