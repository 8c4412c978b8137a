"""A dialler's process leaves its place to another one, whose links stand beside the old ones before anything changes.

Over one socket: first which links there are, upon which the other one dials them and answers `LINKED`; then, when
nothing is popped, read or written here any more, all the rest, which it answers with `TAKEN` (`app.handover`). Until
then this one can go on. What came on both links is told apart by `broadcast.doubles`.
"""

import asyncio
import contextlib
import socket
from collections.abc import Callable, Mapping, Sequence
from typing import Any, TypeVar

import orjson

from awxfast.app.handover import REST_SECONDS, end_transfer, needing_redis, transfer
from awxfast.app.life import start_unless_stopped
from awxfast.broadcast.dialled_peer import DialledPeer
from awxfast.broadcast.dialler import Dialler
from awxfast.broadcast.local_redis import GroupSender
from awxfast.engine.publisher import Publisher
from awxfast.errors import HandOverFailed
from awxfast.intake.event_intake import EventIntake
from awxfast.system.passing import receive_message, send_message

FORMAT = [1]
"""The version of what is said here. Others are not understood."""

LINKED = b"linked"
LINK_SECONDS = 15.0
"""How long the other process's dials may take: more than a dial."""
LINK_STEP = 0.01
STOCK_SECONDS = 1.0
"""How long after its 101 a stock server may take to join the backplane's group: nobody is told when it has."""
ECHO_SECONDS = 1.0
"""How long the engine may need to bring back this process's own word, behind all that was published before."""
FLUSH_SECONDS = 5.0
"""How long peers get to read what was sent to them; those who are slower get the rest while the other one goes on."""

Result = TypeVar("Result")


class Estate:
    """What there is to leave. `describe_rest` gives what others than peers and Redis have."""

    def __init__(
        self,
        dialler: Dialler,
        intake: EventIntake,
        sender: GroupSender,
        describe_members: Callable[[], dict[str, Any]],
        describe_rest: Callable[[], dict[str, Any]],
        engine: Publisher | None = None,
    ) -> None:
        self._dialler = dialler
        self._intake = intake
        self._sender = sender
        self._describe_members = describe_members
        self._describe_rest = describe_rest
        self._engine = engine
        self._stop_asked = asyncio.Event()

    def request_stop(self) -> None:
        """The process is to end: nobody is waited for any more before all is left."""
        self._stop_asked.set()

    async def wait_for_stop(self) -> None:
        """Returns when the process is to end."""
        await self._stop_asked.wait()

    async def leave(self, heir: int, sock: socket.socket) -> None:
        """Returns when the other process has taken all. Raises `HandOverFailed`; `go_on` must follow then."""
        self._dialler.begin_noting()
        await self._wait_until_linked(sock)
        if not await start_unless_stopped(self._rest(heir), self):
            raise HandOverFailed("it stops")
        record = self._describe()
        await in_thread(lambda: transfer(sock, [(orjson.dumps(record), self._intake.descriptors)]))

    async def _rest(self, heir: int) -> None:
        """Nothing is popped, read or written any more, and peers have read what they can."""
        quick = await self._dialler.flush(FLUSH_SECONDS)
        with needing_redis():
            await self._intake.rest(heir, REST_SECONDS)
        await self._dialler.flush(FLUSH_SECONDS, quick)
        if self._engine is not None:
            await self._engine.wait_sent(FLUSH_SECONDS)
            await self._engine.announce(ECHO_SECONDS)
        self._dialler.stop_reading()
        with needing_redis():
            async with asyncio.timeout(REST_SECONDS):
                await self._sender.rest()

    def _describe(self) -> dict[str, Any]:
        return {
            "format": FORMAT,
            "rested_at": self._intake.rested_at,
            "intake": self._intake.freeze(),
            "sender": self._sender.freeze(),
            "dialler": self._dialler.freeze(),
            **self._describe_rest(),
        }

    async def go_on(self) -> None:
        """Nobody has taken anything."""
        self._dialler.go_on()
        self._sender.end_rest()
        await self._intake.end_rest()

    async def _wait_until_linked(self, sock: socket.socket) -> None:
        sock.settimeout(LINK_SECONDS + FLUSH_SECONDS)
        first = {
            "format": FORMAT,
            "token": self._intake.token,
            "redis_names": [*self._intake.redis_names],
            "linked": [peer.member.key for peer in self._dialler.peers if peer.up],
            **self._describe_members(),
        }
        try:
            await in_thread(lambda: send_message(sock, orjson.dumps(first)))
            answer, _ = await in_thread(lambda: receive_message(sock))
        except TimeoutError as error:
            raise HandOverFailed(f"the new process has not linked within {LINK_SECONDS:g} s") from error
        except (OSError, EOFError) as error:
            raise HandOverFailed("the new process ended before it was linked") from error
        if answer != LINKED:
            raise HandOverFailed(answer.decode("utf-8", "replace"))


class Legacy:
    """What another process leaves, as its heir gets it."""

    def __init__(self, sock: socket.socket) -> None:
        self._sock = sock
        self.descriptors: Sequence[int] = ()
        """Those of the last message."""

    async def receive(self) -> Mapping[str, Any] | None:
        """The next message; None: the other process goes on itself. Raises `HandOverFailed` for another format."""
        try:
            payload, self.descriptors = await in_thread(lambda: receive_message(self._sock))
        except (OSError, EOFError):
            return None
        record: Mapping[str, Any] = orjson.loads(payload)
        if record["format"] != FORMAT:
            raise HandOverFailed(f"it understands format {FORMAT}, not {record['format']}")
        return record

    def answer(self, text: bytes) -> bool:
        """Whether the other process can hear it."""
        try:
            send_message(self._sock, text)
        except OSError:
            return False
        return True

    def end(self) -> None:
        """The other process goes on."""
        end_transfer(self._sock)


async def wait_until_linked(dialler: Dialler, linked: list[tuple[str, int]]) -> None:
    """Returns when these peers are linked that are still dialled, and send what there is. Raises `HandOverFailed`."""
    keys = {(name, port) for name, port in linked}
    with contextlib.suppress(TimeoutError):
        async with asyncio.timeout(LINK_SECONDS):
            while any(map(is_under_way, peers_of(dialler, keys))):  # noqa: ASYNC110  once a reload
                await asyncio.sleep(LINK_STEP)
    refuse_unlinked(dialler, keys)
    if any(peer.is_stock for peer in peers_of(dialler, keys)):
        await asyncio.sleep(STOCK_SECONDS)


def refuse_unlinked(dialler: Dialler, keys: set[tuple[str, int]]) -> None:
    """Raises `HandOverFailed` for the first that is dialled and is not linked."""
    for peer in peers_of(dialler, keys):
        if not peer.up:
            raise HandOverFailed(f"the new process can't connect to {peer.member}: {peer.last_error or 'no answer'}")


def peers_of(dialler: Dialler, keys: set[tuple[str, int]]) -> list[DialledPeer]:
    """Those that are still dialled."""
    return [peer for peer in dialler.peers if peer.member.key in keys]


def is_under_way(peer: DialledPeer) -> bool:
    """Whether its first dial has not ended."""
    return not (peer.up or peer.last_error)


def refuse_lost(dialler: Dialler, record: Mapping[str, Any]) -> None:
    """The same for those that the other process is still linked to."""
    refuse_unlinked(dialler, {(one["key"][0], one["key"][1]) for one in record["dialler"]["peers"] if one["up"]})


async def in_thread(work: Callable[[], Result]) -> Result:
    """What blocks, while the loop goes on."""
    return await asyncio.get_running_loop().run_in_executor(None, work)
