"""Both ways to send reach stock consumers by TLS, Sentinel and credentials of the site's own code, in every form."""

import asyncio
import contextlib
import gc
import warnings
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


def consumers_host(request: pytest.FixtureRequest, host: dict[str, Any]) -> Any:
    """The same Redis; of Sentinel's the master itself: a loop of uvloop's does not end after stock's sentinels."""
    if "master_name" not in host:
        return host
    watched: Watched = request.getfixturevalue("watched")
    return watched.servers[watched.first].url


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
    try:
        yield channel
    finally:
        await (getattr(layer, "close_pools", None) or layer.flush)()


def send_by_layer(options: dict[str, Any], *messages: dict[str, Any]) -> None:
    """In a loop of its own: channels_redis never closes its connections to sentinels."""

    async def send() -> None:
        layer = RedisChannelLayer(**options)
        for message in messages:
            await layer.group_send("jobs", message)
        await layer.close_pools()

    with warnings.catch_warnings():
        warnings.simplefilter("ignore", ResourceWarning)
        with asyncio.Runner(loop_factory=asyncio.SelectorEventLoop) as runner:
            runner.run(send())
        gc.collect()


async def receive(layer: Any, channel: str) -> dict[str, Any]:
    async with asyncio.timeout(HANG):
        message: dict[str, Any] = await layer.receive(channel)
        return message


async def test_stock_consumers_get_what_emit_and_the_layer_send(
    options: dict[str, Any], host: dict[str, Any], request: pytest.FixtureRequest
) -> None:
    stock, sender = StockLayer(**{**options, "hosts": [consumers_host(request, host)]}), Sender(options)
    async with consuming(stock) as channel:
        for number in range(3):
            await asyncio.to_thread(sender.send, "jobs", {**MESSAGE, "number": number})
            await asyncio.to_thread(send_by_layer, options, {**MESSAGE, "number": number})
        received = [await receive(stock, channel) for _ in range(6)]
    assert received == [{**MESSAGE, "number": number} for number in (0, 0, 1, 1, 2, 2)]
    sender.close()


@pytest.mark.parametrize("encryption", [{}, {"symmetric_encryption_keys": ["new"]}])
async def test_pubsub_consumers_get_what_emit_sends(
    host: dict[str, Any], encryption: dict[str, Any], request: pytest.FixtureRequest
) -> None:
    stock = RedisPubSubChannelLayer(hosts=[consumers_host(request, host)], **encryption)
    sender = PubSubSender({"hosts": [host], **encryption})
    async with consuming(stock) as channel:
        await asyncio.to_thread(sender.send, "jobs", MESSAGE)
        assert await receive(stock, channel) == MESSAGE
    sender.close()


async def test_several_hosts_may_be_of_different_kinds(tls: dict[str, Any], provider: dict[str, Any]) -> None:
    options = {"hosts": [tls, provider]}
    stocks = [StockLayer(**options) for _ in range(4)]
    sender = Sender(options)
    async with contextlib.AsyncExitStack() as stack:
        channels = [await stack.enter_async_context(consuming(stock)) for stock in stocks]
        await asyncio.to_thread(sender.send, "jobs", MESSAGE)
        await asyncio.to_thread(send_by_layer, options, MESSAGE)
        for stock, channel in zip(stocks, channels, strict=True):
            assert [await receive(stock, channel) for _ in range(2)] == [MESSAGE] * 2
    sender.close()


@pytest.mark.parametrize("kind", ["tls", "sentinel"])
async def test_url_of_the_environment_may_name_tls_and_sentinels(
    kind: str, request: pytest.FixtureRequest, monkeypatch: pytest.MonkeyPatch
) -> None:
    host = request.getfixturevalue(kind)
    url = request.getfixturevalue("watched").url if kind == "sentinel" else as_url(host)
    monkeypatch.setenv("AWXFAST_REDIS", url)
    monkeypatch.setattr("awxfast.producer.emit.sys", type("NoDjango", (), {"modules": {}}))
    find_sender.cache_clear()
    stock = StockLayer(hosts=[consumers_host(request, host)])
    async with consuming(stock) as channel:
        await asyncio.to_thread(awxfast.emit, "jobs", "änderung")
        assert await receive(stock, channel) == MESSAGE
    find_sender().close()
    find_sender.cache_clear()


def as_url(host: dict[str, Any]) -> str:
    """Of a Redis with TLS."""
    return f"{host['address']}?ssl_ca_certs={host['ssl_ca_certs']}"
