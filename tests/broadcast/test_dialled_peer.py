"""One peer over real sockets: what is dialled when, what it is sent, and what the log says of it."""

import asyncio
import dataclasses
import json
import logging
from collections.abc import Callable
from typing import Any

import pytest
from aiohttp import web
from awxfast._rust import SecretVerifier
from awxfast.broadcast import dial_attempt as dial_module
from awxfast.broadcast import dialled_link, dialled_peer
from awxfast.broadcast.doubles import Noted
from awxfast.broadcast.era import Era
from awxfast.broadcast.link_counts import LinkCounts
from awxfast.broadcast.sharing import send_bundle
from broadcast.flooding_peer import FloodingPeer, write_once
from broadcast.running_peer import OWN_REDIS, Running, encode, link_that_wants
from peer_server import PeerServer, until

RELAY, BROADCAST = "/websocket/relay/", "/websocket/broadcast/"


class TestDial:
    async def test_header_is_awxs_and_new_for_each_dial(
        self, server: PeerServer, start: Callable[..., Running], monkeypatch: pytest.MonkeyPatch
    ) -> None:
        times = iter(range(1_700_000_000, 1_800_000_000))
        monkeypatch.setattr(dial_module.time, "time", lambda: next(times))
        server.answers[RELAY] = 403
        start(Era.RELAY)
        await until(lambda: len(server.requests) >= 2)
        headers = [request.headers["secret"].encode() for request in server.requests[:2]]
        verdicts = [SecretVerifier(["the secret"]).verify(header, 1_700_000_100)[0] for header in headers]
        assert verdicts == ["ok", "ok"]
        assert len(set(headers)) == 2

    async def test_host_header_has_the_port(self, server: PeerServer, start: Callable[..., Running]) -> None:
        start(Era.RELAY)
        await server.link()
        assert server.requests[0].headers["host"] == f"127.0.0.1:{server.port}"

    @pytest.mark.parametrize("status", [301, 302, 307, 308])
    async def test_redirect_is_not_followed(
        self, server: PeerServer, start: Callable[..., Running], status: int, caplog: pytest.LogCaptureFixture
    ) -> None:
        location = f"http://127.0.0.1:{server.port}/elsewhere/"
        server.answers[RELAY] = web.Response(status=status, headers={"Location": location})
        running = start()
        await until(lambda: len(server.requests) >= 3)
        assert {request.path for request in server.requests} == {RELAY}
        assert not running.peer.up
        (line,) = [record.getMessage() for record in caplog.records]
        for part in ("web-1", str(server.port), f"http://127.0.0.1:{server.port}", "--port"):
            assert part in line

    async def test_refusal_says_once_how_far_the_clocks_differ(
        self, server: PeerServer, start: Callable[..., Running], caplog: pytest.LogCaptureFixture
    ) -> None:
        server.answers[RELAY] = web.Response(status=403, headers={"Date": "Thu, 01 Jan 2099 00:00:00 GMT"})
        running = start()
        await until(lambda: len(server.requests) >= 3)
        (line,) = [record.getMessage() for record in caplog.records]
        assert "s ahead of ours" in line
        assert running.peer.state == "refused"
        assert running.peer.clock_skew > 10**9


class TestEra:
    @pytest.mark.parametrize("status", [404, 500, 502])
    async def test_unknown_path_leads_to_the_other_era_at_once(
        self, server: PeerServer, start: Callable[..., Running], status: int
    ) -> None:
        server.answers[RELAY] = status
        running = start()
        await server.link()
        assert [request.path for request in server.requests] == [RELAY, BROADCAST]
        assert running.peer.era is Era.BROADCAST

    async def test_peer_that_just_starts_behind_a_proxy_is_a_relay(
        self, server: PeerServer, start: Callable[..., Running]
    ) -> None:
        server.answers = {RELAY: 502, BROADCAST: 502}
        running = start()
        await until(lambda: len(server.requests) == 2)
        server.answers.clear()
        await server.link()
        assert [request.path for request in server.requests] == [RELAY, BROADCAST, RELAY]
        assert running.peer.era is Era.RELAY

    async def test_refusal_does_not(self, server: PeerServer, start: Callable[..., Running]) -> None:
        server.answers[RELAY] = 403
        start()
        await until(lambda: len(server.requests) >= 3)
        assert {request.path for request in server.requests} == {RELAY}

    async def test_it_is_remembered(self, server: PeerServer, start: Callable[..., Running]) -> None:
        server.answers[RELAY] = 404
        start()
        link = await server.link()
        await link.close()
        await until(lambda: len(server.requests) >= 3)
        assert [request.path for request in server.requests] == [RELAY, BROADCAST, BROADCAST]

    async def test_peer_that_changes_is_found_again(self, server: PeerServer, start: Callable[..., Running]) -> None:
        server.answers[RELAY] = 404
        start()
        link = await server.link()
        server.answers = {BROADCAST: 404}
        await link.close()
        await until(lambda: server.requests[-1].path == RELAY and server.links)


