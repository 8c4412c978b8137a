"""A relay leaves its websockets, and all that they need, to the one in another process, and that one goes on.

Over one socket: a head (JSON) with the fan-out's memory file, then parts of clients (JSON) with their descriptors, then
connections without a request, then an empty message. The other one answers `TAKEN` when it has read all of it; until
then nothing has changed here but that nothing was read, written or popped. Whoever's answer does not arrive has not
taken: a socket that is shut down lets none of it in.
"""

import asyncio
import contextlib
import itertools
import logging
import os
import socket
import sys
from collections.abc import Callable, Iterator, Mapping, Sequence
from typing import Any, Protocol

import orjson

from awxfast._rust import HANDOVER_FORMAT, Fanout, LinkFigures
from awxfast.errors import HandOverFailed, RedisError
from awxfast.intake.intake import Intake
from awxfast.native.record import Identities
from awxfast.nodes.link import LinkSession
from awxfast.nodes.nodes import Nodes, NoNodes
from awxfast.sockets.connection import ClientList, Connection, Session
from awxfast.sockets.server import Server
from awxfast.system.descriptors import descriptor_limit
from awxfast.system.passing import MOST, close_all, receive_message, send_message

log = logging.getLogger(__name__)

FORMAT = [3, HANDOVER_FORMAT]
"""The version of what is said here, and of what the fan-out writes. Others are not understood."""

TAKEN = b"taken"
REST_SECONDS = 8.0
"""How long the last pop may take: Redis answers an empty one after five seconds, where nobody may end it sooner."""
PATIENCE = 10.0
"""Seconds for a step of the other process; it reads while this one writes."""
UNSERVED_BYTES = 8_388_608
"""What all clients together have sent and nobody has served yet, as it is passed on: nobody is served meanwhile."""
USUAL_CREDENTIALS = 8192
"""Bytes of cookies and tokens that any browser may have: what is longer counts with what is unserved."""
SPARE = 64
"""Descriptors for all but clients that a process which goes on must have left."""


class LastingSession(Session, Protocol):
    """One that another process can go on with."""

    def freeze(self) -> dict[str, Any]:
        """What that needs, as JSON has it; nothing changes here."""

    def resume(self, connection: Connection, frozen: Mapping[str, Any]) -> None:
        """Goes on there, in place of `open`."""


class Sessions(Protocol):
    """Who makes the sessions of browsers."""

    @property
    def refusals(self) -> dict[str, int]:
        """What was refused to them, by reason."""

    def begin_again(self, identities: Identities, frozen: Mapping[str, Any]) -> LastingSession:
        """One of which `freeze` told in the process before this one; `resume` must follow."""


class Rooms:
    """Who knows what there is to leave, and who goes on with it."""

    def __init__(
        self, fanout: Fanout, intake: Intake, server: Server, sessions: Sessions, nodes: Nodes | NoNodes
    ) -> None:
        self._fanout = fanout
        self._intake = intake
        self._server = server
        self._sessions = sessions
        self._nodes = nodes


class Estate(Rooms):
    """What there is to leave."""

    format: Sequence[int] = FORMAT
    _left: tuple[Sequence[Connection], Sequence[int]] = ((), ())

    async def rest(self, successor: int) -> None:
        """Nothing is popped or on its way any more; events flow until the last moment. Raises `HandOverFailed`.

        `successor`: the process that is to go on.
        """
        try:
            await self.lighten()
            async with asyncio.timeout(REST_SECONDS):
                await self._nodes.rest()
            await self._intake.rest(successor, REST_SECONDS)
            await self.lighten()  # clients may have sent more while all that took its time
        except TimeoutError as error:
            raise HandOverFailed("Redis does not answer in time") from error
        except RedisError as error:
            raise HandOverFailed(str(error)) from error

    async def end_rest(self) -> None:
        """Undoes `rest`: nobody else goes on."""
        self._nodes.end_rest()
        await self._intake.end_rest()

    async def lighten(self) -> None:
        """Cuts off whoever has sent the most that is not served yet, until what all have sent is passed on in no time.

        Half a message may be as long as a whole one, and everybody may have one.
        """
        sizes = []
        for part in batched(self._list_connections()):
            sizes += [(measure_unserved(connection), connection) for connection in part]
            await asyncio.sleep(0)
        excess = sum(size for size, _ in sizes) - UNSERVED_BYTES
        cut_off = 0
        for size, connection in sorted(sizes, key=lambda pair: pair[0], reverse=True):
            if excess <= 0:
                break
            excess -= size
            cut_off += 1
            connection.cut_off()
        if cut_off:
            log.warning("reload: %d clients are cut off, they have sent too much of messages without an end", cut_off)

    def _list_connections(self) -> Sequence[Connection]:
        return [one for one in self._server.websockets if one.descriptor is not None]

    def leave(self, sock: socket.socket, carried: Mapping[Connection, float], unserved: int = 0) -> int:
        """Blocks until the other process has taken all; how many websockets that were. The intake is at rest.

        `carried`: whose TLS this process carries on, with the time when the other one is to close them; `unserved`:
        messages that are lost with consumers which had them, or were to have them.
        From then on this process must end at once, without another turn of its loop, or `stay_behind` in this one.
        Raises `HandOverFailed`: then all goes on here.
        """
        try:
            memory = self._fanout.freeze()
        except OSError as error:
            raise HandOverFailed(f"what is queued can't be written down: {error}") from error
        connections, idle = self._list_connections(), self._server.list_idle()

        def send() -> None:
            send_message(sock, orjson.dumps(self._describe(unserved)), [memory])
            send_connections(sock, connections, carried)
            send_idle(sock, idle)

        try:
            transfer(sock, send)
        except HandOverFailed:
            self._fanout.thaw()
            raise
        finally:
            os.close(memory)
        self._left = connections, idle
        return len(connections)

    def stay_behind(self) -> None:
        """Lets go of all that was left, and stays for the rest: requests under way, and TLS that is carried."""
        connections, idle = self._left
        self._fanout.discard()
        self._intake.abandon()
        self._server.pass_on(connections)
        self._server.begin_leaving(idle)

    def _describe(self, unserved: int) -> dict[str, Any]:
        return {
            "format": self.format,
            "rested_at": self._intake.drain.rested_at,
            "drained": self._server.requests,
            "unserved": unserved,
            "intake": self._intake.freeze(),
            "counts": self._server.freeze_counts(),
            "refusals": self._sessions.refusals,
            "nodes": self._nodes.freeze(),
        }


