"""A person at the site: a real browser, through a real nginx that has the files of `deploy/nginx`."""

import asyncio
import json
from collections.abc import Iterator, Sequence
from pathlib import Path

import pytest
from e2e.chromium import Chromium
from environments import AWX_24
from layer_forms import chosen_form, close_layer
from nginx import Nginx
from programs import require_program
from servers import wait_for
from site_process import PASSWORD, Site

PAGES = """
location / {
    proxy_pass http://awxfast;
    proxy_http_version 1.1;
    proxy_set_header Host $http_host;
    proxy_set_header X-Forwarded-For $remote_addr;
    proxy_set_header X-Forwarded-Proto $scheme;
}
"""
"""A site's own location: what is shipped is for websockets."""


@pytest.fixture
def address(site: Site, tmp_path: Path) -> Iterator[str]:
    """Where nginx serves the site, with events on their shortest way."""
    server = site.serve("awxfast", "--proxy-headers", "--direct", "internal.message")
    nginx = Nginx(tmp_path, server.port, PAGES)
    yield nginx.address
    nginx.close()
    server.close()


@pytest.fixture
def page(address: str) -> Iterator[Chromium]:
    one = Chromium(require_program("chromium"), f"http://{address}/live/")
    yield one
    one.close()


def send_event(urls: Sequence[str], stdout: str) -> None:
    """As a process of the site's does it."""

    async def send() -> None:
        layer = chosen_form().new_layer(urls)
        text = json.dumps({"stdout": stdout})
        await layer.group_send("job_events-42", {"type": "internal.message", "text": text, "needs_relay": True})
        await close_layer(layer)

    asyncio.run(send())


@pytest.mark.parametrize("site", [AWX_24], indirect=True)
def test_person_logs_in_sees_events_and_loads_the_page_again(page: Chromium, site_redis: list[str]) -> None:
    wait_for(lambda: page.evaluate("document.readyState === 'complete' && !!document.getElementById('send')"))
    page.evaluate("username.value = 'alice'")
    page.evaluate(f"password.value = '{PASSWORD}'")
    page.evaluate("send.click()")
    wait_for(lambda: page.text("state") == "job_events-42")
    send_event(site_redis, "ok: [zoë]")
    send_event(site_redis, "changed: [web]")
    wait_for(lambda: page.text("output") == "ok: [zoë]\nchanged: [web]\n")
    page.evaluate("location.reload()")
    wait_for(lambda: page.text("state") == "job_events-42" and page.text("output") == "")
    send_event(site_redis, "after the reload")
    wait_for(lambda: page.text("output") == "after the reload\n")
