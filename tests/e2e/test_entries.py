"""Layers whose entries are encrypted, in JSON, or have another prefix: stock producers to browsers, and back."""

import asyncio
import contextlib
import signal
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from browsers import open_browser
from channels_redis.core import RedisChannelLayer
from events import event_text
from redis_servers import RedisServer
from reloaded_site import Site
from servers import HANG, AwxfastServer, wait_for
from stock_producers import stock_layer
from websockets.asyncio.client import connect

__all__ = ["stock_layer"]

GROUP = "job_events-1"
NEW, OLD = "a new sesame", "an old sesame"


async def send(layer: RedisChannelLayer, number: int) -> None:
    message = {"type": "internal.message", "text": event_text(0, number, GROUP), "needs_relay": True}
    await layer.group_send(GROUP, message)


@pytest.fixture
def start(redis_server: RedisServer) -> Any:
    started: list[AwxfastServer] = []

    def start_relay(*options: str) -> AwxfastServer:
        started.append(AwxfastServer(redis_server.url, *options))
        return started[-1]

    yield start_relay
    for server in started:
        server.close()


@pytest.mark.parametrize(
    ("options", "configuration"),
    [
        (["--serializer-format", "json"], {"serializer_format": "json"}),
        (["--random-prefix-length", "0"], {"random_prefix_length": 0}),
        (["--random-prefix-length", "40"], {"random_prefix_length": 40}),
    ],
)
async def test_options_of_the_layer_are_those_of_its_producers(
    start: Callable[..., AwxfastServer],
    stock_layer: Callable[..., RedisChannelLayer],
    redis_server: RedisServer,
    options: list[str],
    configuration: dict[str, Any],
) -> None:
    relay, layer = start(*options), stock_layer(redis_server, **configuration)
    browser = await open_browser(relay.url, [GROUP])
    for number in range(100):
        await send(layer, number)
    await browser.until(lambda: browser.events == 100)
    assert (browser.out_of_order, browser.altered) == (0, 0)
    browser.transport.disconnect()


async def test_keys_are_changed_without_a_restart_and_nobody_sees_them(
    start: Callable[..., AwxfastServer],
    stock_layer: Callable[..., RedisChannelLayer],
    redis_server: RedisServer,
    tmp_path: Path,
) -> None:
    keys = tmp_path / "keys"
    keys.write_text(f"{OLD}\n")
    relay = start("--encryption-key-file", str(keys))
    browser = await open_browser(relay.url, [GROUP])
    old = stock_layer(redis_server, symmetric_encryption_keys=[OLD])
    new = stock_layer(redis_server, symmetric_encryption_keys=[NEW, OLD])
    await send(old, 0)
    await browser.until(lambda: browser.events == 1)

    await send(new, 1)
    await send(new, 2)
    rejected = await asyncio.to_thread(wait_for, lambda: relay.ledger()["events"]["rejected"])
    assert set(rejected) == {"undecryptable"}
    await asyncio.to_thread(wait_for, lambda: relay.ledger()["events"]["rejected"] == {"undecryptable": 2})
    await asyncio.to_thread(wait_for, lambda: "no key reads them" in relay.text())
    assert relay.text().count("no key reads them") == 1

    keys.write_text(f"{NEW}\n{OLD}\n")
    relay.process.send_signal(signal.SIGHUP)
    for number in range(3, 100):  # nobody says when the files are read
        await send(new, number)
        await asyncio.sleep(0.05)
        if browser.events > 1:
            break
    await browser.until(lambda: browser.events > 1)
    await send(old, 200)
    await browser.until(lambda: browser.last_number == 200)

    keys.write_text("")
    relay.process.send_signal(signal.SIGHUP)
    await asyncio.to_thread(wait_for, lambda: "there is no key in it" in relay.text())
    await send(new, 300)
    await browser.until(lambda: browser.last_number == 300)

    assert (await asyncio.to_thread(relay.reload)).returncode == 1
    keys.write_text(f"{NEW}\n")
    assert (await asyncio.to_thread(relay.reload)).returncode == 0
    await send(new, 400)
    await browser.until(lambda: browser.last_number == 400)
    seen = relay.text() + relay.ask("/metrics") + relay.ask("/ledger")
    seen += await asyncio.to_thread(Path(f"/proc/{relay.child_pid()}/cmdline").read_text)
    assert "sesame" not in seen
    browser.transport.disconnect()


async def test_applications_layer_sends_and_receives_with_the_keys_of_the_file_also_once_they_are_others(
    start_site: Callable[..., Site],
    stock_layer: Callable[..., RedisChannelLayer],
    redis_server: RedisServer,
    tmp_path: Path,
) -> None:
    keys = tmp_path / "keys"
    keys.write_text(f"{OLD}\n")
    site = start_site("--encryption-key-file", str(keys))
    old = stock_layer(redis_server, symmetric_encryption_keys=[OLD])
    new = stock_layer(redis_server, symmetric_encryption_keys=[NEW])
    async with connect(f"ws://127.0.0.1:{site.port}/commands/") as browser:
        await browser.send("join room")
        assert await browser.recv() == "done join"
        await old.group_send("room", {"type": "chat.message", "text": "1"})
        assert await browser.recv() == "chat 1"
        channel = await new.new_channel()
        await new.group_add("other", channel)

        keys.write_text(f"{NEW}\n{OLD}\n")
        site.server.process.send_signal(signal.SIGHUP)
        told = ""
        while told != "chat 2":  # nobody says when the files are read
            await new.group_send("room", {"type": "chat.message", "text": "2"})
            with contextlib.suppress(TimeoutError):
                told = str(await asyncio.wait_for(browser.recv(), 0.2))
        await browser.send("send other 3")
        async with asyncio.timeout(HANG):
            assert await new.receive(channel) == {"type": "chat.message", "text": "3"}
        await old.group_send("room", {"type": "chat.message", "text": "4"})
        async with asyncio.timeout(HANG):
            while await browser.recv() != "chat 4":
                pass
    assert "sesame" not in site.server.text()
