"""One peer that is dialled over real sockets, and what it writes and joins."""

import asyncio
from collections.abc import AsyncIterator, Callable, Iterable
from typing import Any

import pytest
from awxfast._rust import LinkBundle, LinkEncoder
from awxfast.broadcast.dial_attempt import Caller
from awxfast.broadcast.dialled_peer import DialledPeer
from awxfast.broadcast.era import Era
from awxfast.broadcast.joined_groups import JoinedGroups
from awxfast.broadcast.own_node import OwnNode
from awxfast.broadcast.target import Member
from peer_server import PeerServer, until

OWN_REDIS = "0123456789abcdef"


class Redis:
    """What would be written."""

    def __init__(self) -> None:
        self.sent: list[tuple[str, bytes]] = []
        self.stored: dict[str, str] = {}
        self.stores = True

    def send(self, group: str, text: bytes) -> None:
        self.sent.append((group, text))

    def store(self, key: str, value: str) -> bool:
        self.stored[key] = value
        return self.stores


class Holder:
    """What would be joined."""

    def __init__(self) -> None:
        self.held: set[str] = set()

    async def hold(self, groups: Iterable[str]) -> None:
        self.held.update(groups)

    def hold_inherited(self, groups: Iterable[str]) -> None:
        self.held.update(groups)

    def release(self, groups: Iterable[str]) -> None:
        self.held.difference_update(groups)


class Running:
    """A peer that runs, and what it writes and joins."""

    def __init__(self, port: int, era: Era | None, engine: Any = None) -> None:
        self.redis, self.holder = Redis(), Holder()
        self.own_redis = [OWN_REDIS]
        caller = Caller("http", lambda: "the secret", None)
        self.own_node = OwnNode(
            caller, era, self.redis, JoinedGroups(self.holder), lambda: self.own_redis, "broadcast-group_send", engine
        )
        self.peer = DialledPeer(Member("web-1", "127.0.0.1", port), self.own_node)
        self.task = asyncio.create_task(self.peer.run())

    async def stop(self) -> None:
        self.task.cancel()
        await asyncio.gather(self.task, return_exceptions=True)


@pytest.fixture
async def server() -> AsyncIterator[PeerServer]:
    server = PeerServer()
    await server.start()
    yield server
    await server.stop()


@pytest.fixture
async def start(server: PeerServer) -> AsyncIterator[Callable[..., Running]]:
    started: list[Running] = []

    def start(era: Era | None = None, port: int | None = None, engine: Any = None) -> Running:
        started.append(Running(port or server.port, era, engine))
        return started[-1]

    yield start
    for running in started:
        await running.stop()


def encode(*events: tuple[str, str]) -> LinkBundle:
    """A batch of these."""
    msgpack = pytest.importorskip("msgpack")
    encoder = LinkEncoder()
    members = []
    for group, text in events:
        encoder.add_channel(f"g.{group}", group)
        message = {"type": "internal.message", "text": text, "needs_relay": True}
        members.append([bytes(12) + msgpack.packb({**message, "__asgi_channel__": [f"s.a!g.{group}"]}), b"1"])
    batch = encoder.encode_batch(members)
    assert batch is not None
    return batch


async def link_that_wants(server: PeerServer, start: Callable[..., Running], *groups: str) -> Running:
    """A relay link whose other end has subscribed to these groups."""
    running = start(Era.RELAY)
    await server.send({"type": "consumer.subscribe", "groups": groups, "origin_channel": "s.x!1"})
    await until(lambda: running.holder.held.issuperset(groups))
    return running
