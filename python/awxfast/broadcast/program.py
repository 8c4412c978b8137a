"""Wires the rooms of `python -m awxfast.broadcast` together: this node's Redis on one side, its peers on the other."""

import asyncio
import logging
import socket
from collections.abc import Callable, Coroutine, Mapping, Sequence
from typing import Any

from awxfast._rust import LinkBundle
from awxfast.app.handover import end_transfer
from awxfast.broadcast.credentials import find_keys, find_secret, make_tls
from awxfast.broadcast.dial_attempt import Caller
from awxfast.broadcast.dialler import Dialler
from awxfast.broadcast.dialler_handover import Estate
from awxfast.broadcast.engine_side import make_publisher
from awxfast.broadcast.figures import DiallerFigures
from awxfast.broadcast.joined_groups import JoinedGroups
from awxfast.broadcast.link_taker import LinkTaker
from awxfast.broadcast.local_redis import GroupSender
from awxfast.broadcast.member_sources import BY_TRUST, SOURCES, MemberSources
from awxfast.broadcast.node_redis import find_redis
from awxfast.broadcast.options import DiallerSettings
from awxfast.broadcast.own_engine import own_engine
from awxfast.broadcast.own_node import OwnNode
from awxfast.broadcast.statistics_writer import StatisticsWriter
from awxfast.errors import ConfigurationError, HandOverFailed
from awxfast.intake.decryption_log import tell_undecryptable
from awxfast.intake.host_intakes import open_intake
from awxfast.intake.pace import Pace
from awxfast.settings import LayerSettings
from awxfast.wire.entry_bodies import make_entry_format

log = logging.getLogger(__name__)

DRAIN_TIMEOUT = 2.0
DRAIN_SECONDS = 10.0
"""How long peers get, after a reload, to read what the process before it had sent to them."""