class TestRelay:
    async def test_only_what_is_wanted_is_sent(self, server: PeerServer, start: Callable[..., Running]) -> None:
        running = await link_that_wants(server, start, "a-1")
        send_bundle(encode(("a-1", "one"), ("b-1", "two"), ("a-1", "three")), [running.peer])
        for text in ("one", "three"):
            assert await server.receive() == {"group": "a-1", "message": {"type": "internal.message", "text": text}}
        assert running.peer.counts.sent == 2

    async def test_metrics_are_sent_without_being_asked_for(
        self, server: PeerServer, start: Callable[..., Running]
    ) -> None:
        running = start(Era.RELAY)
        await server.link()
        await until(lambda: "metrics" in running.holder.held)
        send_bundle(encode(("metrics", "{}")), [running.peer])
        assert (await server.receive())["group"] == "metrics"

    async def test_group_is_left_with_the_last_who_wants_it(
        self, server: PeerServer, start: Callable[..., Running]
    ) -> None:
        running = await link_that_wants(server, start, "a-1")
        await server.send({"type": "consumer.unsubscribe", "groups": ["a-1"], "origin_channel": "s.x!1"})
        await until(lambda: running.holder.held == {"metrics"})

    async def test_peer_that_stays_away_is_left_in_the_end(
        self, server: PeerServer, start: Callable[..., Running], monkeypatch: pytest.MonkeyPatch
    ) -> None:
        monkeypatch.setattr(dialled_peer, "KEPT_UNLINKED", 0.05)
        running = await link_that_wants(server, start, "a-1")
        await server.stop()
        await until(lambda: not running.holder.held)
        assert not running.peer.up

    async def test_what_a_peer_misses_is_counted(self, server: PeerServer, start: Callable[..., Running]) -> None:
        running = await link_that_wants(server, start, "a-1")
        await server.stop()
        await until(lambda: not running.peer.up)
        send_bundle(encode(("a-1", "one"), ("b-1", "two"), ("a-1", "three")), [running.peer])
        assert running.peer.counts.dropped == {"disconnected": 2, "link_lost": 0}

    async def test_stock_peer_that_comes_back_is_sent_what_it_wanted(
        self, server: PeerServer, start: Callable[..., Running]
    ) -> None:
        running = await link_that_wants(server, start, "a-1")
        await server.stop()
        await until(lambda: not running.peer.up)
        await server.start()
        await until(lambda: running.peer.up)
        send_bundle(encode(("a-1", "one")), [running.peer])
        assert (await server.receive())["message"]["text"] == "one"

    async def test_awxfast_peer_that_comes_back_says_it_all_again(
        self, server: PeerServer, start: Callable[..., Running], monkeypatch: pytest.MonkeyPatch
    ) -> None:
        monkeypatch.setattr(dialled_peer, "SNAPSHOT_TIME", 0.2)
        server.headers["awxfast-redis"] = OWN_REDIS[::-1]
        running = await link_that_wants(server, start, "a-1", "b-1")
        await server.stop()
        await until(lambda: not running.peer.up)
        await server.start()
        await server.send({"type": "consumer.subscribe", "groups": ["a-1"], "origin_channel": "s.x!1"})
        await until(lambda: running.holder.held == {"a-1", "metrics"})

    async def test_broadcast_link_takes_no_notices(self, server: PeerServer, start: Callable[..., Running]) -> None:
        running = start(Era.BROADCAST)
        await server.send({"type": "consumer.subscribe", "groups": ["a-1"], "origin_channel": "s.x!1"})
        await until(lambda: running.peer.counts.skipped["notice"])
        assert not running.holder.held


