"""The same events, byte for byte, through client libraries that none of us wrote."""

import json
from collections.abc import AsyncIterator, Callable

import aiohttp
import pytest
from browsers import Browser, close_browsers, command, open_browser
from events import event_text
from producers import Producer
from servers import AwxfastServer
from websockets.asyncio.client import connect

GROUP = "job_events-1"
COUNT = 200


async def texts_by_websockets(url: str) -> AsyncIterator[str]:
    async with connect(url) as websocket:
        await websocket.send(command([GROUP]))
        async for message in websocket:
            assert isinstance(message, str)
            yield message


async def texts_by_aiohttp(url: str) -> AsyncIterator[str]:
    async with aiohttp.ClientSession() as session, session.ws_connect(url) as websocket:
        await websocket.send_str(command([GROUP]))
        async for message in websocket:
            assert message.type is aiohttp.WSMsgType.TEXT
            yield message.data


@pytest.mark.parametrize("read", [texts_by_websockets, texts_by_aiohttp])
async def test_library_gets_replies_and_events_as_they_were_sent(
    relay: AwxfastServer, new_producer: Callable[..., Producer], read: Callable[[str], AsyncIterator[str]]
) -> None:
    producer = new_producer(5, 0, "--on-demand")
    texts = read(relay.url)
    assert json.loads(await anext(texts)) == {"accept": True, "user": 0}
    reply = '{"groups_current": ["job_events-1"], "groups_left": [], "groups_joined": ["job_events-1"]}'
    assert await anext(texts) == reply
    for number in range(COUNT):
        producer.send(GROUP, number)
    for number in range(COUNT):
        assert await anext(texts) == event_text(5, number, GROUP)
    await texts.aclose()  # type: ignore[attr-defined]


async def test_picows_gets_them_too(relay: AwxfastServer, new_producer: Callable[..., Producer]) -> None:
    browser: Browser = await open_browser(relay.url, [GROUP])
    producer = new_producer(5, 0, "--on-demand")
    for number in range(COUNT):
        producer.send(GROUP, number)
    await browser.until(lambda: browser.events == COUNT)
    assert (browser.out_of_order, browser.altered) == (0, 0)
    await close_browsers([browser])
