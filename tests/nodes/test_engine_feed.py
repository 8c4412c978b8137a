"""A server that takes events from an engine: for its own browsers, beside links and Redis, each event once."""

import asyncio
import json
from collections.abc import Awaitable, Callable, Sequence
from typing import Any

import pytest
from awxfast.engine.nats_channels import NatsChannels
from awxfast.engine.taker import name_taker
from awxfast.nodes import engine_feed
from awxfast.wire.engine_handshake import ENGINE_HEADER
from awxfast.wire.engine_notices import Beat, Bye, Change, Listing, encode_notice, read_notice
from awxfast.wire.engine_packets import Origin
from channels_redis.core import RedisChannelLayer
from engine.fake_carrier import Exchange, FakeCarrier
from engine.packets import PUBLISHER, REDIS, packet
from node_server import Dialler, StartNode, eventually, relayed, sign
from redis_servers import RedisServer
from running import Running
from serving import until

ENGINE = "nats://127.0.0.1:4222"
NAMES = NatsChannels("awxfast")
GROUP = "job_events-42"


@pytest.fixture
def exchange(monkeypatch: pytest.MonkeyPatch) -> Exchange:
    """The engine of all servers of the test."""
    exchange = Exchange()
    monkeypatch.setattr(engine_feed, "open_carrier", lambda _: exchange.connect())
    monkeypatch.setattr(engine_feed, "SETTLE_SECONDS", 0.0)
    return exchange


@pytest.fixture
async def taking(start_node: StartNode, exchange: Exchange) -> Running:
    return await start_node(engine=ENGINE)


def wanted(exchange: Exchange) -> set[str]:
    """What all said that they want."""
    groups: set[str] = set()
    for channel, message in exchange.sent:
        notice = read_notice(message) if channel == NAMES.wants else None
        if isinstance(notice, Change):
            groups = (groups | set(notice.add)) - set(notice.drop)
        elif isinstance(notice, Listing):
            groups = set(notice.groups)
    return groups


def send(exchange: Exchange, number: int, *texts: str, group: str = GROUP, redis: str = REDIS) -> None:
    """As another node's publisher does."""
    exchange.send(NAMES.of(group), packet(number, *texts, origin=Origin(redis, PUBLISHER, 1)))


def beat(exchange: Exchange) -> None:
    message = encode_notice(Beat(who=PUBLISHER, node="awx-2", redis=REDIS, role="publisher"))
    exchange.send(NAMES.wants, message)


class TestEvents:
    async def test_browser_gets_them_in_order(self, taking: Running, dialler: Dialler, exchange: Exchange) -> None:
        browser = await dialler.subscribe(taking, job_events=[42])
        await until(lambda: GROUP in wanted(exchange))
        send(exchange, 1, "one", "two")
        send(exchange, 3, "three")
        assert [await browser.receive_str() for _ in range(3)] == ["one", "two", "three"]
        assert (await taking.figure("events"))["routed"] == 3
        assert (await taking.figure("engine"))["events"] == {"taken": 3}

    async def test_group_is_wanted_as_long_as_a_browser_has_it(
        self, taking: Running, dialler: Dialler, exchange: Exchange
    ) -> None:
        await until(lambda: wanted(exchange) == {"metrics"})
        browser = await dialler.subscribe(taking, job_events=[42])
        await until(lambda: wanted(exchange) == {"metrics", GROUP})
        await browser.close()
        await until(lambda: wanted(exchange) == {"metrics"})

    async def test_server_without_a_secret_takes_them_too(
        self, start_node: StartNode, dialler: Dialler, exchange: Exchange
    ) -> None:
        server = await start_node(engine=ENGINE, secrets=())
        browser = await dialler.subscribe(server, job_events=[42])
        await until(lambda: GROUP in wanted(exchange))
        send(exchange, 1, "one")
        assert await browser.receive_str() == "one"

    async def test_others_on_its_redis_take_for_themselves(
        self, taking: Running, dialler: Dialler, producer: RedisChannelLayer, exchange: Exchange
    ) -> None:
        channel = await producer.new_channel()
        await producer.group_add(GROUP, channel)
        browser = await dialler.subscribe(taking, job_events=[42])
        await until(lambda: GROUP in wanted(exchange))
        send(exchange, 1, "by the engine")
        assert await browser.receive_str() == "by the engine"
        await producer.group_send(GROUP, {"type": "internal.message", "text": "by Redis"})
        assert (await producer.receive(channel))["text"] == "by Redis"

    async def test_events_of_its_own_redis_come_once(
        self, taking: Running, dialler: Dialler, producer: RedisChannelLayer, exchange: Exchange
    ) -> None:
        browser = await dialler.subscribe(taking, job_events=[42])
        await until(lambda: GROUP in wanted(exchange))
        beats = [read_notice(message) for channel, message in exchange.sent if channel == NAMES.wants]
        redis = next(notice.redis for notice in beats if isinstance(notice, Beat))
        await producer.group_send(GROUP, {"type": "internal.message", "text": "one"})
        assert await browser.receive_str() == "one"
        send(exchange, 1, "one", redis=redis)
        send(exchange, 1, "of another")
        assert await browser.receive_str() == "of another"

    async def test_what_is_lost_is_a_gap(self, taking: Running, dialler: Dialler, exchange: Exchange) -> None:
        browser = await dialler.subscribe(taking, job_events=[42])
        await until(lambda: GROUP in wanted(exchange))
        send(exchange, 1, "one")
        send(exchange, 5, "five")
        assert [await browser.receive_str() for _ in range(2)] == ["one", "five"]
        assert await taking.figure("gaps") == {"engine_missed": {"times": 1, "at_most": 3}}

    async def test_publisher_that_has_left_is_still_called_by_its_node(
        self, taking: Running, dialler: Dialler, exchange: Exchange
    ) -> None:
        browser = await dialler.subscribe(taking, job_events=[42])
        await until(lambda: GROUP in wanted(exchange))
        send(exchange, 1, "one")
        assert await browser.receive_str() == "one"
        beat(exchange)
        exchange.send(NAMES.wants, encode_notice(Bye(who=PUBLISHER)))
        await asyncio.sleep(0)
        [origin] = (await taking.figure("engine"))["origins"]
        assert (origin["node"], origin["is_heard"], origin["events"]) == ("awx-2", False, 1)