def broadcast(text: str) -> str:
    return json.dumps({"group": "g", "message": text})


class TestBesideAnotherProcess:
    """Its link is there as well; what came on that, it has noted."""

    @pytest.mark.parametrize(
        ("noted", "first", "second", "new"),
        [
            ("abc", "ab", "c", ""),
            ("abc", "b", "d", "d"),
            ("abc", "bcd", "e", "de"),
            ("abcd", "ab", "de", "e"),
            ("abc", "bcd", "", "d"),
        ],
    )
    async def test_link_that_was_lost_meanwhile_brought_what_is_new_once_and_nothing_else_counts(
        self, server: PeerServer, start: Callable[..., Running], noted: str, first: str, second: str, new: str
    ) -> None:
        running = start(Era.BROADCAST)
        peer, own_node = running.peer, running.own_node
        own_node.is_beside = True
        for texts in (first, second):
            received = peer.counts.received
            await until(lambda: peer.up)
            for text in texts:
                await server.send(broadcast(text))
            await until(lambda texts=texts, before=received: peer.counts.received == before + len(texts))
            if texts is first:
                server.requests[0].transport.abort()
                await until(lambda: len(server.requests) == 2 and peer.up)
        old = Noted()
        for text in noted:
            old.is_double(broadcast(text).encode())
        counts = {**dataclasses.asdict(LinkCounts()), "received": len(noted)}
        own_node.is_beside = False
        peer.inherit({**peer.freeze(), "noted": old.freeze(), "counts": counts})
        peer.end_waiting()
        assert [text.decode() for _, text in running.redis.sent] == list(new)
        assert peer.counts.received == len(noted) + len(new)
        assert peer.counts.received - peer.received_before == sum(text not in noted for text in second)

    @pytest.mark.parametrize("said", ["subscribe", "unsubscribe"])
    @pytest.mark.parametrize("was_up", [True, False])
    async def test_what_was_said_on_a_lost_link_does_not_undo_what_was_said_since(
        self, server: PeerServer, start: Callable[..., Running], said: str, was_up: bool
    ) -> None:
        """The other process has heard both, if its own link is still there; a stock peer never says it again."""
        running = start(Era.RELAY)
        peer, own_node = running.peer, running.own_node
        own_node.is_beside = True
        await until(lambda: peer.up)
        await server.send({"type": f"consumer.{said}", "groups": ["a-1"], "origin_channel": "s.x!1"})
        await until(lambda: peer.counts.received == 1)
        server.requests[0].transport.abort()
        await until(lambda: len(server.requests) == 2 and peer.up)
        own_node.is_beside = False
        peer.inherit({**peer.freeze(), "up": was_up, "interest": [("a-1", "s.x!1", True)]})
        peer.end_waiting()
        kept = [(group, fresh) for group, _, fresh in peer.freeze()["interest"] if group != "metrics"]
        lost = [("a-1", False)] if said == "subscribe" else []
        assert kept == ([("a-1", True)] if was_up else lost)


class TestSlowPeer:
    async def test_what_it_does_not_read_waits_and_the_oldest_goes(
        self, server: PeerServer, start: Callable[..., Running], monkeypatch: pytest.MonkeyPatch
    ) -> None:
        monkeypatch.setattr(dialled_link, "QUEUE_FRAMES", 50)
        running = await link_that_wants(server, start, "a-1")
        server.reads.clear()
        sent = 0
        while not running.peer.counts.dropped["queue_full"]:
            send_bundle(encode(("a-1", str(sent) + " " * 100_000)), [running.peer])
            sent += 1
            await asyncio.sleep(0)
        assert running.peer.queued == 50
        server.reads.set()
        await until(lambda: running.peer.queued == 0)
        counts = running.peer.counts
        assert counts.queued == sent == counts.sent + counts.dropped["queue_full"]
        numbers = [int((await server.receive())["message"]["text"]) for _ in range(counts.sent)]
        assert numbers == sorted(set(numbers))
        assert numbers[-1] == sent - 1


