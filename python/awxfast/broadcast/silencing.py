"""Links to nodes that have come into the engine since they were dialled: dialled again, so that they fall silent.

Events wait meanwhile, so that none goes both ways, or neither.
"""

import asyncio
import time
from collections.abc import Sequence

from awxfast.broadcast.dialled_peer import DialledPeer
from awxfast.broadcast.dialler import Dialler
from awxfast.engine.publisher import Publisher, wait_for
from awxfast.intake.event_intake import EventIntake
from awxfast.pauses import Pauses

LOOK_SECONDS = 5.0
FIRST_PAUSE = 60.0
LONGEST_PAUSE = 3600.0
"""Between two tries with one peer: one that never hears this node in the engine is left alone ever longer."""
STEP_SECONDS = 2.0
"""How long each step may take while events wait."""


class Silencing:
    """Looks for such links now and then."""

    def __init__(self, engine: Publisher, intake: EventIntake, dialler: Dialler) -> None:
        self._engine = engine
        self._intake = intake
        self._dialler = dialler
        self._pauses: dict[tuple[str, int], tuple[float, Pauses]] = {}
        self._working: asyncio.Task[None] | None = None
        self._is_off = False

    async def run(self) -> None:
        """Until it is cancelled."""
        while True:
            await asyncio.sleep(LOOK_SECONDS)
            if not self._is_off and (peers := [peer for peer in self._dialler.peers if self._is_due(peer)]):
                self._working = asyncio.create_task(self._dial_again(peers))
                await asyncio.wait([self._working])

    async def end(self) -> None:
        """No link is touched from now on, and events wait for none."""
        self._is_off = True
        if self._working is not None:
            self._working.cancel()
            await asyncio.gather(self._working, return_exceptions=True)

    def go_on(self) -> None:
        """Links may be dialled again from now on: undoes `end`."""
        self._is_off = False

    def _is_due(self, peer: DialledPeer) -> bool:
        at, _ = self._pauses.get(peer.member.key, (0.0, None))
        is_old = time.time() - peer.connected_at >= LOOK_SECONDS
        return is_old and time.monotonic() >= at and peer.could_be_silent and self._engine.up

    def _note_try(self, peer: DialledPeer) -> None:
        known = {one.member.key for one in self._dialler.peers}
        self._pauses = {key: value for key, value in self._pauses.items() if key in known}
        _, pauses = self._pauses.get(peer.member.key, (0.0, Pauses(FIRST_PAUSE, LONGEST_PAUSE)))
        self._pauses[peer.member.key] = time.monotonic() + pauses.take(), pauses

    async def _dial_again(self, peers: Sequence[DialledPeer]) -> None:
        for peer in peers:
            self._note_try(peer)
        if not await self._engine.announce(STEP_SECONDS):
            return
        self._intake.hold_events()
        try:
            peers = await self._dialler.flush(STEP_SECONDS, peers)
            if await self._engine.wait_sent(STEP_SECONDS) and await self._engine.announce(STEP_SECONDS):
                for peer in peers:
                    peer.dial_again()
                await wait_for(lambda: all(peer.is_silent or not peer.could_be_silent for peer in peers), STEP_SECONDS)
        finally:
            self._intake.let_events_come()
