"""A session as one process leaves it and the next goes on with it: JSON in between, nothing told or done twice."""

import asyncio
import json
from collections import Counter
from collections.abc import Iterable, Sequence
from typing import Any

from awxfast.intake.groups import TURN_GROUPS
from awxfast.native.access import Identity, RefuseAccess
from awxfast.native.session import HELD_BYTES, NativeProtocol, NativeSession
from awxfast.native.session_record import Identities
from awxfast.settings import REPLY_BYTES
from awxfast.turns import Turns
from awxfast.wire.browser_commands import Want
from serving import until


class Redis:
    """Subscriptions of one process; those of the other one are its own."""

    def __init__(self) -> None:
        self.counts: Counter[str] = Counter()
        self.answers = asyncio.Event()
        self.turns = Turns(TURN_GROUPS)

    async def hold(self, groups: Iterable[str]) -> None:
        await self.answers.wait()
        self.counts.update(groups)

    def hold_at_once(self, groups: Sequence[str]) -> bool:
        return False

    def hold_inherited(self, groups: Iterable[str]) -> None:
        self.counts.update(groups)

    def release(self, groups: Iterable[str]) -> None:
        self.counts.subtract(groups)


class OddJobs(RefuseAccess):
    """Everybody may see jobs with odd numbers, and is told when `answers` is set."""

    def __init__(self) -> None:
        self.answers = asyncio.Event()
        self.answers.set()

    async def may_subscribe(self, identity: Identity, want: Want) -> bool:
        await self.answers.wait()
        return int(want.value) % 2 == 1

    def recall_right(self, identity: Identity, want: Want) -> bool:
        return False


class Wire:
    """In the place of a connection: what the client is sent, and whether it is read."""

    def __init__(self, groups: Sequence[str] = ()) -> None:
        self.groups = groups
        self.sent: list[str] = []
        self.reads = True
        self.asked = 0
        self.close_timeout = 600.0

    def send_texts(self, payloads: Sequence[bytes]) -> None:
        self.sent += [payload.decode() for payload in payloads]

    def subscribe(self, joined: Sequence[str], left: Sequence[str], reply: bytes) -> None:
        self.groups = sorted({*self.groups, *joined} - set(left))
        self.sent.append(reply.decode())

    def pause_reading(self) -> None:
        self.reads = False

    def resume_reading(self) -> None:
        self.reads = True

    def ask_drained(self) -> None:
        self.asked += 1

    def judge_replies(self) -> None:
        """Nobody is too slow here."""


class Process:
    """What one process has for its sessions."""

    def __init__(self) -> None:
        self.redis = Redis()
        self.access = OddJobs()
        self.protocol = NativeProtocol(self.redis, self.access)

    def begin(self, wire: Wire) -> NativeSession:
        session = NativeSession(self.protocol, Identity(7, by_session=True), "a page's")
        session.open(wire)  # type: ignore[arg-type]
        return session

    def inherit(self, session: NativeSession, wire: Wire) -> tuple[NativeSession, Wire]:
        """One of another process, with its connection here."""
        frozen = json.loads(json.dumps(session.freeze()))
        heir, there = self.protocol.begin_again(Identities(), frozen), Wire(wire.groups)
        heir.resume(there, frozen)  # type: ignore[arg-type]
        return heir, there


async def drain(session: NativeSession, wire: Wire, count: int) -> None:
    """The client takes all replies, until there are so many."""

    def is_there() -> bool:
        session.replies_drained()
        return len(wire.sent) == count

    await until(is_there)


def subscription(*jobs: int) -> bytes:
    return json.dumps({"groups": {"job_events": jobs}, "xrftoken": "a page's"}).encode()


def current(reply: str) -> Any:
    return json.loads(reply)["groups_current"]


