"""Peers that come, move and go, while the links of the others stay."""

import asyncio
import logging
from collections.abc import AsyncIterator, Iterable

import pytest
from awxfast.broadcast import dialler as dialler_module
from awxfast.broadcast.dial_attempt import Caller
from awxfast.broadcast.dialler import Dialler
from awxfast.broadcast.era import Era
from awxfast.broadcast.joined_groups import JoinedGroups
from awxfast.broadcast.member_sources import BY_TRUST, SOURCES
from awxfast.broadcast.own_node import OwnNode
from awxfast.broadcast.target import Member
from peer_server import PeerServer, until


class Nothing:
    """No Redis, in either direction."""

    def send(self, group: str, text: bytes) -> None:
        pass

    def store(self, key: str, value: str) -> bool:
        return True

    async def hold(self, groups: Iterable[str]) -> None:
        pass

    def release(self, groups: Iterable[str]) -> None:
        pass


@pytest.fixture
def own_node() -> OwnNode:
    caller = Caller("http", lambda: "secret", None)
    return OwnNode(caller, Era.RELAY, Nothing(), JoinedGroups(Nothing()), lambda: "", "broadcast-group_send")


@pytest.fixture
async def dialler(own_node: OwnNode) -> AsyncIterator[Dialler]:
    dialler = Dialler(own_node, "me", ("flags", "database"))
    yield dialler
    await dialler.stop()


@pytest.fixture
async def servers() -> AsyncIterator[list[PeerServer]]:
    servers = [PeerServer() for _ in range(3)]
    for server in servers:
        await server.start()
    yield servers
    for server in servers:
        await server.stop()


def member(name: str, port: int, host: str = "127.0.0.1") -> Member:
    return Member(name, host, port)


class TestMembers:
    async def test_one_that_comes_or_goes_touches_no_other_link(
        self, dialler: Dialler, servers: list[PeerServer]
    ) -> None:
        members = [member(f"web-{number}", server.port) for number, server in enumerate(servers)]
        dialler.set_members("database", members[:2])
        links = [await server.link() for server in servers[:2]]
        dialler.set_members("database", members)
        await servers[2].link()
        dialler.set_members("database", members[1:])
        await until(lambda: not servers[0].links)
        assert servers[1].links == [links[1]]
        assert len(servers[1].requests) == 1

    async def test_log_says_who_has_left_and_who_has_moved(
        self, dialler: Dialler, caplog: pytest.LogCaptureFixture
    ) -> None:
        caplog.set_level(logging.INFO)
        dialler.set_members("database", [member("web-1", 1), member("web-2", 1), member("web-3", 1)])
        dialler.set_members("database", [member("web-1", 1), member("web-2", 1, "127.0.0.2")])
        lines = [record.getMessage() for record in caplog.records if "no more" in record.getMessage()]
        assert lines == [
            "web-2 (127.0.0.1:1) is dialled no more: it has moved",
            "web-3 (127.0.0.1:1) is dialled no more: it has left",
        ]

    async def test_one_that_moves_is_dialled_at_its_new_address(
        self, dialler: Dialler, servers: list[PeerServer]
    ) -> None:
        port = servers[0].port
        dialler.set_members("database", [member("web-1", port), member("web-2", servers[1].port)])
        former, other = await servers[0].link(), await servers[1].link()
        dialler.set_members("database", [member("web-1", port, "localhost"), member("web-2", servers[1].port)])
        await until(lambda: servers[0].links and servers[0].links != [former])
        assert servers[0].requests[-1].headers["host"] == f"localhost:{port}"
        assert servers[1].links == [other]

    async def test_own_name_is_nobodys_peer(self, dialler: Dialler) -> None:
        dialler.set_members("database", [member("me", 1)])
        assert not dialler.peers

    async def test_first_source_says_where_a_peer_lives(self, dialler: Dialler) -> None:
        dialler.set_members("database", [member("web-1", 1, "127.0.0.2"), member("web-2", 1)])
        dialler.set_members("flags", [member("web-1", 1, "127.0.0.3")])
        assert {(peer.member.name, peer.member.host) for peer in dialler.peers} == {
            ("web-1", "127.0.0.3"),
            ("web-2", "127.0.0.1"),
        }

    async def test_name_that_nobody_can_have_is_left_out_and_said_once(
        self, dialler: Dialler, caplog: pytest.LogCaptureFixture
    ) -> None:
        for _ in range(3):
            dialler.set_members("database", [member("bad", 1, "no such\r\nname"), member("web-1", 1)])
        assert [peer.member.name for peer in dialler.peers] == ["web-1"]
        assert len([record for record in caplog.records if "left out" in record.getMessage()]) == 1

    async def test_trusted_ones_are_never_crowded_out(
        self, own_node: OwnNode, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
    ) -> None:
        """Invented heartbeats would be dialled instead of instances, though they say better where one lives."""
        monkeypatch.setattr(dialler_module, "MAX_PEERS", 3)
        dialler = Dialler(own_node, "me", SOURCES, BY_TRUST)
        invented = [member(f"invented-{number}", 1) for number in range(5)]
        for number in range(1, 6):
            dialler.set_members("heartbeats", [*invented[:number], member("web-1", 1, "127.0.0.9")])
        dialler.set_members("instances", [member("web-1", 1), member("web-2", 1)])
        peers = {peer.member.name: peer.member.host for peer in dialler.peers}
        assert peers == {"web-1": "127.0.0.9", "web-2": "127.0.0.1", "invented-0": "127.0.0.1"}
        assert caplog.text.count("more than the 3 that are dialled") == 1
        await dialler.stop()

    async def test_number_is_bounded(self, dialler: Dialler, monkeypatch: pytest.MonkeyPatch) -> None:
        monkeypatch.setattr(dialler_module, "MAX_PEERS", 3)
        dialler.set_members("database", [member(f"web-{number}", 1) for number in range(5)])
        assert len(dialler.peers) == 3


