"""What a dial says of an engine, what answers mean, and what links carry that are silent."""

from collections.abc import AsyncIterator, Callable
from typing import Any

import pytest
from awxfast.broadcast.engine_offer import PATIENCE, UNHEARD, UNNAMED, DialOffer, DialOffers
from awxfast.broadcast.era import Era
from awxfast.broadcast.sharing import send_bundle
from broadcast.running_peer import OWN_REDIS, Running, encode
from peer_server import PeerServer, until

TAKER, PEER_REDIS = "1" * 16, "bb" * 16


class Engine:
    """As much of a publisher as links ask for."""

    who = "0123456789abcdef"

    def __init__(self) -> None:
        self.takers: dict[str, str] = {}
        """Those that are heard, with their Redis."""
        self.publishers: set[str] = set()
        self.answers: dict[str, str] = {}
        """Those that are when they are asked."""

    def hears(self, taker: str) -> bool:
        return taker in self.takers

    def has_taker_at(self, redis: str) -> bool:
        return redis in self.takers.values()

    def replaces_link_from(self, redis: str) -> bool:
        return redis in self.publishers

    async def wait_heard(self, taker: str, seconds: float) -> bool:
        self.takers |= {who: redis for who, redis in self.answers.items() if who == taker}
        return self.hears(taker)


@pytest.fixture
def engine() -> Any:
    return Engine()


class TestOffers:
    def test_taker_that_is_heard_makes_the_link_silent(self, engine: Any) -> None:
        engine.takers[TAKER] = PEER_REDIS
        offer = DialOffer(engine)
        assert (offer.header, offer.take_answer(TAKER, PEER_REDIS), offer.is_silent) == (engine.who, None, True)

    def test_server_without_an_engine_gets_events_on_the_link(self, engine: Any) -> None:
        offer = DialOffer(engine)
        assert (offer.take_answer("", PEER_REDIS), offer.is_silent) == (None, False)

    async def test_taker_that_answers_in_the_engine_is_dialled_again(self, engine: Any) -> None:
        engine.answers[TAKER] = PEER_REDIS
        offers = DialOffers(engine)
        offer = offers.next()
        assert offer.take_answer(TAKER, PEER_REDIS) is UNHEARD
        following = await offers.after(offer, UNHEARD)
        assert following is not None
        assert following.header == engine.who

    async def test_taker_that_nobody_hears_gets_a_link_apart(self, engine: Any) -> None:
        offers = DialOffers(engine)
        offer = offers.next()
        offer.take_answer(TAKER, PEER_REDIS)
        following = await offers.after(offer, UNHEARD)
        assert following is not None
        assert following.header == f"{engine.who} apart"
        assert (following.take_answer(TAKER, PEER_REDIS), following.is_silent) == (None, False)

    async def test_server_has_time_to_hear_who_dials(self, engine: Any) -> None:
        at = [100.0]
        engine.takers[TAKER] = PEER_REDIS
        offers = DialOffers(engine, lambda: at[0])
        offer = offers.next()
        assert offer.take_answer("", PEER_REDIS) is UNNAMED
        assert await offers.after(offer, UNNAMED) is None
        assert offers.next().header == engine.who
        at[0] += PATIENCE
        assert offers.next().header == f"{engine.who} apart"
        offers.note_link()
        assert offers.next().header == engine.who


@pytest.fixture
async def running(server: PeerServer, start: Callable[..., Running], engine: Any) -> AsyncIterator[Running]:
    """A peer with Redis of its own that names itself in the engine, and is heard there."""
    engine.takers[TAKER] = PEER_REDIS
    server.headers = {"awxfast-redis": PEER_REDIS, "awxfast-engine": TAKER}
    yield start(Era.RELAY, engine=engine)


class TestSilentLink:
    async def test_carries_no_events_and_joins_nothing(self, server: PeerServer, running: Running) -> None:
        await server.send({"type": "consumer.subscribe", "groups": ["a"], "origin_channel": "s.x!1"})
        await until(lambda: running.peer.counts.skipped["engine"] == 1)
        send_bundle(encode(("a", "1")), [running.peer])
        assert running.peer.is_silent
        assert (running.holder.held, running.peer.counts.queued, server.texts.qsize()) == (set(), 0, 0)
        assert server.requests[0].headers["awxfast-engine"] == Engine.who

    async def test_events_of_the_peer_are_left_out_where_the_engine_brings_them(
        self, server: PeerServer, running: Running, engine: Any
    ) -> None:
        copy = {"group": "a", "message": "1"}
        await server.send(copy)
        await until(lambda: running.redis.sent)
        engine.publishers.add(PEER_REDIS)
        await server.send(copy)
        await until(lambda: running.peer.counts.skipped["engine"] == 1)
        assert len(running.redis.sent) == 1


class TestOtherLinks:
    async def test_peer_that_nobody_hears_gets_all_on_a_link_apart(
        self, server: PeerServer, start: Callable[..., Running], engine: Any
    ) -> None:
        server.headers = {"awxfast-redis": PEER_REDIS, "awxfast-engine": TAKER}
        running = start(Era.RELAY, engine=engine)
        await server.link()
        await until(lambda: len(server.requests) == 2)
        offers = [request.headers["awxfast-engine"] for request in server.requests]
        assert offers == [Engine.who, f"{Engine.who} apart"]
        await until(lambda: running.peer.up)
        assert not running.peer.is_silent

    async def test_peer_that_has_not_heard_of_us_is_dialled_until_it_has(
        self, server: PeerServer, start: Callable[..., Running], engine: Any
    ) -> None:
        engine.takers[TAKER] = PEER_REDIS
        server.headers = {"awxfast-redis": PEER_REDIS}
        running = start(Era.RELAY, engine=engine)
        await until(lambda: len(server.requests) >= 2)
        assert not running.peer.up
        server.headers["awxfast-engine"] = TAKER
        await until(lambda: running.peer.up)
        assert running.peer.is_silent

    async def test_peer_on_our_own_redis_is_no_matter_of_the_engine(
        self, server: PeerServer, start: Callable[..., Running], engine: Any
    ) -> None:
        server.headers = {"awxfast-redis": OWN_REDIS}
        running = start(Era.RELAY, engine=engine)
        await until(lambda: running.peer.up)
        assert not running.peer.is_silent


async def test_nothing_is_said_without_an_engine(server: PeerServer, start: Callable[..., Running]) -> None:
    start(Era.RELAY)
    await server.link()
    assert "awxfast-engine" not in server.requests[0].headers
