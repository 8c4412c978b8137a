"""The intake's end of relaying: one encoding whatever the number of peers."""

from types import SimpleNamespace
from typing import Any

import msgpack
from awxfast._rust import EntryFormat, LinkBundle
from awxfast.broadcast.link_taker import LinkTaker
from awxfast.wire.engine_packets import encode_texts


def member(group: str, needs_relay: bool = True) -> list[bytes]:
    message = {"type": "internal.message", "text": "{}", "needs_relay": needs_relay}
    return [bytes(12) + msgpack.packb({**message, "__asgi_channel__": [f"s.a!g.{group}"]}), b"1"]


class TestLinkTaker:
    def test_events_for_other_nodes_are_sent_in_one_call(self) -> None:
        sent: list[LinkBundle] = []
        taker = LinkTaker(EntryFormat(), sent.append)
        taker.add_channel("g.a-1", "a-1")
        taker.publish_batch([member("a-1"), member("a-1", needs_relay=False), member("a-1")])
        (batch,) = sent
        assert (batch.groups, batch.share({"a-1"}).frames) == ({"a-1"}, 2)
        assert taker.encoder.counts()["not_for_relay"] == 1

    def test_entries_of_a_list_are_sent_as_those_with_scores(self) -> None:
        sent: list[LinkBundle] = []
        taker = LinkTaker(EntryFormat(prefix_length=0), sent.append)
        taker.add_channel("g.a-1", "a-1")
        taker.publish_batch([member("a-1")[0][12:], member("a-1")[0][12:]])
        assert [batch.share({"a-1"}).frames for batch in sent] == [2]

    def test_nothing_to_send_is_no_call(self) -> None:
        sent: list[LinkBundle] = []
        taker = LinkTaker(EntryFormat(), sent.append)
        taker.publish_batch([member("a-1")])
        assert not sent

    def test_slow_peers_hold_nobody_back(self) -> None:
        assert not LinkTaker(EntryFormat(), lambda _: None).wait_time()

    def test_gaps_are_counted_with_their_bound(self) -> None:
        taker = LinkTaker(EntryFormat(), lambda _: None)
        taker.count_gap("wiped", 10)
        taker.count_gap("wiped", 5)
        assert taker.gaps == {"wiped": {"times": 2, "at_most": 15}}


class Engine:
    """What would be published."""

    def __init__(self) -> None:
        self.departures = SimpleNamespace(most_bytes=1_000)
        self.published: list[tuple[str, int, bytes]] = []

    def publish(self, texts: list[tuple[str, int, bytes]]) -> None:
        self.published += texts


class TestEngine:
    def make(self, *, needs_frames: bool, prefix_length: int = 12) -> tuple[LinkTaker, Any, list[LinkBundle]]:
        sent: list[LinkBundle] = []
        engine: Any = Engine()
        taker = LinkTaker(EntryFormat(prefix_length=prefix_length), sent.append)
        taker.set_engine(engine, lambda: needs_frames, "backplane")
        for group in ("a-1", "backplane"):
            taker.add_channel(f"g.{group}", group)
        return taker, engine, sent

    def test_texts_go_there_and_no_frame_is_made_for_nobody(self) -> None:
        taker, engine, sent = self.make(needs_frames=False)
        taker.publish_batch([member("a-1"), member("a-1", needs_relay=False), member("a-1")])
        assert engine.published == [("a-1", 2, encode_texts([b"{}", b"{}"]))]
        assert (sent, taker.encoder.counts()["encoded"]) == ([], 2)

    def test_links_get_frames_as_well_where_one_is_not_silent(self) -> None:
        taker, engine, sent = self.make(needs_frames=True)
        taker.publish_batch([member("a-1")])
        assert [batch.groups for batch in sent] == [{"a-1"}]
        assert (len(engine.published), taker.encoder.counts()["encoded"]) == (1, 1)

    def test_copy_of_the_broadcast_era_goes_to_the_engine_alone(self) -> None:
        taker, engine, sent = self.make(needs_frames=True)
        text = '{"group": "jobs-1", "message": "{}"}'
        message = {"type": "internal.message", "text": text, "__asgi_channel__": ["s.a!g.backplane"]}
        taker.publish_batch([[bytes(12) + msgpack.packb(message), b"1"]])
        assert (engine.published, sent) == ([("jobs-1", 1, encode_texts([b"{}"]))], [])

    def test_published_messages_go_there_too(self) -> None:
        taker, engine, sent = self.make(needs_frames=False, prefix_length=0)
        body = msgpack.packb({"type": "internal.message", "text": "{}", "needs_relay": True})
        taker.publish_pushed([(True, b"a-1", body)])
        assert (engine.published, sent) == ([("a-1", 1, encode_texts([b"{}"]))], [])
