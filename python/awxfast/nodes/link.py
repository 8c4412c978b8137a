"""One link from another node, server side. The fan-out writes to it; what it sends is taken in here."""

import asyncio
import logging
from collections.abc import Mapping
from typing import Any

from awxfast.intake.event_intake import EventIntake
from awxfast.nodes.engine_feed import EngineFeed, NoEngine
from awxfast.nodes.ingest import Ingest
from awxfast.nodes.peers import LinkFigures, Peer
from awxfast.sockets.connection import Connection
from awxfast.wire.backplane import Notice, encode_notice, split_notice
from awxfast.wire.close_codes import FAILED, INVALID_DATA, SLOW, UNSUPPORTED_DATA

log = logging.getLogger(__name__)


class LinkSession:
    """Joins the backplane's group with its first breath, and leaves it with its last."""

    takes_str = False

    def __init__(
        self,
        peer: Peer,
        era: str,
        group: str,
        backplane: EventIntake,
        ingest: Ingest | None,
        publisher: str | None,
        engine: EngineFeed | NoEngine,
    ) -> None:
        """`ingest` takes the events of the relay era; None in the broadcast era, in which nothing is expected.

        `publisher`: who publishes in the `engine` what the link brings; None: nobody.
        """
        self._peer = peer
        peer.sessions += 1
        self._era = era
        self._group = group
        self._backplane = backplane
        self._ingest = ingest
        self._publisher = publisher if ingest is not None else None
        self._engine = engine
        self._socket: Connection | None = None
        self._figures: LinkFigures | None = None
        self._frames: list[bytes] = []
        self._holds = self._is_told = False
        self._over = False
        self._joining: asyncio.Task[None] | None = None

    @property
    def is_over(self) -> bool:
        """Whether the link is gone."""
        return self._over

    @property
    def has_shed(self) -> bool:
        """Whether it missed something."""
        return self._figures is not None and any(self._figures.read()[2].values())

    def open(self, socket: Connection) -> None:
        """The link can be used."""
        self._connect(socket)
        self._joining = asyncio.get_running_loop().create_task(self._join())

    def _connect(self, socket: Connection) -> None:
        self._socket = socket
        self._figures = socket.figures
        if self._publisher is not None:
            self._engine.note_link(self._publisher, 1)
        if self._figures is not None:
            self._peer.connect(self._figures, self._era)

    # From one process to the next

    def freeze(self) -> dict[str, Any]:
        """What another process needs to go on; nothing changes here. What it is told of is the fan-out's to tell."""
        frames = [frame.decode() for frame in self._frames]
        return {
            "host": self._peer.host,
            "era": self._era,
            "told": self._is_told,
            "frames": frames,
            "publisher": self._publisher,
        }

    def resume(self, socket: Connection, frozen: Mapping[str, Any]) -> None:
        """Goes on with what `freeze` gave in the process before this one, in place of `open`.

        A node that was not told of everything yet is told again, once Redis can be asked.
        """
        self._connect(socket)
        for frame in frozen["frames"]:
            self._take_later(frame.encode())
        if frozen["told"]:
            self._backplane.hold_inherited([self._group])
            self._holds = self._is_told = True
        else:
            self._joining = asyncio.get_running_loop().create_task(self._join(again=True))

    # What goes out

    async def _join(self, *, again: bool = False) -> None:
        """In this order, so that no change of a subscription falls between what is told now and what is told later."""
        try:
            if again:
                await self._backplane.wait_registered()
            await self._backplane.hold([self._group])
            self._holds = True
            if self._ingest is not None:
                async for notice in self._backplane.list_interest():
                    self._tell(notice)
            self._is_told = True
        except Exception:
            log.exception("a node link failed")
            if self._socket is not None:
                self._socket.close(FAILED, drop=True)

    def _tell(self, notice: Notice) -> None:
        for part in split_notice(notice):
            if self._socket is not None:
                self._socket.send_text(encode_notice(part))

    # What the connection calls

    def receive_text(self, payload: bytes) -> None:
        """Events of the relay era. They are taken together with what else this read brought."""
        self._peer.receive(1, len(payload))
        if self._ingest is not None:
            self._take_later(payload)

    def _take_later(self, payload: bytes) -> None:
        if not self._frames:
            asyncio.get_running_loop().call_soon(self._take_frames)
        self._frames.append(payload)

    def _take_frames(self) -> None:
        frames, self._frames = self._frames, []
        if self._ingest is None or self._socket is None or self._ingest.receive(frames, self._socket):
            return
        self._peer.last_error = "it sent a frame that is not the wire's"
        self._socket.close(INVALID_DATA, b"not a frame of the relay's wire", drop=True)

    def receive_binary(self, payload: bytes) -> None:
        """Only text is spoken here."""
        self._peer.last_error = "it sent a binary frame"
        if self._socket is not None:
            self._socket.close(UNSUPPORTED_DATA, b"only text is spoken here", drop=True)

    def replies_drained(self) -> None:
        """Never asked for: a link sends no replies."""

    def room_made(self) -> None:
        """Never asked for: a link's own frames may be shed."""

    def restart(self) -> None:
        """Ends a link that missed notices: when the node dials again, it is told everything."""
        if self._socket is not None:
            self._peer.last_error = "it did not keep up and missed notices of subscriptions"
            self._socket.close(SLOW, b"slow node", drop=True)

    def end(self, code: int, reason: str = "") -> None:
        """The link is gone."""
        self._over = True
        self._peer.sessions -= 1
        if self._frames and self._socket is not None:
            self._take_frames()
        socket, self._socket = self._socket, None
        if self._publisher is not None and socket is not None:
            self._engine.note_link(self._publisher, -1)
        if self._joining is not None:
            self._joining.cancel()
        if self._holds:
            self._backplane.release([self._group])
        if self._ingest is not None and socket is not None:
            self._ingest.forget(socket)
        if self._figures is not None:
            self._peer.disconnect(self._figures)
