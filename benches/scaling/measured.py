"""What it costs to know who wants what: at a dialler that is told, and at the engine's server that tells it."""

import asyncio
import socket
import time
from collections.abc import Callable, Iterable

from awxfast.broadcast.interest import PeerInterest
from awxfast.demo.engine_servers import RedisClusterServers
from awxfast.engine.known_wants import KnownWants
from awxfast.engine.wanted_groups import WantedGroups
from awxfast.wire.backplane import Notice, encode_notice, read_notice_or_event
from awxfast.wire.engine_notices import Change, read_notice
from awxfast.wire.engine_notices import encode_notice as encode_change
from machine.accounting import usage_of

NOTICES = 20_000
ROUNDS = 5
GROUPS = 1_000
SUBSCRIBERS = 100
MESSAGES = 5_000
PIPELINE = 50
CHANNEL = b"awxfast:wants"
REDIS, WHO = "0" * 32, "0" * 16
TIMEOUT = 20.0


class Joins:
    """Joins nothing: that costs once a group, however many nodes want it."""

    joining = 0

    def want(self, group: str) -> None:
        """Costs nothing, as said above."""

    def unwant(self, group: str) -> None:
        """Costs nothing, as said above."""


def measure_notices() -> dict[str, float]:
    """Microseconds, by the names that the costs have."""
    return {
        "notice_us": best_of(lambda: asyncio.run(hear_links())),
        "want_us": best_of(lambda: asyncio.run(hear_engine())),
        "control_us": tell_subscribers(),
    }


def best_of(measure: Callable[[], float]) -> float:
    return min(measure() for _ in range(ROUNDS))


def time_each(messages: list[bytes], hear: Callable[[bytes], object]) -> float:
    begin = time.process_time()
    for message in messages:
        hear(message)
    return (time.process_time() - begin) * 1e6 / len(messages)


def group_names() -> Iterable[tuple[bool, str]]:
    """Groups that come and go in turns."""
    for number in range(NOTICES):
        yield number % (2 * GROUPS) < GROUPS, f"job_events-{number % GROUPS}"


async def hear_links() -> float:
    """Notices of one peer, as a mesh link brings them."""
    peer = PeerInterest(Joins())  # type: ignore[arg-type]  # what it asks of one
    messages = [encode_notice(Notice(added, (group,), "specific.a!1")) for added, group in group_names()]

    def hear(message: bytes) -> None:
        notice = read_notice_or_event(message)
        assert isinstance(notice, Notice)
        peer.apply(notice)

    return time_each(messages, hear)


async def hear_engine() -> float:
    """Changes of one taker, as the control channel brings them."""
    known = KnownWants("f" * 16, WantedGroups(Joins()), lambda: (), ())
    messages = [encode_change(change_of(number, *one)) for number, one in enumerate(group_names(), 1)]

    def hear(message: bytes) -> None:
        notice = read_notice(message)
        assert isinstance(notice, Change)
        known.hear(notice)

    return time_each(messages, hear)


def change_of(version: int, added: bool, group: str) -> Change:
    groups = {"add": (group,)} if added else {"drop": (group,)}
    return Change(who=WHO, node="web-1.example.org", redis=REDIS, version=version, **groups)


def tell_subscribers() -> float:
    """The CPU time of one Redis, a message of one change to one of many subscribers of a shard's channel."""
    message = encode_change(change_of(1, True, "job_events-4711"))
    engine = RedisClusterServers(masters=1)
    try:
        address = engine.url.rpartition("/")[2].rpartition(":")
        port = int(address[2])
        listeners = [listen(port) for _ in range(SUBSCRIBERS)]
        before = usage_of(engine.pids[0]).cpu_s
        publish(port, message, listeners)
        spent = usage_of(engine.pids[0]).cpu_s - before
        for listener in listeners:
            listener.close()
    finally:
        engine.stop()
    return spent * 1e6 / MESSAGES / SUBSCRIBERS


def listen(port: int) -> socket.socket:
    connection = socket.create_connection(("127.0.0.1", port), TIMEOUT)
    connection.sendall(packed(b"SSUBSCRIBE", CHANNEL))
    connection.recv(4096)
    return connection


def publish(port: int, message: bytes, listeners: list[socket.socket]) -> None:
    """A few at a time, as busy nodes' come; everybody takes what is there before the next."""
    with socket.create_connection(("127.0.0.1", port), TIMEOUT) as publisher:
        for _ in range(MESSAGES // PIPELINE):
            publisher.sendall(packed(b"SPUBLISH", CHANNEL, message) * PIPELINE)
            answered = b""
            while answered.count(b":") < PIPELINE:
                answered += publisher.recv(65_536)
            for listener in listeners:
                listener.recv(1 << 20, socket.MSG_TRUNC)


def packed(*words: bytes) -> bytes:
    """A command in Redis' protocol."""
    return b"*%d\r\n" % len(words) + b"".join(b"$%d\r\n%s\r\n" % (len(word), word) for word in words)
