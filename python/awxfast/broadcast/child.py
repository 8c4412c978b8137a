"""The process that dials: runs the dialler's rooms on uvloop until main asks it to stop, or is gone."""

import asyncio
import socket
import time
from typing import Any, NoReturn

import uvloop

from awxfast.app.handover import TAKEN
from awxfast.app.life import live, start_unless_stopped, when_stopped
from awxfast.broadcast.credentials import find_keys, find_secret
from awxfast.broadcast.dialler_handover import FORMAT, LINKED, Legacy, refuse_lost, wait_until_linked
from awxfast.broadcast.node_redis import find_redis
from awxfast.broadcast.options import DiallerSettings
from awxfast.broadcast.program import NodeDialler
from awxfast.errors import HandOverFailed
from awxfast.process.child import run_reporting, take_start
from awxfast.process.control import Control
from awxfast.process.log import configure_log
from awxfast.process.pipe import Pipe
from awxfast.redis.login import open_connection
from awxfast.system.queued_stream import leave

PART = "a part of the dialler"
"""What it is that ends the process by a fault of its own."""


def main(control_descriptor: int) -> NoReturn:
    """Never returns: to free a hundred thousand groups one by one takes Python longer than all that is to be done."""
    sock, start = take_start(control_descriptor)
    with asyncio.Runner(loop_factory=uvloop.new_event_loop) as runner:
        leave(runner.run(run_child(sock, start)))


async def run_child(sock: socket.socket, start: dict[str, Any]) -> int:
    """Dials as main's first message says; the exit code."""
    control = DiallerControl(await Pipe.open(sock), start)
    return await run_reporting(control, run_rooms(start, control))


async def run_rooms(start: dict[str, Any], control: "DiallerControl") -> None:
    """From the start, or in another process's place."""
    settings = DiallerSettings.from_json(start["settings"])
    configure_log(settings)
    if control.predecessor is not None:
        await succeed(settings, control, control.predecessor)
        return
    node = NodeDialler(settings, control.died, control.token)
    control.show(node.figures)
    await live(node, control, start_unless_stopped(node.start(), control), PART)


async def succeed(settings: DiallerSettings, control: "DiallerControl", sock: socket.socket) -> None:
    """Links beside another process, which leaves all then; or until that goes on after all.

    Raises `AwxfastError` before it can.
    """
    find_secret(settings)
    find_keys(settings)
    for address in find_redis(settings):
        (await open_connection(address)).close()
    control.report_ready(FORMAT)
    with sock:
        legacy = Legacy(sock)
        stopping = when_stopped(control, legacy.end)
        first = await legacy.receive()
        if first is None:
            return
        node = NodeDialler(settings, control.died, first["token"])
        await live(node, control, take_over(node, control, legacy, first, stopping), PART)


async def take_over(
    node: NodeDialler,
    control: "DiallerControl",
    legacy: Legacy,
    first: Any,
    stopping: asyncio.Future[None],
) -> bool:
    """Goes on with what the other process has left; whether it has. `stopping` ends what that waits for until then."""
    record = await link_beside(node, legacy, first)
    stopping.cancel()
    if record is None:
        return False
    control.show(node.figures, inherited=True)
    await node.begin_anew()
    kept = sum(peer.up for peer in node.dialler.peers)
    control.report_succeeded(kept, 0, time.monotonic() - record["rested_at"])
    return True


async def link_beside(node: NodeDialler, legacy: Legacy, first: Any) -> Any:
    """What the other process has left, when it is taken; None: that one goes on, and knows why."""
    try:
        await node.dial_beside(first)
        await wait_until_linked(node.dialler, first["linked"])
        record = await legacy.receive() if legacy.answer(LINKED) else None
        if record is not None:
            refuse_lost(node.dialler, record)
    except HandOverFailed as error:
        legacy.answer(str(error).encode())
        return None
    if record is None or not legacy.answer(TAKEN):
        return None
    node.inherit(record, legacy.descriptors)
    return record


class DiallerControl(Control[NodeDialler]):
    """What main asks for, while the dialler runs."""

    async def _leave_to(self, heir: int, understood: list[int], sock: socket.socket) -> None:
        if self._relay is None:
            raise HandOverFailed("nobody dials at present")
        if understood != FORMAT:
            raise HandOverFailed(f"the new process understands another format ({understood}, here {FORMAT})")
        await self._relay.leave(heir, sock, self.leave_counts)
