"""The dialler's figures: each event and frame once, and always in balance."""

from types import SimpleNamespace
from typing import Any

import msgpack
import pytest
from awxfast.broadcast.era import Era
from awxfast.broadcast.figures import DiallerFigures
from awxfast.broadcast.link_counts import LinkCounts
from awxfast.broadcast.link_taker import LinkTaker
from awxfast.broadcast.local_redis import GroupSender
from awxfast.broadcast.target import Member
from awxfast.operate.metrics import metrics_text
from awxfast.redis.reconnect import Outages
from awxfast.settings import LayerSettings
from awxfast.wire.entry_bodies import make_entry_format
from redis_servers import RedisServer
from still_figures import view_of


class Peer:
    """As much of a peer as figures look at."""

    def __init__(self, name: str) -> None:
        self.member = Member(name, name, 443)
        self.counts = LinkCounts()
        self.queued = self.queued_bytes = 0
        self.state, self.up, self.era = "connected", True, Era.RELAY
        self.clock_skew: int | None = None
        self.last_error = ""
        self.waiting = 0
        self.is_silent = False


def member(needs_relay: bool) -> list[bytes]:
    message = {"type": "internal.message", "text": "{}", "needs_relay": needs_relay}
    return [bytes(12) + msgpack.packb({**message, "__asgi_channel__": ["s.a!g.a-1"]}), b"1"]


class Dialling:
    """A dialler with peers whose counts the test writes."""

    def __init__(self, redis: RedisServer) -> None:
        layer = LayerSettings(capacity=1, expiry=1, group_expiry=1)
        self.sender = GroupSender(layer, make_entry_format(layer), [(redis.address, Outages(redis.address), "")])
        self.taker = LinkTaker(make_entry_format(layer), lambda _: None)
        self.peers = [Peer("web-1"), Peer("web-2")]
        dialler: Any = SimpleNamespace(
            peers=self.peers[:1], shown=self.peers, total=LinkCounts(), joined={"a-1": 1}, dials={}
        )
        self.dialler = dialler
        part = SimpleNamespace(address=redis.address, trouble="does not answer")
        intake: Any = SimpleNamespace(ready=True, depth=3, parts=[part], repaired=0)
        self.figures = DiallerFigures(dialler, self.taker, intake, self.sender, lambda: 2)


@pytest.fixture
async def dialling(redis_server: RedisServer) -> Dialling:
    return Dialling(redis_server)


class TestAbout:
    async def test_redis_is_named_and_nobody_listens(self, dialling: Dialling, redis_server: RedisServer) -> None:
        about = dialling.figures.about()
        assert (about.redis, list(about.addresses)) == (str(redis_server.address), [])


class TestNames:
    async def test_name_and_reason_are_escaped_wherever_they_are_shown(self, dialling: Dialling) -> None:
        dialling.peers[0].member = Member("web\n\x1b[31m", "10.0.0.1", 443)
        dialling.peers[0].last_error = "\x9b2J"
        figures = dialling.figures.peers()[0]
        assert (figures.host, figures.last_error) == ("web\\n\\x1b[31m:443", "\\x9b2J")
        assert b"\x1b" not in metrics_text(view_of(dialling.figures))


class TestLedger:
    async def test_events_of_both_directions(self, dialling: Dialling) -> None:
        dialling.taker.add_channel("g.a-1", "a-1")
        dialling.taker.publish_batch([member(True), member(False)])
        dialling.sender.send("b-1", b"{}")
        ledger = dialling.figures.ledger()
        assert (ledger["events"]["in"], ledger["events"]["routed"], ledger["events"]["no_subscriber"]) == (2, 1, 1)
        dialling.sender.dropped["queue_full"] += 1
        dialling.sender.received += 1
        ledger = dialling.figures.ledger()
        assert ledger["events"]["in"] == 3
        assert ledger["events"]["rejected"]["queue_full"] == 1
        assert ledger["balance"] == {"events": 0, "frames": 0}

    async def test_frames_of_all_peers_and_those_that_are_gone(self, dialling: Dialling) -> None:
        for counts in (dialling.peers[0].counts, dialling.peers[1].counts, dialling.dialler.total):
            counts.queued, counts.sent = 10, 6
            counts.dropped.update(queue_full=3, link_lost=1)
        frames = dialling.figures.ledger()["frames"]
        assert frames == {"queued": 30, "written": 18, "shed": {"queue_full": 9}, "lost_at_close": 3, "pending": 0}

    async def test_what_does_not_add_up_shows(self, dialling: Dialling) -> None:
        dialling.peers[0].counts.queued = 1
        assert dialling.figures.ledger()["balance"]["frames"] == 1


class TestPages:
    async def test_peer_that_left_is_gone(self, dialling: Dialling) -> None:
        assert [(peer.host, peer.state) for peer in dialling.figures.peers()] == [
            ("web-1:443", "connected"),
            ("web-2:443", "gone"),
        ]

    async def test_redis_that_is_away_is_the_one_reason_not_to_be_ready(self, dialling: Dialling) -> None:
        assert dialling.figures.unready_reasons() == ["this node's Redis does not answer"]

    async def test_failed_statistics_and_odd_frames_are_metrics(self, dialling: Dialling) -> None:
        dialling.peers[1].counts.skipped["not_json"] = 4
        text = metrics_text(view_of(dialling.figures)).decode()
        assert 'awxfast_command_errors_total{reason="statistics"} 2.0' in text
        assert 'awxfast_command_errors_total{reason="not_json"} 4.0' in text
