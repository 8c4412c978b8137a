"""Other nodes beside a hosted site: awxfast answers them, and the site's consumers get what they send."""

import asyncio
import contextlib
import json
import time
from collections.abc import AsyncIterator

import pytest
from awxfast._rust import sign_secret
from channels_redis.core import RedisChannelLayer
from site_browsers import Start, browser, command, event, receive
from websockets.asyncio.client import ClientConnection, connect
from websockets.exceptions import InvalidStatus

SECRET = "of the site's settings"


@pytest.fixture(autouse=True)
def secret_of_the_site(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("EVENTS_SITE_NODE_SECRET", SECRET)


@contextlib.asynccontextmanager
async def dial(port: int, era: str = "relay") -> AsyncIterator[ClientConnection]:
    headers = {"secret": sign_secret(SECRET, int(time.time()))}
    async with connect(f"ws://127.0.0.1:{port}/websocket/{era}/", additional_headers=headers) as link:
        yield link


def relayed(group: str, text: str) -> str:
    return json.dumps({"group": group, "message": event(text)})


class TestRelayEra:
    async def test_consumer_handles_what_a_node_sends(self, start: Start) -> None:
        port = start()
        async with browser(port) as connection, dial(port) as link:
            await command(connection, "join job_events-1")
            await link.send(relayed("job_events-1", "text"))
            assert await receive(connection) == "handled text"

    async def test_direct_event_of_a_node_bypasses_the_consumer(self, start: Start) -> None:
        port = start("--direct", "internal.message")
        async with browser(port) as connection, dial(port) as link:
            await command(connection, "join job_events-1")
            await link.send(relayed("job_events-1", "text"))
            assert await receive(connection) == "text"

    async def test_link_is_told_of_consumers_groups(self, start: Start) -> None:
        port = start()
        async with browser(port) as connection:
            await command(connection, "join job_events-1")
            async with dial(port) as link:
                assert json.loads(await receive(link))["groups"] == ["job_events-1"]
                await connection.send("fail")
                notice = json.loads(await receive(link))
                assert (notice["type"], notice["groups"]) == ("consumer.unsubscribe", ["job_events-1"])


class TestBroadcastEra:
    async def test_browser_that_asks_for_the_backplanes_group_gets_nothing_of_it(
        self,
        start: Start,
        stock: RedisChannelLayer,
    ) -> None:
        port = start("--direct", "internal.message")
        async with browser(port) as connection, dial(port, "broadcast") as link:
            await command(connection, "join broadcast-group_send")
            await command(connection, "join job_events-1")
            await stock.group_send("broadcast-group_send", event("a copy of every event"))
            assert await receive(link) == "a copy of every event"
            await stock.group_send("job_events-1", event("its own"))
            assert await receive(connection) == "its own"


class TestWhoAnswers:
    @pytest.mark.parametrize("answers", ["application", "off"])
    async def test_option_leaves_it_to_others(self, start: Start, answers: str) -> None:
        port = start("--node-endpoints", answers)
        with pytest.raises(InvalidStatus, match="HTTP 404"):
            async with dial(port):
                pass

    @pytest.mark.parametrize(("answers", "status"), [("native", 426), ("off", 404)])
    async def test_plain_request_is_told_what_the_path_is_for(self, start: Start, answers: str, status: int) -> None:
        port = start("--node-endpoints", answers)
        for era in ("relay", "broadcast"):
            head = await ask_plainly(port, f"/websocket/{era}/")
            assert head.startswith(f"HTTP/1.1 {status} ")
            assert ("\r\nupgrade: websocket\r\n" in head.lower()) is (status == 426)


async def ask_plainly(port: int, path: str) -> str:
    """The head of the answer to a GET, as nginx passes on one without an upgrade."""
    reader, writer = await asyncio.open_connection("127.0.0.1", port)
    writer.write(f"GET {path} HTTP/1.1\r\nHost: a\r\nConnection: close\r\n\r\n".encode())
    answer = await reader.read()
    writer.close()
    await writer.wait_closed()
    return answer.decode("latin-1").partition("\r\n\r\n")[0] + "\r\n"
