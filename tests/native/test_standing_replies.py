"""Browsers that do not take their replies: no more are made for them, and they go when they take nothing at all."""

import asyncio
import json

import pytest
from raw_browser import RawBrowser, open_browser, subscribe, subscription
from serving import Start, until


class TestStandingReplies:
    async def test_client_that_does_not_read_its_replies_is_not_served_further(self, start: Start) -> None:
        serving = await start(fanout={"send_buffer": 8192})
        browser = await RawBrowser.open(serving.address, receive_buffer=4096)
        browser.reader._transport.pause_reading()  # type: ignore[attr-defined]
        for _ in range(3000):
            browser.send(subscription({"jobs": ["x" * 80 + str(n) for n in range(50)]}))
        await until(lambda: serving.fanout.ledger()["frames"]["pending"] > 0)
        (connection,) = serving.server._clients
        await until(lambda: not connection.is_reading)
        served = serving.fanout.ledger()["frames"]["queued"]
        await asyncio.sleep(0.1)
        assert serving.fanout.ledger()["frames"]["queued"] - served <= 1
        assert serving.fanout.ledger()["frames"]["pending"] <= 2
        browser.reset()
        await until(lambda: serving.server.clients == 0)

    async def test_switch_of_1000_groups_with_long_names_gets_its_reply_of_300_kb(self, start: Start) -> None:
        """In one frame past the bound on what a client leaves unread."""
        serving = await start(fanout={"send_buffer": 8192, "reply_bytes": 262_144})
        browser = await RawBrowser.open(serving.address, receive_buffer=4096)
        assert "accept" in await browser.read_text()
        for kind in ("a", "b"):
            browser.send(subscription({kind: ["x" * 91 + f"{number:04}" for number in range(1000)]}))
            reply = await browser.read_text()
            assert len(json.loads(reply)["groups_current"]) == 1000
        assert len(reply) > 300_000
        assert await subscribe(browser, {"jobs": ["summary"]})
        await browser.close()

    async def test_client_that_takes_nothing_of_one_reply_of_300_kb_is_closed_with_1008(
        self, start: Start, caplog: pytest.LogCaptureFixture
    ) -> None:
        """It never asks for anything else, so that no later reply would tell."""
        serving = await start(fanout={"send_buffer": 8192, "reply_bytes": 262_144}, close_timeout=0.1)
        mute = await RawBrowser.open(serving.address, receive_buffer=4096)
        assert "accept" in await mute.read_text()
        for kind in ("a", "b"):
            mute.send(subscription({kind: ["x" * 91 + f"{number:04}" for number in range(1000)]}))
            if kind == "a":
                await mute.read_text()
        mute.reader._transport.pause_reading()  # type: ignore[attr-defined]
        await until(lambda: serving.server.closes.get(("server", 1008)) == 1)
        await until(lambda: serving.server.clients == 0)
        assert " with 1008: replies are not read" in caplog.text
        await until(lambda: serving.fanout.ledger()["frames"]["pending"] == 0)
        mute.reset()

    async def test_client_that_leaves_a_large_reply_unread_is_closed_with_1008_and_others_lose_nothing(
        self, start: Start, caplog: pytest.LogCaptureFixture
    ) -> None:
        serving = await start(fanout={"send_buffer": 8192, "reply_bytes": 262_144, "queue_memory": 1_000_000})
        reader = await open_browser(serving)
        await subscribe(reader, {"jobs": ["summary"]})
        mute = [await RawBrowser.open(serving.address, receive_buffer=4096) for _ in range(10)]
        names = ["x" * 80 + f"{number:06}" for number in range(2000)]
        for browser in mute:
            browser.reader._transport.pause_reading()  # type: ignore[attr-defined]
            for part in (names[:1000], names[1000:], names[:1000]):
                browser.send(subscription({"jobs": part}))
        await until(lambda: serving.server.closes.get(("server", 1008)) == 10)
        serving.publish("jobs-summary", *["x" * 1000] * 100)
        for _ in range(100):
            assert await reader.read_text() == "x" * 1000
        assert serving.fanout.ledger()["frames"]["shed"] == {}
        assert " with 1008: replies are not read" in caplog.text
        await reader.close()
        for browser in mute:
            browser.reset()