class TestFigures:
    async def test_thousand_that_came_and_went_are_one_sum(
        self, dialler: Dialler, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        monkeypatch.setattr(dialler_module, "KEPT_SECONDS", 0.0)
        for number in range(1000):
            dialler.set_members("database", [member(f"web-{number}", 1)])
            dialler.peers[0].counts.received = 1
        dialler.set_members("database", [])
        await asyncio.sleep(0.001)
        assert len(dialler.shown) == 0
        assert dialler.total.received == 1000

    async def test_many_that_left_within_a_minute_are_bounded_and_their_sums_stay(
        self, dialler: Dialler, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        monkeypatch.setattr(dialler_module, "MAX_PEERS", 3)
        for number in range(10):
            dialler.set_members("database", [member(f"web-{number}", 1)])
            dialler.peers[0].counts.received = 1
            dialler.peers[0].counts.dropped["link_lost"] = 2
        assert len(dialler.shown) <= 4
        assert dialler.total.received + sum(peer.counts.received for peer in dialler.shown) == 10
        assert dialler.total.dropped["link_lost"] == 2 * dialler.total.received

    async def test_one_that_left_is_shown_for_a_minute(self, dialler: Dialler) -> None:
        dialler.set_members("database", [member("web-1", 1)])
        dialler.set_members("database", [])
        assert [peer.member.name for peer in dialler.shown] == ["web-1"]

    async def test_one_that_comes_back_goes_on_counting(self, dialler: Dialler) -> None:
        dialler.set_members("database", [member("web-1", 1)])
        dialler.peers[0].counts.received = 5
        dialler.set_members("database", [])
        dialler.set_members("database", [member("web-1", 1)])
        assert dialler.peers[0].counts.received == 5


class TestBesideAnotherProcess:
    async def test_peer_that_is_added_meanwhile_is_noted_like_the_others(
        self, dialler: Dialler, servers: list[PeerServer]
    ) -> None:
        dialler.begin_noting()
        dialler.set_members("flags", [member("web-1", servers[0].port)])
        await servers[0].send({"group": "g", "message": "text"})
        await until(lambda: dialler.peers[0].counts.received == 1)
        assert len(dialler.freeze()["peers"][0]["noted"]) == 1

    async def test_none_is_noted_once_the_other_process_is_given_up(
        self, dialler: Dialler, servers: list[PeerServer]
    ) -> None:
        dialler.begin_noting()
        dialler.go_on()
        dialler.set_members("flags", [member("web-1", servers[0].port)])
        await servers[0].send({"group": "g", "message": "text"})
        await until(lambda: dialler.peers[0].counts.received == 1)
        assert dialler.freeze()["peers"][0]["noted"] == []


class TestStop:
    async def test_links_are_closed_in_order(self, dialler: Dialler, servers: list[PeerServer]) -> None:
        dialler.set_members("flags", [member("web-1", servers[0].port)])
        link = await servers[0].link()
        await dialler.stop()
        await until(lambda: not servers[0].links)
        assert link.close_code == 1001