class TestLog:
    async def test_one_line_a_change_of_state(
        self, server: PeerServer, start: Callable[..., Running], caplog: pytest.LogCaptureFixture
    ) -> None:
        caplog.set_level(logging.INFO)
        server.answers[RELAY] = 502
        running = start(Era.RELAY)
        await until(lambda: len(server.requests) >= 3)
        server.answers.clear()
        await server.link()
        await server.stop()
        await until(lambda: running.peer._own_node.dials["refused", "unreachable"] >= 2)
        lines = [record.getMessage() for record in caplog.records if record.name.startswith("awxfast")]
        assert ["502" in lines[0], "connected" in lines[1], "lost" in lines[2], "refused" in lines[3]] == [True] * 4
        assert len(lines) == 4

    async def test_peer_is_found_again_when_it_is_back(self, server: PeerServer, start: Callable[..., Running]) -> None:
        running = start(Era.RELAY)
        await server.link()
        await server.stop()
        await until(lambda: not running.peer.up)
        await server.start()
        await server.link()
        await until(lambda: running.peer.up)


class TestBadPeers:
    @pytest.mark.parametrize(
        ("answer", "kind"),
        [
            (b"", "hung_up"),
            (b"garbage\r\n\r\n", "not_http"),
            (b"HTTP/1.1 200 OK\r\n\r\n", "http_200"),
            (b"HTTP/1.1 101 Switching Protocols\r\n\r\n", "not_http"),
            (b"HTTP/1.1 999 Odd\r\n\r\n", "not_http"),
            (b"x" * 20_000, "not_http"),
        ],
    )
    async def test_answer_that_is_none(self, start: Callable[..., Running], answer: bytes, kind: str) -> None:
        async with BytesServer(answer) as port:
            running = start(Era.RELAY, port)
            await until(lambda: running.peer.last_error)
            await running.stop()
        assert list(running.peer._own_node.dials) == [("refused", kind)]

    @pytest.mark.parametrize(
        "header", [b"sec-websocket-extensions: permessage-deflate", b"Sec-WebSocket-Protocol: chat"]
    )
    async def test_answer_that_takes_into_use_what_was_not_asked_for(
        self, start: Callable[..., Running], header: bytes
    ) -> None:
        """RFC 6455 section 4.1, steps 5 and 6 of what a client checks."""
        async with FloodingPeer(write_once(b""), header) as peer:
            running = start(Era.RELAY, peer.port)
            await until(lambda: running.peer.last_error)
            await running.stop()
        assert list(running.peer._own_node.dials) == [("refused", "not_http")]
        assert "not asked for" in running.peer.last_error

    async def test_peer_that_never_answers_is_given_up(
        self, start: Callable[..., Running], monkeypatch: pytest.MonkeyPatch
    ) -> None:
        monkeypatch.setattr(dial_module, "HANDSHAKE_TIMEOUT", 0.1)
        async with BytesServer(None) as port:
            running = start(Era.RELAY, port)
            await until(lambda: running.peer.last_error)
            await running.stop()
        assert running.peer.last_error == "no answer in time"

    async def test_frame_that_rfc_6455_forbids_ends_the_link(
        self, server: PeerServer, start: Callable[..., Running]
    ) -> None:
        start(Era.RELAY)
        link = await server.link()
        link._req.transport.write(bytes((0x83, 0)))  # type: ignore[union-attr]  # a reserved opcode
        await until(lambda: len(server.requests) >= 2)


class BytesServer:
    """A TCP server that answers each connection with bytes and hangs up; None: it says nothing."""

    def __init__(self, answer: bytes | None) -> None:
        self.answer = answer
        self.writers: list[asyncio.StreamWriter] = []

    async def __aenter__(self) -> int:
        self.server = await asyncio.start_server(self.serve, "127.0.0.1", 0)
        port: int = self.server.sockets[0].getsockname()[1]
        return port

    async def serve(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        self.writers.append(writer)
        if self.answer is not None:
            await reader.read(65536)
            writer.write(self.answer)
            writer.close()

    async def __aexit__(self, *_: Any) -> None:
        self.server.close()
        for writer in self.writers:
            writer.close()
        await self.server.wait_closed()
