"""What a relay leaves to another process: brought to rest, written down, sent, and let go of."""

import asyncio
import logging
import os
import socket
from collections.abc import Iterator, Mapping, Sequence
from typing import Any

import orjson

from awxfast.app.handover import (
    FORMAT,
    REST_SECONDS,
    Message,
    batched,
    needing_redis,
    transfer,
    write_idle,
    write_records,
)
from awxfast.app.rooms import Rooms
from awxfast.errors import HandOverFailed
from awxfast.sockets.connection import Connection

log = logging.getLogger(__name__)

UNSERVED_BYTES = 8_388_608
"""What all clients together have sent and nobody has served yet, as it is passed on: nobody is served meanwhile."""
ESCAPED = 6
"""Bytes of JSON that one of text takes at most (RFC 8259 section 7); Base64 takes fewer."""
USUAL_CREDENTIALS = 8192
"""Bytes of cookies and tokens that any browser may have: what is longer counts with what is unserved."""


class Estate:
    """What there is to leave."""

    def __init__(self, rooms: Rooms, form: Sequence[int] = FORMAT) -> None:
        """`form`: the version of it, which the other process must understand."""
        self._fanout = rooms.fanout
        self._intake = rooms.intake
        self._server = rooms.server
        self._sessions = rooms.sessions
        self._nodes = rooms.nodes
        self._engine = rooms.engine
        self._format = form
        self._left: tuple[Sequence[Connection], Sequence[int]] = ((), ())

    async def rest(self, successor: int) -> None:
        """Nothing is popped or on its way any more; events flow until the last moment. Raises `HandOverFailed`.

        `successor`: the process that is to go on.
        """
        with needing_redis():
            weights = await self.lighten()
            async with asyncio.timeout(REST_SECONDS):
                await self._nodes.rest()
            await self._intake.rest(successor, REST_SECONDS)
            await self._engine.rest()
            if self._weigh_most(weights) > UNSERVED_BYTES:
                await self.lighten()  # clients have sent more while all that took its time

    async def end_rest(self) -> None:
        """Undoes `rest`: nobody else goes on."""
        self._nodes.end_rest()
        await self._intake.end_rest()

    async def lighten(self) -> dict[Connection, int]:
        """Cuts off whoever has sent the most that is not served yet, until what all have sent is passed on in no time.

        Half a message may be as long as a whole one, and everybody may have one. What those weigh who stay.
        """
        weights: dict[Connection, int] = {}
        for part in batched(self._list_connections()):
            weights.update((connection, measure_unserved(connection)) for connection in part)
            await asyncio.sleep(0)
        excess = sum(weights.values()) - UNSERVED_BYTES
        cut_off = 0
        for connection in sorted(weights, key=weights.__getitem__, reverse=True):
            if excess <= 0:
                break
            excess -= weights.pop(connection)
            cut_off += 1
            connection.cut_off()
        if cut_off:
            log.warning("reload: %d clients are cut off, they have sent too much of messages without an end", cut_off)
        return weights

    def _weigh_most(self, former: Mapping[Connection, int]) -> int:
        """What all weigh at most who weighed so much: to look at each again, nobody is served meanwhile.

        Only nodes, which are few, and newcomers are: nobody keeps an account of what nodes have sent.
        """
        browsers = sum(weight for one, weight in former.items() if not one.is_node)
        others = [one for one in self._list_connections() if one.is_node or one not in former]
        unserved = self._server.websockets.unserved + self._sessions.unserved
        return browsers + ESCAPED * unserved + sum(map(measure_unserved, others))

    def _list_connections(self) -> Sequence[Connection]:
        return [one for one in self._server.websockets if one.descriptor is not None]

    def leave(self, sock: socket.socket, carried: Mapping[Connection, float], unserved: int = 0) -> int:
        """Blocks until the other process has taken all; how many websockets that were. The intake is at rest.

        `carried`: whose TLS this process carries on, with the time when the other one is to close them; `unserved`:
        messages that are lost with consumers which had them, or were to have them.
        From then on this process must end at once, without another turn of its loop, or `stay_behind` in this one.
        Raises `HandOverFailed`: then all goes on here.
        """
        connections, idle = self._list_connections(), self._server.list_idle()
        try:
            memory = self._fanout.freeze()
        except OSError as error:
            raise HandOverFailed(f"what is queued can't be written down: {error}") from error

        def write() -> Iterator[Message]:
            yield orjson.dumps(self._describe(unserved)), [memory, *self._intake.descriptors]
            yield from write_connections(connections, carried)
            yield from write_idle(idle)

        try:
            transfer(sock, write())
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
        self._engine.abandon()
        self._server.pass_on(connections)
        self._server.begin_leaving(idle)

    def _describe(self, unserved: int) -> dict[str, Any]:
        return {
            "format": self._format,
            "rested_at": self._intake.rested_at,
            "drained": self._server.requests,
            "unserved": unserved,
            "intake": self._intake.freeze(),
            "counts": self._server.freeze_counts(),
            "refusals": self._sessions.refusals,
            "nodes": self._nodes.freeze(),
            "engine": self._engine.freeze(),
        }


def write_connections(connections: Sequence[Connection], carried: Mapping[Connection, float]) -> Iterator[Message]:
    """Websockets with their sockets; of those that are `carried` the time when they are due."""
    for part in batched(connections):
        records = [{**freeze_connection(one), "due": carried.get(one)} for one in part]
        yield write_records(records), [connection.descriptor or 0 for connection in part]


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
