"""A dialler with an engine: what of its Redis is published, when it is ready, and whether anybody is dialled."""

import logging
from collections.abc import AsyncIterator
from typing import Any

import pytest
from awxfast.broadcast import engine_side
from awxfast.broadcast.awx_settings import AwxSettings
from awxfast.broadcast.credentials import find_secret
from awxfast.broadcast.options import DiallerSettings, parse_settings
from awxfast.broadcast.program import NodeDialler
from awxfast.engine.nats_channels import NatsChannels
from awxfast.errors import ConfigurationError
from awxfast.wire.engine_notices import Beat, Listing, encode_notice, read_notice
from awxfast.wire.engine_packets import EventPacket, read_packet, split_texts
from channels_redis.core import RedisChannelLayer
from engine.fake_carrier import Exchange
from loops import pytest_asyncio_loop_factories  # noqa: F401  a hook
from peer_server import until
from redis_servers import RedisServer

NAMES = NatsChannels("awxfast")
TAKER, REDIS = "1" * 16, "bb" * 16
ENGINE = ("--engine", "nats://127.0.0.1:4222")


@pytest.fixture
def exchange(monkeypatch: pytest.MonkeyPatch) -> Exchange:
    exchange = Exchange()
    monkeypatch.setattr(engine_side, "open_carrier", lambda _: exchange.connect())
    return exchange


def settings_of(redis_url: str, *words: str) -> DiallerSettings:
    return parse_settings(("--redis", redis_url, *ENGINE, *words), {}, AwxSettings())


@pytest.fixture
async def node(redis_server: RedisServer, exchange: Exchange) -> AsyncIterator[NodeDialler]:
    node = NodeDialler(settings_of(redis_server.url))
    await node.start()
    yield node
    await node.stop()


def want(exchange: Exchange, *groups: str) -> None:
    listing = Listing(who=TAKER, node="awx-2", redis=REDIS, version=1, part=0, parts=1, groups=groups)
    exchange.send(NAMES.wants, encode_notice(listing))


def published(exchange: Exchange) -> list[tuple[str, list[bytes]]]:
    packets = [(NAMES.group(channel), read_packet(message)) for channel, message in exchange.sent]
    return [(group, split_texts(one.body)) for group, one in packets if isinstance(one, EventPacket)]


def members(redis: RedisServer, group: str) -> bool:
    with redis.client() as client:
        return bool(client.exists(f"asgi:group:{group}"))


class TestPublishing:
    async def test_events_that_somebody_elsewhere_wants_are_published_without_any_peer(
        self, node: NodeDialler, exchange: Exchange, redis_server: RedisServer
    ) -> None:
        want(exchange, "job_events-1")
        await until(lambda: members(redis_server, "job_events-1"))
        layer = RedisChannelLayer(hosts=[redis_server.url])
        for needs_relay in (True, False):
            message = {"type": "internal.message", "text": str(needs_relay), "needs_relay": needs_relay}
            await layer.group_send("job_events-1", message)
        await until(lambda: published(exchange) == [("job_events-1", [b"True"])])
        await until(lambda: node.ledger()["events"]["in"] == 2)
        assert node.ledger()["balance"] == {"events": 0, "frames": 0}
        await layer.close_pools()

    async def test_it_says_of_which_redis_it_is(self, node: NodeDialler, exchange: Exchange) -> None:
        def beats() -> list[Any]:
            notices = [read_notice(message) for channel, message in exchange.sent if channel == NAMES.wants]
            return [one for one in notices if isinstance(one, Beat)]

        await until(beats)
        assert (beats()[0].redis, beats()[0].role) == (node.intake.redis_name, "publisher")


class TestReadiness:
    async def test_engine_that_is_away_is_named(self, node: NodeDialler, exchange: Exchange) -> None:
        await until(lambda: not node.figures.unready_reasons())
        exchange.carriers[0].cut()
        assert node.figures.unready_reasons() == ["the engine nats at 127.0.0.1:4222: cut"]
        engine = node.figures.engine()
        assert engine is not None
        assert not engine.up

    async def test_engine_that_refuses_is_not_up(self, node: NodeDialler, exchange: Exchange) -> None:
        await until(lambda: not node.figures.unready_reasons())
        exchange.carriers[0].trouble = "refuses us"
        assert node.figures.unready_reasons() == ["the engine nats at 127.0.0.1:4222: refuses us"]
        engine = node.figures.engine()
        assert engine is not None
        assert not engine.up
        assert node.figures.about().engine == "nats at 127.0.0.1:4222, prefix awxfast"


class TestStart:
    def test_no_secret_is_needed_where_nobody_is_dialled(self) -> None:
        assert find_secret(settings_of("unix:///r")) == ""
        assert find_secret(settings_of("unix:///r", "--no-mesh", "--peer", "web-2")) == ""
        with pytest.raises(ConfigurationError, match=r"--secret-file.*--engine alone \(--no-mesh\)"):
            find_secret(settings_of("unix:///r", "--peer", "web-2"))

    async def test_without_the_mesh_nobody_is_dialled(
        self, redis_server: RedisServer, exchange: Exchange, caplog: pytest.LogCaptureFixture
    ) -> None:
        caplog.set_level(logging.INFO)
        node = NodeDialler(settings_of(redis_server.url, "--no-mesh", "--peer", "127.0.0.1:9"))
        await node.start()
        assert node.dialler.peers == []
        await node.stop()
        assert not any("dialled" in line for line in caplog.messages)

    def test_what_the_engine_can_not_do_is_told_before_the_start(self) -> None:
        wrong = parse_settings(("--redis", "unix:///r", "--engine", "nats://h?nothing=1"), {}, AwxSettings(secret="s"))
        with pytest.raises(ConfigurationError, match="--engine"):
            engine_side.open_engine(wrong)
