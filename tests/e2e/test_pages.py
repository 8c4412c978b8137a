"""The pages, as a person sees them in a real browser."""

import re
import subprocess
import sys
from collections.abc import Iterator

import pytest
from awxfast import __version__
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
    wait_for(lambda: page.text("state") == "live" and int(page.text("received") or 0) >= 20)
    assert all(re.fullmatch(r"\d+\.\d", page.text(share)) for share in ("p50", "p99"))
    assert re.search(r"TASK \[|ok: \[|changed: \[", page.text("output"))
    assert page.evaluate("document.querySelectorAll('#output span[class^=c3]').length") > 0, "colours"
    assert "\u001b" not in page.text("output")
    assert (page.text("missed"), page.text("lost")) == ("0", "0")


@pytest.mark.parametrize(("width", "lines"), [(1280, 1), (400, 2)])
def test_demo_page_fits_and_its_header_is_low(demo: str, open_page, width: int, lines: int) -> None:
    page = open_page(re.search(r"Open (http\S+)", demo)[1])
    page.resize(width, 800)
    wait_for(lambda: int(page.evaluate("received") or 0) >= 20)
    assert page.evaluate("document.documentElement.scrollWidth") == width
    assert page.evaluate("document.querySelector('header').clientHeight") < (lines + 1) * 24
    assert page.evaluate(CLIPPED) == []


CLIPPED = """[...document.querySelectorAll("header *, p, pre div")].filter((one) => {
    const box = one.getBoundingClientRect();
    return box.width && (box.left < 0 || box.right > innerWidth);
}).map((one) => one.textContent)"""
"""What stands beyond the window's edges."""


@pytest.mark.parametrize("width", [1280, 400])
def test_demo_page_is_aligned_and_no_heading_breaks(demo: str, open_page, width: int) -> None:
    page = open_page(re.search(r"Open (http\S+)", demo)[1])
    page.resize(width, 300)
    page.call("Page.reload")
    wait_for(lambda: page.evaluate("output.scrollHeight > output.clientHeight + 100"), seconds=30)
    assert len(set(page.evaluate(LEFT_EDGES))) == 1
    assert len(set(page.evaluate(BASELINES))) == 1
    assert page.evaluate(BROKEN) == []


LEFT_EDGES = """["h1", "#state", "#output div"]
    .map((one) => document.querySelector(one).getBoundingClientRect().left)"""
BASELINES = """[element(innerWidth > 900 ? "status" : "p50").closest("a, span"), element("lost").closest("span")]
    .map((one) => Math.round(one.getBoundingClientRect().bottom))"""
"""Of what stands on one line of the header."""
BROKEN = """[...output.children].filter((row) => {
    const lines = row.clientHeight / parseFloat(getComputedStyle(output).lineHeight);
    return /\\*{3}|failed=/.test(row.textContent) && lines > 1.5;
}).map((row) => row.textContent)"""
"""Headings and rows of the recap that take more than one line."""


def test_demo_page_follows_its_output_when_the_window_narrows(demo: str, open_page) -> None:
    page = open_page(re.search(r"Open (http\S+)", demo)[1])
    page.resize(1280, 300)
    wait_for(lambda: page.evaluate("output.scrollHeight > output.clientHeight + 300"), seconds=30)
    page.resize(400, 300)
    assert wait_for(lambda: page.evaluate("innerWidth") == 400)
    wait_for(lambda: page.evaluate("output.scrollTop + output.clientHeight >= output.scrollHeight - 40"))
    assert page.evaluate(BROKEN) == []


@pytest.mark.parametrize("width", [1280, 400])
def test_columns_of_the_status_page_are_aligned(demo: str, open_page, width: int) -> None:
    page = open_page(re.search(r"status page at (http\S+)", demo)[1])
    page.resize(width, 800)
    wait_for(lambda: page.text("state") == "ready")
    edges = page.evaluate("""[...document.querySelectorAll("#losses td:nth-child(2), #totals td:nth-child(2)")]
        .map((cell) => cell.getBoundingClientRect().right)""")
    assert len(edges) > 4
    assert len(set(edges)) == 1


@pytest.mark.parametrize("page_name", ["Open", "status page at"])
def test_pages_are_light_where_the_browser_is_and_dark_where_it_is_dark(demo: str, open_page, page_name: str) -> None:
    page = open_page(re.search(rf"{page_name} (http\S+)", demo)[1])
    wait_for(lambda: page.text("state"))
    grounds = []
    for scheme in ("light", "dark"):
        page.prefer(scheme)
        grounds.append(page.evaluate("getComputedStyle(document.body).backgroundColor"))
    assert grounds == ["rgb(255, 255, 255)", "rgb(24, 24, 24)"]


def test_status_page_says_which_process_it_is_of(demo: str, open_page) -> None:
    page = open_page(re.search(r"status page at (http\S+)", demo)[1])
    wait_for(lambda: page.text("state") == "ready")
    address = re.search(r"relay at (\S+),", demo)[1]
    redis = re.search(r"Redis at (\S+),", demo)[1]
    assert page.text("version") == __version__
    assert re.fullmatch(rf"ready · up (\d+ min )?\d+ s · listens at {address} · Redis at {redis}", page.text("about"))


def test_status_page_shows_clients_and_balanced_books(demo: str, open_page) -> None:
    page = open_page(re.search(r"status page at (http\S+)", demo)[1])
    wait_for(lambda: "clients" in page.text("tiles").lower())
    wait_for(lambda: re.search(r"\b3\b", page.text("tiles")), seconds=30)
    assert "NaN" not in page.evaluate("document.body.innerText")
