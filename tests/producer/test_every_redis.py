"""Both ways to send reach stock consumers by TLS, Sentinel and credentials of the site's own code, in every form."""

import asyncio
import contextlib
from collections.abc import AsyncIterator, Callable
from pathlib import Path
from typing import Any

import awxfast
import pytest
from awxfast.layer import RedisChannelLayer
from awxfast.producer.emit import PubSubSender, Sender, find_sender
from channels_redis.core import RedisChannelLayer as StockLayer
from channels_redis.pubsub import RedisPubSubChannelLayer
from redis.credentials import CredentialProvider
from redis_servers import HANG, RedisServer
from sentinels import Watched
from tls_redis import TlsRedis

Start = Callable[..., RedisServer]
MESSAGE = {"type": "internal.message", "text": "änderung", "needs_relay": True}
OPTIONS: dict[str, dict[str, Any]] = {
    "plain": {},
    "encrypted": {"symmetric_encryption_keys": ["new", "old"]},
    "json": {"serializer_format": "json"},
}


class Provider(CredentialProvider):
    """Gives the password that the Redis of these tests wants."""

    def get_credentials(self) -> tuple[str]:
        return ("pw",)


@pytest.fixture
def tls(start_redis: Start, tmp_path: Path) -> dict[str, Any]:
    return TlsRedis(start_redis, tmp_path).host


@pytest.fixture
def sentinel(watched: Watched) -> dict[str, Any]:
    return watched.host


@pytest.fixture
def provider(start_redis: Start) -> dict[str, Any]:
    server = start_redis("--requirepass", "pw")
    return {"address": server.url, "credential_provider": Provider()}


@pytest.fixture(params=["tls", "sentinel", "provider"])
def host(request: pytest.FixtureRequest) -> dict[str, Any]:
    found: dict[str, Any] = request.getfixturevalue(request.param)
    return found


@pytest.fixture(params=OPTIONS)
def options(request: pytest.FixtureRequest, host: dict[str, Any]) -> dict[str, Any]:
    return {"hosts": [host], **OPTIONS[request.param]}


@contextlib.asynccontextmanager
async def consuming(layer: Any) -> AsyncIterator[str]:
    """A channel of a stock layer that is in the group."""
    channel = await layer.new_channel()
    await layer.group_add("jobs", channel)
    yield channel
    close = getattr(layer, "close_pools", None) or layer.flush
    await close()


async def receive(layer: Any, channel: str) -> dict[str, Any]:
    async with asyncio.timeout(HANG):
        message: dict[str, Any] = await layer.receive(channel)
        return message


async def test_stock_consumers_get_what_emit_and_the_layer_send(options: dict[str, Any]) -> None:
    stock, ours, sender = StockLayer(**options), RedisChannelLayer(**options), Sender(options)
    async with consuming(stock) as channel:
        for number in range(3):
            await asyncio.to_thread(sender.send, "jobs", {**MESSAGE, "number": number})
            await ours.group_send("jobs", {**MESSAGE, "number": number})
        received = [await receive(stock, channel) for _ in range(6)]
    assert received == [{**MESSAGE, "number": number} for number in (0, 0, 1, 1, 2, 2)]
    await ours.close_pools()
    sender.close()


@pytest.mark.parametrize("encryption", [{}, {"symmetric_encryption_keys": ["new"]}])
async def test_pubsub_consumers_get_what_emit_sends(host: dict[str, Any], encryption: dict[str, Any]) -> None:
    options = {"hosts": [host], **encryption}
    stock, sender = RedisPubSubChannelLayer(**options), PubSubSender(options)
    async with consuming(stock) as channel:
        await asyncio.to_thread(sender.send, "jobs", MESSAGE)
        assert await receive(stock, channel) == MESSAGE
    sender.close()


async def test_several_hosts_may_be_of_different_kinds(tls: dict[str, Any], provider: dict[str, Any]) -> None:
    options = {"hosts": [tls, provider]}
    stocks = [StockLayer(**options) for _ in range(4)]
    ours, sender = RedisChannelLayer(**options), Sender(options)
    async with contextlib.AsyncExitStack() as stack:
        channels = [await stack.enter_async_context(consuming(stock)) for stock in stocks]
        await asyncio.to_thread(sender.send, "jobs", MESSAGE)
        await ours.group_send("jobs", MESSAGE)
        for stock, channel in zip(stocks, channels, strict=True):
            assert [await receive(stock, channel) for _ in range(2)] == [MESSAGE] * 2
    await ours.close_pools()
    sender.close()


@pytest.fixture
def url(request: pytest.FixtureRequest) -> str:
    """What the environment of a plain program has."""
    if request.param == "sentinel":
        watched: Watched = request.getfixturevalue("watched")
        return watched.url
    return TlsRedis(request.getfixturevalue("start_redis"), request.getfixturevalue("tmp_path")).url


@pytest.mark.parametrize("url", ["tls", "sentinel"], indirect=True)
async def test_url_of_the_environment_may_name_tls_and_sentinels(url: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("AWXFAST_REDIS", url)
    monkeypatch.setattr("awxfast.producer.emit.sys", type("NoDjango", (), {"modules": {}}))
    find_sender.cache_clear()
    stock = StockLayer(hosts=[url_as_host(url)])
    async with consuming(stock) as channel:
        await asyncio.to_thread(awxfast.emit, "jobs", "änderung")
        assert await receive(stock, channel) == MESSAGE
    find_sender().close()
    find_sender.cache_clear()


def url_as_host(url: str) -> Any:
    """As channels_redis takes it, which knows no URL of Sentinel."""
    if not url.startswith("redis+sentinel"):
        return url
    places, _, name = url.removeprefix("redis+sentinel://").partition("/")
    return {"master_name": name, "sentinels": [tuple(place.split(":")) for place in places.split(",")]}