class NodeDialler:
    """All rooms of the process."""

    drains = leaves_counts = True

    def __init__(self, settings: DiallerSettings, died: int | None = None, token: str | None = None) -> None:
        """`token`: that of the process which this one takes the place of, or of one that has died.

        `died`: events that were lost at most with that one; None: it did not die.
        """
        layer = settings.layer
        self._settings = settings
        self._secret = find_secret(settings)
        self._addresses = find_redis(settings)
        self._keys = find_keys(settings)
        self._entry_format = entry_format = make_entry_format(layer, self._keys.values)
        self.taker = LinkTaker(entry_format, self._send)
        self.intake = open_intake(
            layer,
            self._addresses,
            tell_undecryptable(self.taker, entry_format),
            new_pace=self._new_pace,
            token=token,
            entry_format=entry_format,
        )
        hosts = [(part.address, part.outages, "") for part in self.intake.parts]
        self.sender = GroupSender(layer, entry_format, hosts, self._hold_reading)
        self._joined = JoinedGroups(self.intake)
        self.engine = make_publisher(settings, self.intake, self._joined)
        self._own_node = self._make_own_node()
        self.dialler = Dialler(self._own_node, settings.name, SOURCES, BY_TRUST)
        if self.engine is not None:
            self.taker.set_engine(self.engine, lambda: self.dialler.needs_frames, settings.backplane_group)
        if died is not None:
            self.intake.recovers = True
            self.taker.count_gap("died", died)
        self._statistics = StatisticsWriter(self.sender.store, lambda: self.dialler.shown, self._addresses[0])
        self._sources = MemberSources(settings, self.dialler.set_members)
        self.figures = DiallerFigures(
            self.dialler, self.taker, self.intake, self.sender, lambda: self._statistics.failures, self.engine
        )
        self._estate = Estate(
            self.dialler, self.intake, self.sender, self._describe_members, self._describe_rest, self.engine
        )
        self._own_engine = own_engine(self.engine, self.intake, self.dialler, self._run)
        self._on_counted: Callable[[], None] = lambda: None
        self._leaving: tuple[socket.socket, asyncio.Future[None]] | None = None
        self._owns_names = True
        """Whether this process's names in Redis are its own to remove."""
        self._tasks: list[asyncio.Task[None]] = []
        self.failed = self.intake.failed
        """Set when any part of it has ended by a fault of its own (logged)."""

    def _new_pace(self) -> Pace:
        return Pace(lambda: self.dialler.pause)

    def _send(self, bundle: LinkBundle) -> None:
        self.dialler.send(bundle)

    def _hold_reading(self, hold: bool) -> None:
        self.dialler.hold_reading(hold)

    def _make_own_node(self) -> OwnNode:
        settings = self._settings
        caller = Caller(settings.protocol, lambda: self._secret, make_tls(settings))
        return OwnNode(
            caller,
            settings.era,
            self.sender,
            self._joined,
            lambda: self.intake.redis_names,
            settings.backplane_group,
            self.engine,
        )

    async def start(self) -> None:
        """Redis first, which may also come later; then the engine, and the peers."""
        await self.intake.start()
        self._run(self.sender.run(), "group sends")
        self._own_engine.start()
        if self._settings.mesh:
            await self._start_mesh()
        self._run(self._statistics.run(), "statistics")
        self._own_engine.begin_silencing()

    async def _start_mesh(self) -> None:
        if self._settings.dials:
            await self._own_engine.wait_for_others()
        self._warn_of_certificates()
        await self._sources.follow(self._run)
        log.info("Dialling %d peers as %s", len(self.dialler.peers), self._settings.name)
        if self._sources.are_none and self.engine is None:
            log.warning("nobody will ever be dialled: give --peer, --peers-file or --postgres")

    def _warn_of_certificates(self) -> None:
        if self._settings.protocol == "https" and not self._settings.verify_cert:
            log.warning(
                "--no-verify-cert: whoever answers at a peer's address gets this node's secret header and its events; "
                "use --ca-file if the peers' certificates are of an authority of your own"
            )

    # From one process to the next

    async def dial_beside(self, first: Mapping[str, Any]) -> None:
        """Links beside the process whose first word this is; what comes waits. In place of `start`.

        Raises `HandOverFailed`.
        """
        if first["redis"] != self._describe_redis():
            raise HandOverFailed("the new process is to use another Redis or prefix; restart instead")
        self._owns_names = False
        self._own_node.is_beside = True
        self.intake.remember_redis(first["redis_names"])
        await self._own_engine.hear_beside(first)
        if self._settings.mesh:
            self._sources.inherit(first)
            await self._sources.follow(self._run)

    def inherit(self, record: Mapping[str, Any], descriptors: Sequence[int]) -> None:
        """What the other process has left is this one's from now on; `begin_anew` must follow."""
        self._owns_names = True
        self.intake.inherit(record["intake"], descriptors)
        self.sender.inherit(record["sender"])
        self.figures.inherit(record["figures"])
        self._statistics.failures += record["statistics_failures"]
        self._joined.inherits = True
        self.dialler.inherit(record["dialler"])
        self._own_engine.inherit(record)
        self._joined.inherits = False
        self.intake.end_inheritance()

    async def begin_anew(self) -> None:
        """Goes on with it."""
        self._run(self.sender.run(), "group sends")
        self._run(self._statistics.run(), "statistics")
        await self.intake.start()
        self._own_engine.begin_silencing()

    async def leave(self, heir: int, sock: socket.socket, on_counted: Callable[[], None]) -> None:
        """Leaves all to the process at the other end (`broadcast.dialler_handover`). `let_go` must follow, or `go_on`.

        `on_counted`: called at the moment from which on that one counts. Raises `HandOverFailed`.
        """
        self._leaving = sock, asyncio.get_running_loop().create_future()
        self._on_counted = on_counted
        await self._own_engine.end_silencing()
        await self._estate.leave(heir, sock)

    async def let_go(self) -> None:
        """All but the links is the other process's."""
        try:
            await self._abandon()
        finally:
            self._end_leaving()

    def _end_leaving(self) -> None:
        leaving, self._leaving = self._leaving, None
        if leaving is not None:
            leaving[1].set_result(None)

    async def _abandon(self) -> None:
        self._owns_names = False
        self._own_node.has_left = True
        self._joined.end()
        ending = self.intake.abandon()
        await self._own_engine.abandon()
        await self._end_tasks()
        await asyncio.gather(*ending, return_exceptions=True)

    @property
    def can_go_on(self) -> bool:
        """Not when all but the links is another process's."""
        return self._owns_names

    async def go_on(self) -> None:
        """Nobody else has taken its place: undoes `leave`."""
        if self._leaving is not None:
            try:
                await self._estate.go_on()
                self._own_engine.go_on()
            finally:
                self._end_leaving()

    async def drain(self) -> None:
        """Gives peers that are slow what was sent to them."""
        self.dialler.drop_received()
        have_read = await self.dialler.flush(DRAIN_SECONDS)
        if len(have_read) < len(self.dialler.peers):
            queued = sum(peer.queued for peer in self.dialler.peers)
            log.warning(
                "reload: peers that do not read have not got all that was sent to them (%d frames wait)", queued
            )

    def _describe_members(self) -> dict[str, Any]:
        members = self._sources.freeze(self.dialler.members["instances"].values())
        return {"redis": self._describe_redis(), **members, **self._own_engine.describe()}

    def _describe_redis(self) -> list[str]:
        layer = self._settings.layer
        form = [layer.layer] if layer.layer != LayerSettings.layer else []  # who knows of one says no more
        return [*map(str, self._addresses), layer.prefix, *form]

    def _describe_rest(self) -> dict[str, Any]:
        rest = {"figures": self.figures.freeze(), "statistics_failures": self._statistics.failures}
        rest |= self._own_engine.freeze()
        self._on_counted()
        return rest

    def ledger(self) -> Mapping[str, Any]:
        """As the admin listener shows it."""
        return self.figures.ledger()

    async def stop(self) -> None:
        """Links and groups first; then what the links brought goes into Redis."""
        if self._leaving is not None:
            sock, ended = self._leaving
            self._estate.request_stop()
            end_transfer(sock)
            await ended
        await self._own_engine.end_silencing()
        self._joined.end()
        if not self._owns_names:
            await self.dialler.stop()
            await self._own_engine.stop()
            await self._end_tasks()
            return
        await asyncio.gather(self.dialler.stop(), self.intake.stop())
        await self._own_engine.stop()
        await self.sender.drained(DRAIN_TIMEOUT)
        await self._end_tasks()
        await self._statistics.delete()

    async def _end_tasks(self) -> None:
        tasks, self._tasks = self._tasks, []
        for task in tasks:
            task.remove_done_callback(self._notice_end)
            task.cancel()
        await asyncio.gather(*tasks, return_exceptions=True)

    def reload_files(self) -> None:
        """Reads secret, keys and peers again; what has a fault stays as it was."""
        for reload in (self._reload_secret, self._reload_keys):
            try:
                reload()
            except ConfigurationError as error:
                log.error("%s; the old one stays in force", error)  # noqa: TRY400  an operator's fault, not ours
        self._sources.reload()

    def _reload_secret(self) -> None:
        self._secret = find_secret(self._settings)

    def _reload_keys(self) -> None:
        if self._keys.reload():
            self._entry_format.accept_keys(self._keys.values)

    def _run(self, work: Coroutine[Any, Any, None], name: str) -> None:
        task = asyncio.create_task(work, name=name)
        task.add_done_callback(self._notice_end)
        self._tasks.append(task)

    def _notice_end(self, task: asyncio.Task[None]) -> None:
        if not task.cancelled() and (error := task.exception()) is not None:
            log.critical("%s ended: %r", task.get_name(), error, exc_info=error)
            self.failed.set()