async def test_one_that_is_at_rest_has_its_groups_and_says_nothing() -> None:
    old, new, wire = Process(), Process(), Wire()
    old.redis.answers.set()
    session = old.begin(wire)
    session.receive_text(subscription(1, 3))
    await until(lambda: wire.sent)
    heir, there = new.inherit(session, wire)
    assert new.redis.counts == {"job_events-1": 1, "job_events-3": 1}
    assert (there.sent, there.asked, there.reads) == ([], 0, True)
    new.redis.answers.set()
    heir.receive_text(subscription(3))
    await drain(heir, there, 1)
    assert json.loads(there.sent[0]) == {
        "groups_current": ["job_events-3"],
        "groups_left": ["job_events-1"],
        "groups_joined": [],
    }
    heir.end(1000)
    assert not +new.redis.counts
    session.end(1000)


async def test_user_has_in_the_new_process_what_counts_for_all_connections() -> None:
    old, new, wire = Process(), Process(), Wire()
    old.redis.answers.set()
    session = old.begin(wire)
    session.receive_text(subscription(1))
    await until(lambda: wire.sent)
    heir, _ = new.inherit(session, wire)
    new.protocol.user_groups.most = 1
    assert not new.protocol.user_groups.replace(7, frozenset({"job_events-9"}), frozenset())
    heir.end(1000)
    assert new.protocol.user_groups.replace(7, frozenset({"job_events-9"}), frozenset())
    session.end(1000)


async def test_command_of_which_nothing_was_said_begins_anew() -> None:
    old, new, wire = Process(), Process(), Wire()
    old.access.answers.clear()
    session = old.begin(wire)
    session.receive_text(subscription(1, 2))
    session.receive_text(subscription(5))
    await asyncio.sleep(0)
    heir, there = new.inherit(session, wire)
    session.end(1000)
    new.redis.answers.set()
    await until(lambda: len(there.sent) == 2)
    assert "access denied" in there.sent[0]
    assert current(there.sent[1]) == ["job_events-1"]
    await drain(heir, there, 3)
    assert current(there.sent[2]) == ["job_events-5"]
    assert wire.sent == []
    assert (old.protocol.refusals, new.protocol.refusals) == ({}, {"access": 1})
    heir.end(1000)


async def test_error_replies_that_are_out_are_not_repeated() -> None:
    old, new, wire = Process(), Process(), Wire()
    session = old.begin(wire)
    session.receive_text(subscription(1, 2))  # Redis does not answer
    await until(lambda: wire.sent)
    heir, there = new.inherit(session, wire)
    session.end(1000)
    new.redis.answers.set()
    await drain(heir, there, 1)
    assert [current(reply) for reply in there.sent] == [["job_events-1"]]
    assert (len(wire.sent), new.protocol.refusals) == (1, {})
    assert there.groups == ["job_events-1"]
    heir.end(1000)


async def test_replies_that_stand_past_their_bound_are_watched_on() -> None:
    old, new, wire = Process(), Process(), Wire()
    session = old.begin(wire)
    frozen = {**session.freeze(), "standing": REPLY_BYTES + 1}
    heir, there = new.protocol.begin_again(Identities(), frozen), Wire()
    heir.resume(there, frozen)  # type: ignore[arg-type]
    assert there.asked == 1
    new.redis.answers.set()
    heir.receive_text(subscription(1))
    await asyncio.sleep(0)
    assert there.sent == []  # no further one before they are out
    await drain(heir, there, 1)
    heir.end(1000)
    session.end(1000)


async def test_client_whose_commands_are_too_many_is_not_read_yet() -> None:
    old, new, wire = Process(), Process(), Wire()
    old.access.answers.clear()
    new.access.answers.clear()
    session = old.begin(wire)
    large = subscription(1).ljust(HELD_BYTES // 2)
    for _ in range(4):
        session.receive_text(large)
    assert not wire.reads
    heir, there = new.inherit(session, wire)
    assert not there.reads
    session.end(1000)
    heir.end(1000)