def freeze_connection(connection: Connection) -> dict[str, Any]:
    """One websocket with whoever speaks over it."""
    session: Any = connection.session
    frozen = session.freeze() if session is not None else None
    return {**connection.freeze(), "session": frozen}


def measure_unserved(connection: Connection) -> int:
    """Bytes of its record that stand for what its client has sent since it was last served, or for a long head.

    That of an application is `kept`, and `last` is the text that its new consumer gets again.
    """
    record = freeze_connection(connection)
    session = record["session"] or {}  # a node's has neither
    credentials = len(orjson.dumps([session.get(key) for key in ("identity", "kept", "last")]))
    return len(orjson.dumps([record["held"], session.get("commands")])) + max(0, credentials - USUAL_CREDENTIALS)


def batched(items: Sequence[Any]) -> Iterator[Sequence[Any]]:
    """Parts of as many as a message has descriptors."""
    return (items[begin : begin + MOST] for begin in range(0, len(items), MOST))


def transfer(sock: socket.socket, send: Callable[[], None]) -> None:
    """Calls `send`, then blocks until the other process has all. Raises `HandOverFailed`: it has taken nothing."""
    sock.settimeout(PATIENCE)
    try:
        send()
        answer, _ = receive_message(sock)
    except Exception as error:  # whatever it is: who has not been taken over goes on
        if was_taken(sock):
            return
        raise HandOverFailed(describe_fault(error)) from error
    if answer != TAKEN:
        raise HandOverFailed(answer.decode("utf-8", "replace"))


def send_connections(
    sock: socket.socket, connections: Sequence[Connection], carried: Mapping[Connection, float]
) -> None:
    """Websockets with their sockets; of those that are `carried` the time when they are due."""
    for part in batched(connections):
        records = [{**freeze_connection(one), "due": carried.get(one)} for one in part]
        send_message(sock, orjson.dumps(records), [connection.descriptor or 0 for connection in part])


def send_idle(sock: socket.socket, idle: Sequence[int]) -> None:
    """Connections without a request, and the end of all."""
    for part in batched(idle):
        send_message(sock, orjson.dumps([None] * len(part)), part)
    send_message(sock, b"")


def end_transfer(sock: socket.socket) -> None:
    """Whoever waits for it goes on."""
    with contextlib.suppress(OSError):
        sock.shutdown(socket.SHUT_RDWR)


def was_taken(sock: socket.socket) -> bool:
    """Whether the answer has arrived all the same. From now on none can."""
    end_transfer(sock)
    try:
        return receive_message(sock)[0] == TAKEN
    except (OSError, EOFError):
        return False


def describe_fault(error: Exception) -> str:
    """Why another process did not go on, for the operator."""
    if isinstance(error, EOFError | BrokenPipeError | ConnectionResetError):
        return "the new process ended in the middle of it"
    if isinstance(error, TimeoutError):
        return f"the new process has not answered for {PATIENCE:g} s"
    return f"it can't be passed on: {error or type(error).__name__}"


