"""Goes on with what a relay in another process has left: each of its rooms gets its part back."""

import asyncio
import logging
import os
import socket
import sys
from collections.abc import Callable, Sequence
from typing import Any

from awxfast._rust import LinkFigures
from awxfast.app.handover import FORMAT, Inheritance, batched
from awxfast.app.rooms import LastingSession, Rooms
from awxfast.errors import HandOverFailed, describe_unexpected
from awxfast.intake.event_intake import check_form
from awxfast.native.session_record import Identities
from awxfast.nodes.link import LinkSession
from awxfast.quiet_log import QuietLog
from awxfast.sockets.client_list import ClientList
from awxfast.sockets.connection import Connection

log = logging.getLogger(__name__)


class Heir:
    """Goes on with all that another process left."""

    def __init__(self, rooms: Rooms, understood: Sequence[int] = FORMAT) -> None:
        """`understood`: the version of what it takes."""
        self._fanout = rooms.fanout
        self._intake = rooms.intake
        self._server = rooms.server
        self._sessions = rooms.sessions
        self._nodes = rooms.nodes
        self._engine = rooms.engine
        self._understood = understood
        self._identities = Identities()
        self._links: list[tuple[Connection, int]] = []
        self._losses = QuietLog(log)

    def accept(self, inheritance: Inheritance) -> None:
        """Looks whether all can be taken; reads the fan-out's part. Nothing is used yet. Raises `HandOverFailed`."""
        inheritance.check(self._understood)
        check_form(self._intake, inheritance.head["intake"])
        try:
            self._fanout.inherit(inheritance.memory)
        except OSError as error:
            raise HandOverFailed(f"what is queued can't be read: {error}") from error

    async def take(self, inheritance: Inheritance, on_counted: Callable[[], None]) -> int:
        """From now on browsers are served here; how many they are. `Server.begin` was called, `end` must follow.

        `on_counted`: called when all is counted here that was counted there.
        """
        self._intake.inherit(inheritance.head["intake"], inheritance.redis)
        self._server.inherit_counts(inheritance.head["counts"])
        self._sessions.refusals.update(inheritance.head["refusals"])
        self._nodes.inherit(inheritance.head["nodes"])
        self._engine.inherit(inheritance.head.get("engine"))
        if inheritance.head["unserved"]:
            self._fanout.count_gap("replay", inheritance.head["unserved"])
        taken = [self._take_client(record, descriptor) for record, descriptor in inheritance.take_clients()]
        self._fanout.end_inheritance()
        on_counted()
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
        self._intake.end_inheritance()

    def _take_client(self, record: dict[str, Any], descriptor: int) -> tuple[Connection, int] | None:
        """Its frames go on at once, what it sends as soon as it has a transport."""
        try:
            client, figures = self._fanout.take_client(descriptor, record["client"])
        except OSError as error:
            log.error("a client is lost, it can't be taken over: %s", error)  # noqa: TRY400  ours to count, no fault here
            os.close(descriptor)
            return None
        try:
            return self._resume(record, client, figures), descriptor
        except Exception as error:  # whatever is wrong with one, all others have nobody else any more
            log.debug("what a client is lost for", exc_info=True)
            text = describe_unexpected(error)
            self._losses.warn(text, f"a client is lost, it can't be taken over: {text}")
            self._fanout.detach(client)
            os.close(descriptor)
            return None

    def _resume(self, record: dict[str, Any], client: int, figures: LinkFigures | None) -> Connection:
        frozen = record["session"]
        clients, session = self._take_session(record, figures)
        label = (record["label"][0], sys.intern(record["label"][1])) if record["label"] is not None else None
        connection = Connection(clients, session, label)
        try:
            connection.resume(record, client)
            self._server.websockets.add_inherited(connection, record["due"])
            if session is not None:
                session.resume(connection, frozen)
        except Exception:
            connection.connection_lost(None)
            raise
        return connection

    def _take_session(
        self, record: dict[str, Any], figures: LinkFigures | None
    ) -> tuple[ClientList, LastingSession | LinkSession | None]:
        """Where the connection stands, and who speaks over it: a browser's session, a node's, or nobody any more."""
        clients, seat, frozen = self._server.websockets, record["seat"], record["session"]
        if seat is not None:
            session = self._nodes.begin_again(frozen) if frozen is not None else None
            return self._nodes.take_seat(clients, seat, figures), session
        return clients, self._sessions.begin_again(self._identities, frozen) if frozen is not None else None
