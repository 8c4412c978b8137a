"""The intake's end of relaying: one encoding whatever the number of peers."""

import msgpack
from awxfast._rust import EntryFormat, LinkBundle
from awxfast.broadcast.link_taker import LinkTaker


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