class Inheritance:
    """All that another process left, before it is used. Descriptors are closed by whoever drops it."""

    def __init__(self) -> None:
        self.head: Mapping[str, Any] = {}
        self.memory = -1
        self.clients: list[tuple[bytes, Sequence[int]]] = []
        """In the parts in which they came, each read when it is used: what all records take is never there at once."""
        self.idle: list[int] = []

    @classmethod
    def receive(cls, sock: socket.socket) -> "Inheritance":
        """Blocks until all is there. Raises `OSError`, `EOFError` when the other process goes on itself."""
        inheritance = cls()
        try:
            inheritance._receive(sock)
        except BaseException:
            inheritance.close()
            raise
        return inheritance

    def _receive(self, sock: socket.socket) -> None:
        payload, memory = receive_message(sock)
        self.memory = memory[0] if memory else -1
        self.head = orjson.loads(payload)
        while True:
            payload, descriptors = receive_message(sock)
            if not payload:
                return
            records = orjson.loads(payload)
            if len(records) != len(descriptors):
                close_all(descriptors)
                raise ValueError("a record each is due, and a descriptor")
            if records[0] is None:
                self.idle += descriptors
            else:
                self.clients.append((payload, descriptors))

    def count(self) -> int:
        """How many websockets there are."""
        return sum(len(descriptors) for _, descriptors in self.clients)

    def take_clients(self) -> Iterator[tuple[dict[str, Any], int]]:
        """Each with its descriptor, which is the caller's from then on."""
        while self.clients:
            payload, descriptors = self.clients.pop(0)
            yield from zip(orjson.loads(payload), descriptors, strict=True)

    def close(self) -> None:
        """Nobody goes on with them here."""
        close_all([self.memory, *self.idle, *itertools.chain.from_iterable(part for _, part in self.clients)])


class Heir(Rooms):
    """Goes on with all that another process left."""

    def __init__(
        self, fanout: Fanout, intake: Intake, server: Server, sessions: Sessions, nodes: Nodes | NoNodes
    ) -> None:
        super().__init__(fanout, intake, server, sessions, nodes)
        self._identities = Identities()
        self._links: list[tuple[Connection, int]] = []

    def accept(self, inheritance: Inheritance, understood: Sequence[int] = FORMAT) -> None:
        """Looks whether all can be taken; reads the fan-out's part. Nothing is used yet. Raises `HandOverFailed`."""
        if inheritance.head["format"] != understood:
            raise HandOverFailed(f"it understands format {understood}, not {inheritance.head['format']}")
        limit = descriptor_limit()
        needed = 2 * inheritance.count() + len(inheritance.idle) + SPARE
        if needed > limit:
            raise HandOverFailed(f"it may have {limit} descriptors, which is too few for all clients")
        try:
            self._fanout.inherit(inheritance.memory)
        except OSError as error:
            raise HandOverFailed(f"what is queued can't be read: {error}") from error

    async def take(self, inheritance: Inheritance) -> int:
        """From now on browsers are served here; how many they are. `Server.begin` was called, `end` must follow."""
        self._intake.inherit(inheritance.head["intake"])
        self._server.inherit_counts(inheritance.head["counts"])
        self._sessions.refusals.update(inheritance.head["refusals"])
        self._nodes.inherit(inheritance.head["nodes"])
        if inheritance.head["unserved"]:
            self._fanout.count_gap("replay", inheritance.head["unserved"])
        taken = [self._take_client(record, descriptor) for record, descriptor in inheritance.take_clients()]
        self._fanout.end_inheritance()
        there = [client for client in taken if client is not None]
        self._links = [client for client in there if client[0].is_node]
        for part in batched([client for client in there if not client[0].is_node]):
            for client in part:
                self._adopt(*client)
            await asyncio.sleep(0)
        for descriptor in inheritance.idle:
            self._server.take_idle(socket.socket(fileno=descriptor))
        os.close(inheritance.memory)
        return len(there)

    def _adopt(self, connection: Connection, descriptor: int) -> None:
        sock = socket.socket(fileno=descriptor)
        sock.setblocking(False)
        self._server.adopt(sock, connection)

    def end(self) -> None:
        """All browsers are back in their groups: what nodes send comes, groups that nobody holds are left."""
        links, self._links = self._links, []
        for link in links:
            self._adopt(*link)
        self._intake.groups.end_inheritance()

    def _take_client(self, record: dict[str, Any], descriptor: int) -> tuple[Connection, int] | None:
        """Its frames go on at once, what it sends as soon as it has a transport."""
        try:
            client, figures = self._fanout.take_client(descriptor, record["client"])
        except OSError as error:
            log.error("a client is lost, it can't be taken over: %s", error)  # noqa: TRY400  ours to count, no fault here
            os.close(descriptor)
            return None
        frozen = record["session"]
        clients, session = self._take_session(record, figures)
        label = (record["label"][0], sys.intern(record["label"][1])) if record["label"] is not None else None
        connection = Connection(clients, session, label)
        connection.resume(record, client)
        self._server.websockets.add_inherited(connection, record["due"])
        if session is not None:
            session.resume(connection, frozen)
        return connection, descriptor

    def _take_session(
        self, record: dict[str, Any], figures: LinkFigures | None
    ) -> tuple[ClientList, LastingSession | LinkSession | None]:
        """Where the connection stands, and who speaks over it: a browser's session, a node's, or nobody any more."""
        clients, seat, frozen = self._server.websockets, record["seat"], record["session"]
        if seat is not None:
            session = self._nodes.begin_again(frozen) if frozen is not None else None
            return self._nodes.take_seat(clients, seat, figures), session
        return clients, self._sessions.begin_again(self._identities, frozen) if frozen is not None else None
