"""What a peer's messages do, over real sockets."""

import contextlib
import json
from collections.abc import Callable

import pytest
from awxfast.broadcast import interest
from awxfast.broadcast.era import Era
from awxfast.broadcast.sharing import send_bundle
from broadcast.running_peer import OWN_REDIS, Running, encode, link_that_wants
from peer_server import PeerServer, until


class TestMessages:
    async def test_broadcast_event_goes_to_its_group(self, server: PeerServer, start: Callable[..., Running]) -> None:
        running = start(Era.BROADCAST)
        await server.send({"group": "job_events-1", "message": '{"a": "\u2028"}'})
        await until(lambda: running.redis.sent)
        assert running.redis.sent == [("job_events-1", '{"a": "\u2028"}'.encode())]

    async def test_relay_link_brings_events_of_broadcast_era_producers_too(
        self, server: PeerServer, start: Callable[..., Running]
    ) -> None:
        running = start(Era.RELAY)
        await server.send({"group": "job_events-1", "message": "{}"})
        await until(lambda: running.redis.sent)

    async def test_what_is_not_the_wires_is_counted_and_the_link_stays(
        self, server: PeerServer, start: Callable[..., Running]
    ) -> None:
        running = start(Era.BROADCAST)
        link = await server.link()
        await link.send_bytes(b"binary")
        for text in ("no JSON", "[]", '{"group": "a-1"}', '{"group": "a:1", "message": "x"}'):
            await server.send(text)
        await server.send({"group": "broadcast-group_send", "message": "{}"})
        await server.send({"group": "a-1", "message": "{}"})
        await until(lambda: running.redis.sent)
        assert running.redis.sent == [("a-1", b"{}")]
        assert running.peer.counts.skipped == {
            "binary": 1,
            "not_json": 1,
            "not_the_wires": 2,
            "group_name": 1,
            "loop": 1,
        }
        assert running.peer.counts.received == 7
        assert len(server.requests) == 1

    async def test_metrics_are_stored(self, server: PeerServer, start: Callable[..., Running]) -> None:
        running = start(Era.BROADCAST)
        await server.send({"group": "metrics", "message": json.dumps({"instance": "web-1", "metrics": "{}"})})
        await until(lambda: running.redis.stored)
        assert running.redis.stored == {"awx_metrics_instance_web-1": "{}"}
        assert not running.redis.sent

    async def test_metrics_that_find_no_room_are_counted(
        self, server: PeerServer, start: Callable[..., Running]
    ) -> None:
        running = start(Era.RELAY)
        running.redis.stores = False
        await server.send({"group": "metrics", "message": json.dumps({"instance": "web-1", "metrics": "{}"})})
        await until(lambda: running.peer.counts.skipped == {"metrics_overflow": 1})

    async def test_fragments_are_one_message(self, server: PeerServer, start: Callable[..., Running]) -> None:
        running = start(Era.BROADCAST)
        link = await server.link()
        text = json.dumps({"group": "a-1", "message": "fragments"}).encode()
        link._req.transport.write(  # type: ignore[union-attr]  # aiohttp has no call for fragments
            bytes((0x01, 5)) + text[:5] + bytes((0x00, 5)) + text[5:10] + bytes((0x80, len(text) - 10)) + text[10:]
        )
        await until(lambda: running.redis.sent)
        assert running.redis.sent == [("a-1", b"fragments")]

    @pytest.mark.parametrize(("excess", "taken"), [(0, True), (1, False)])
    async def test_four_mebibytes_are_the_limit(
        self, server: PeerServer, start: Callable[..., Running], excess: int, taken: bool
    ) -> None:
        running = start(Era.BROADCAST)
        around = len(json.dumps({"group": "a-1", "message": ""}))
        with contextlib.suppress(ConnectionError):  # the frame's head alone may end the link
            await server.send({"group": "a-1", "message": "x" * (4_194_304 - around + excess)})
        await until(lambda: running.redis.sent if taken else len(server.requests) > 1)
        assert bool(running.redis.sent) is taken


class TestRoom:
    @pytest.fixture(autouse=True)
    def bounds(self, monkeypatch: pytest.MonkeyPatch) -> None:
        monkeypatch.setattr(interest, "MAX_SUBSCRIPTIONS", 3)  # of which the metrics are one
        monkeypatch.setattr(interest, "MAX_WAITING", 1)

    async def test_group_without_room_is_said_counted_and_joined_when_there_is_some(
        self, server: PeerServer, start: Callable[..., Running], caplog: pytest.LogCaptureFixture
    ) -> None:
        running = await link_that_wants(server, start, "a-1", "a-2")
        await server.send({"type": "consumer.subscribe", "groups": ["b-1"], "origin_channel": "s.x!2"})
        await until(lambda: running.peer.waiting == 1)
        assert running.peer.counts.no_room == 1
        (line,) = [text for text in caplog.messages if "wait for room" in text]
        assert f"web-1 (127.0.0.1:{server.port})" in line
        await server.send({"type": "consumer.unsubscribe", "groups": ["a-1"], "origin_channel": "s.x!1"})
        await until(lambda: running.holder.held == {"metrics", "a-2", "b-1"})
        send_bundle(encode(("b-1", "one")), [running.peer])
        assert (await server.receive())["group"] == "b-1"

    async def test_awxfast_peer_is_asked_again_for_what_could_not_even_wait(
        self, server: PeerServer, start: Callable[..., Running]
    ) -> None:
        server.headers["awxfast-redis"] = OWN_REDIS[::-1]
        running = await link_that_wants(server, start, "a-1", "a-2")
        first = server.links[0]
        await server.send({"type": "consumer.subscribe", "groups": ["b-1", "b-2"], "origin_channel": "s.x!1"})
        await server.send({"type": "consumer.unsubscribe", "groups": ["a-1", "a-2"], "origin_channel": "s.x!1"})
        await until(lambda: server.links and server.links[0] is not first)
        await server.send({"type": "consumer.subscribe", "groups": ["b-1", "b-2"], "origin_channel": "s.x!1"})
        await until(lambda: running.holder.held == {"metrics", "b-1", "b-2"})


class TestSameRedis:
    @pytest.mark.parametrize("era", list(Era))
    async def test_nothing_is_passed_on_either_way(
        self, server: PeerServer, start: Callable[..., Running], era: Era
    ) -> None:
        server.headers["awxfast-redis"] = OWN_REDIS
        running = start(era)
        await server.send({"type": "consumer.subscribe", "groups": ["a-1"], "origin_channel": "s.x!1"})
        await server.send({"group": "a-1", "message": "{}"})
        await until(lambda: running.peer.counts.skipped["same_redis"] == 2)
        assert not running.holder.held
        assert not running.redis.sent

    async def test_it_may_show_late(self, server: PeerServer, start: Callable[..., Running]) -> None:
        """Our Redis comes after the link."""
        server.headers["awxfast-redis"] = OWN_REDIS
        running = start(Era.RELAY)
        running.own_redis.clear()
        await server.send({"type": "consumer.subscribe", "groups": ["a-1"], "origin_channel": "s.x!1"})
        await until(lambda: running.holder.held >= {"a-1"})
        running.own_redis.append(OWN_REDIS)
        send_bundle(encode(("a-1", "{}")), [running.peer])
        assert running.peer.counts.queued == 0
        await until(lambda: not running.holder.held)

    async def test_another_redis_is_another_matter(self, server: PeerServer, start: Callable[..., Running]) -> None:
        server.headers["awxfast-redis"] = OWN_REDIS[::-1]
        running = start()
        await server.send({"group": "a-1", "message": "{}"})
        await until(lambda: running.redis.sent)
