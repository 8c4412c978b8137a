"""What operators see of a relay (`operate`)."""

import time
from collections.abc import Mapping, Sequence
from typing import Any

from awxfast import __version__
from awxfast._rust import Fanout
from awxfast.app.entrances import Entrances
from awxfast.app.feed import Feed, NoFeed
from awxfast.figures import (
    About,
    EngineFigures,
    GonePeers,
    IntakeFigures,
    PeerFigures,
    PlainFigures,
    SlowClient,
)
from awxfast.sockets.server import Server


class RelayFigures:
    """Asks each room for its own when somebody looks (`figures.Figures`)."""

    def __init__(
        self,
        fanout: Fanout,
        feed: Feed | NoFeed,
        server: Server,
        entrances: Entrances,
        max_clients: int | None,
        command_errors: Mapping[str, int],
    ) -> None:
        """`command_errors`: counts error replies to browsers' commands, by reason."""
        self._fanout = fanout
        self._feed = feed
        self._server = server
        self._entrances = entrances
        self._max_clients = max_clients
        self._command_errors = command_errors
        self._began = time.monotonic()

    def about(self) -> About:
        """Which process this is."""
        redis = ", ".join(map(str, self._feed.addresses)) or None
        uptime = time.monotonic() - self._began
        return About(__version__, uptime, self._entrances.addresses, redis, self._feed.engine.describe())

    def ledger(self) -> Mapping[str, Any]:
        """What became of all events and frames, as the fan-out counts it."""
        return self._fanout.ledger()

    def fanout(self) -> Mapping[str, Any]:
        """The fan-out's other figures."""
        return self._fanout.metrics()

    def intake(self) -> IntakeFigures | None:
        """The feed's; None without an intake."""
        return self._feed.intake_figures()

    def handshakes(self) -> Mapping[tuple[str, str], int]:
        """How many upgrades were accepted and refused, by result and reason."""
        return self._server.handshakes

    def closes(self) -> Mapping[tuple[str, str], int]:
        """The sessions', 1006 where there was no CLOSE."""
        return {(by, str(code)): count for (by, code), count in self._server.closes.items()}

    def faults(self) -> Mapping[str, int]:
        """What peers of websockets did wrong, by reason."""
        return self._server.websockets.faults

    def unserved(self) -> int:
        """Bytes that browsers have sent and nobody has served."""
        return self._server.websockets.unserved

    def command_errors(self) -> Mapping[str, int]:
        """None of an application: its errors are its own."""
        return self._command_errors

    def max_clients(self) -> int | None:
        """How many browsers may be connected at once; None: any number."""
        return self._max_clients

    def plain_connections(self) -> PlainFigures:
        """How many connections carry plain requests, and how many were ended."""
        plain = self._server.plain
        return PlainFigures(len(plain), plain.ended, plain.unanswered.bytes)

    def slow_clients(self) -> Sequence[SlowClient]:
        """The fan-out's clients with something queued or shed."""
        return [SlowClient(*row) for row in self._fanout.clients()]

    def peers(self) -> Sequence[PeerFigures]:
        """The nodes that dialled in, each with its figures."""
        return self._feed.nodes.figures()

    def engine(self) -> EngineFigures | None:
        """The feed's; None: the mesh alone."""
        return self._feed.engine.figures()

    def gone_peers(self) -> GonePeers:
        """The nodes', of those that are gone."""
        return self._feed.nodes.gone

    def unready_reasons(self) -> Sequence[str]:
        """Why browsers would not get events now."""
        return [*([] if self._entrances.is_open else ["it does not listen"]), *self._feed.troubles()]