class TestMetrics:
    async def test_they_are_stored(self, taking: Running, producer: RedisChannelLayer, exchange: Exchange) -> None:
        await until(lambda: "metrics" in wanted(exchange))
        send(exchange, 1, json.dumps({"instance": "node-1", "metrics": "{}"}), group="metrics")
        await eventually(lambda: producer.connection(0).get("awx_metrics_instance_node-1"), b"{}")


Dial = Callable[..., Awaitable[Any]]


class TestLinks:
    async def dial(self, running: Running, dialler: Dialler, offer: str) -> tuple[Any, str | None]:
        """A link, and whom its 101 names."""
        link = await dialler.dial(running, headers={**sign(), ENGINE_HEADER: offer})
        return link, link._response.headers.get(ENGINE_HEADER)  # the only place where aiohttp has it

    async def test_taker_is_named_to_a_publisher_that_is_heard(
        self, taking: Running, dialler: Dialler, exchange: Exchange
    ) -> None:
        beat(exchange)
        await asyncio.sleep(0)
        _, named = await self.dial(taking, dialler, PUBLISHER)
        assert named == name_taker(taking.control.relay.token or "")

    @pytest.mark.parametrize("offer", [f"{PUBLISHER} apart", "f" * 16, "nobody", ""])
    async def test_it_is_not_to_any_other(
        self, taking: Running, dialler: Dialler, exchange: Exchange, offer: str
    ) -> None:
        beat(exchange)
        await asyncio.sleep(0)
        _, named = await self.dial(taking, dialler, offer)
        assert named is None

    async def test_server_without_an_engine_names_nobody(self, node: Running, dialler: Dialler) -> None:
        _, named = await self.dial(node, dialler, PUBLISHER)
        assert named is None

    async def test_events_of_a_publisher_come_over_its_link_until_that_ends(
        self, taking: Running, dialler: Dialler, exchange: Exchange
    ) -> None:
        browser = await dialler.subscribe(taking, job_events=[42])
        await until(lambda: GROUP in wanted(exchange))
        link, named = await self.dial(taking, dialler, PUBLISHER)
        assert named is None
        send(exchange, 1, "one")
        await link.send_str(relayed(GROUP, "one"))
        assert await browser.receive_str() == "one"
        await link.close()
        await eventually(lambda: taking.peer("links"), 0)
        send(exchange, 2, "two")
        assert await browser.receive_str() == "two"
        assert (await taking.figure("engine"))["events"] == {"linked": 1, "taken": 1}
        assert await taking.figure("gaps") == {}

    async def test_link_is_put_off_until_its_publisher_may_have_been_heard(
        self, taking: Running, dialler: Dialler, exchange: Exchange, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        monkeypatch.setattr(engine_feed, "SETTLE_SECONDS", 3600.0)
        offer = {ENGINE_HEADER: PUBLISHER}
        assert await dialler.status(taking, {**sign(), **offer}) == 503
        assert await dialler.status(taking, {**sign(), ENGINE_HEADER: f"{PUBLISHER} apart"}) == 101
        beat(exchange)
        await eventually(lambda: dialler.status(taking, {**sign(), **offer}), 101)

    async def test_link_of_the_broadcast_era_brings_nothing_in_place_of_the_engine(
        self, taking: Running, dialler: Dialler, exchange: Exchange
    ) -> None:
        browser = await dialler.subscribe(taking, job_events=[42])
        await until(lambda: GROUP in wanted(exchange))
        await dialler.dial(taking, "broadcast", headers={**sign(), ENGINE_HEADER: PUBLISHER})
        send(exchange, 1, "one")
        assert await browser.receive_str() == "one"

    async def test_silent_link_keeps_nothing_from_coming(
        self, taking: Running, dialler: Dialler, exchange: Exchange
    ) -> None:
        browser = await dialler.subscribe(taking, job_events=[42])
        await until(lambda: GROUP in wanted(exchange))
        beat(exchange)
        await asyncio.sleep(0)
        _, named = await self.dial(taking, dialler, PUBLISHER)
        assert named is not None
        send(exchange, 1, "one")
        assert await browser.receive_str() == "one"


class TestReadiness:
    async def test_server_is_ready_when_the_engine_has_been_there(
        self, start_node: StartNode, exchange: Exchange, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        class Away(FakeCarrier):
            async def start(self, listener: Any) -> None:
                await super().start(listener)
                self.up, self.trouble, self.confirms = False, "does not answer", False

        carrier = Away(exchange)
        exchange.carriers.append(carrier)
        monkeypatch.setattr(engine_feed, "open_carrier", lambda _: carrier)
        server = await start_node(engine=ENGINE)
        assert await server.ask("/readyz") == "the engine nats at 127.0.0.1:4222: does not answer\n"
        carrier.trouble = "refuses us"
        assert await server.ask("/readyz") == "the engine nats at 127.0.0.1:4222: refuses us\n"
        carrier.mend()
        carrier.confirms = True
        await eventually(lambda: server.ask("/readyz"), "ok\n")
        carrier.cut()
        assert await server.ask("/readyz") == "ok\n"
        assert (await server.figure("engine"))["up"] is False

    async def test_server_that_is_not_let_speak_is_not_ready(
        self, start_node: StartNode, exchange: Exchange, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        class Refusing(FakeCarrier):
            def publish(self, *words: Any) -> None:
                if self.allows:
                    self.trouble = ""
                    return super().publish(*words)
                self.trouble = "lets us not publish"

            allows = False

        carrier = Refusing(exchange)
        exchange.carriers.append(carrier)
        monkeypatch.setattr(engine_feed, "open_carrier", lambda _: carrier)
        server = await start_node(engine=ENGINE)
        reason = "the engine nats at 127.0.0.1:4222: lets us not publish\n"
        await eventually(lambda: server.ask("/readyz"), reason)
        assert (await server.figure("engine"))["up"] is False
        carrier.allows = True
        await eventually(lambda: server.ask("/readyz"), "ok\n")
        assert (await server.figure("engine"))["up"] is True

    async def test_about_names_it(self, start_node: StartNode, exchange: Exchange) -> None:
        server = await start_node(engine=ENGINE.replace("://", "://user:of-nobody@"))
        about = await server.ask("/about")
        assert json.loads(about)["engine"] == "nats at 127.0.0.1:4222, prefix awxfast"
        assert "of-nobody" not in about

    async def test_redis_that_does_not_say_which_it_is_is_named(
        self, start_node: StartNode, exchange: Exchange, redis_server: RedisServer
    ) -> None:
        with redis_server.client() as client:
            client.execute_command("ACL", "SETUSER", "quiet", "on", ">word", "~*", "&*", "+@all", "-info")
        server = await start_node(engine=ENGINE, redis=(redis_server.url.replace("://", "://quiet:word@"),))
        await eventually(lambda: server.ask("/readyz"), f"{engine_feed.NAMELESS}\n")


class TestSeveralRedis:
    async def test_groups_on_each_are_wanted(
        self,
        three_redis: list[RedisServer],
        start_node: StartNode,
        dialler: Dialler,
        exchange: Exchange,
    ) -> None:
        server = await start_node(engine=ENGINE, redis=tuple(one.url for one in three_redis))
        numbers = [*range(40, 60)]
        browser = await dialler.subscribe(server, job_events=numbers)
        await until(lambda: {f"job_events-{number}" for number in numbers} <= wanted(exchange))
        for number in numbers:
            send(exchange, 1, str(number), group=f"job_events-{number}")
        heard: Sequence[str] = [await browser.receive_str() for _ in numbers]
        assert sorted(heard) == [str(number) for number in numbers]


class TestPubSub:
    async def test_groups_of_a_pub_sub_layer_are_wanted(
        self, start_node: StartNode, dialler: Dialler, exchange: Exchange
    ) -> None:
        server = await start_node(engine=ENGINE, layer="pubsub", random_prefix_length=0)
        browser = await dialler.subscribe(server, job_events=[42])
        await until(lambda: GROUP in wanted(exchange))
        send(exchange, 1, "one")
        assert await browser.receive_str() == "one"
