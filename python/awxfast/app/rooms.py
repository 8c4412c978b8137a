"""The rooms of a relay that know what there is to leave to another process, and go on with it there."""

import dataclasses
from collections.abc import Mapping
from typing import Any, Protocol

from awxfast._rust import Fanout
from awxfast.intake.event_intake import EventIntake
from awxfast.native.session_record import Identities
from awxfast.nodes.engine_feed import EngineFeed, NoEngine
from awxfast.nodes.mesh import Nodes, NoNodes
from awxfast.sockets.connection import Connection
from awxfast.sockets.server import Server
from awxfast.sockets.session import Session


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

    @property
    def unserved(self) -> int:
        """Bytes of whole messages that browsers sent and that are not served; half ones are their connections'."""

    def begin_again(self, identities: Identities, frozen: Mapping[str, Any]) -> LastingSession:
        """One of which `freeze` told in the process before this one; `resume` must follow."""


@dataclasses.dataclass(frozen=True, slots=True)
class Rooms:
    """Each has a part of what there is to leave: `handover_leaving` collects it, `handover_taking` gives it back."""

    fanout: Fanout
    intake: EventIntake
    server: Server
    sessions: Sessions
    nodes: Nodes | NoNodes
    engine: EngineFeed | NoEngine = dataclasses.field(default_factory=NoEngine)
