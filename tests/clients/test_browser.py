"""A real browser at the site."""

import json
from collections.abc import Iterator
from typing import Any

import pytest
from e2e.chromium import Chromium
from parity.hosts import HostingServer
from programs import require_program
from project.documents import DOCUMENT
from servers import wait_for

FETCH = """
window.told = null;
(async () => {
  const tell = async response => [response.status, (await response.arrayBuffer()).byteLength];
  const received = async body => (await (await fetch("/echo/", {method: "POST", body})).json()).length;
  return {
    document: await tell(await fetch("/document/")),
    again: await tell(await fetch("/document/")),
    range: await tell(await fetch("/document/", {headers: {Range: "bytes=10-29"}, cache: "no-store"})),
    head: await tell(await fetch("/document/", {method: "HEAD", cache: "no-store"})),
    nothing: await tell(await fetch("/nothing/")),
    stream: await tell(await fetch("/download/3000000/", {cache: "no-store"})),
    small: await received("small"),
    large: await received(new Uint8Array(3000000)),
    many: await Promise.all([...Array(20).keys()].map(number => received("x".repeat(number)))),
  };
})().then(told => { window.told = JSON.stringify(told) }, error => { window.told = JSON.stringify(String(error)) });
"""


@pytest.fixture(scope="module")
def page(server: HostingServer) -> Iterator[Chromium]:
    one = Chromium(require_program("chromium"), server.url("/page/", "http"))
    wait_for(lambda: one.evaluate("document.readyState === 'complete' && document.title === 'clients'"))
    yield one
    one.close()


@pytest.fixture(scope="module")
def told(page: Chromium) -> dict[str, Any]:
    """What fetch found, by name: status and bytes, or bytes that the site got."""
    page.evaluate(FETCH)
    found = json.loads(wait_for(lambda: page.evaluate("window.told")))
    assert isinstance(found, dict), found
    return found


class TestPage:
    def test_events_go_on_where_the_stream_broke_off(self, page: Chromium) -> None:
        """A stream has three events; the browser comes again, and says which it had last."""
        assert wait_for(lambda: page.text("events").split()[5:]) == ["5"]
        assert page.text("events").split() == ["0", "1", "2", "3", "4", "5"]

    def test_responses_have_the_bodies_that_they_may(self, told: dict[str, Any]) -> None:
        assert told["document"] == [200, len(DOCUMENT)]
        assert told["range"] == [206, 20]
        assert told["head"] == [200, 0]
        assert told["nothing"] == [204, 0]
        assert told["stream"] == [200, 3_000_000]

    def test_document_that_the_browser_has_is_not_sent_again(self, told: dict[str, Any], server: HostingServer) -> None:
        assert told["again"] == [200, len(DOCUMENT)]
        assert '"GET /document/" 304' in server.access

    def test_bodies_arrive_whole(self, told: dict[str, Any]) -> None:
        assert (told["small"], told["large"]) == (5, 3_000_000)
        assert told["many"] == list(range(20))
