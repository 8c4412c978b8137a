"""What `--engine` asks of the dialler: a publisher for this node's Redis."""

from awxfast.broadcast.joined_groups import JoinedGroups
from awxfast.broadcast.options import DiallerSettings
from awxfast.engine.carrier import Carrier
from awxfast.engine.open_carrier import open_carrier
from awxfast.engine.publisher import Publisher, name_publisher
from awxfast.engine.voice import Voice
from awxfast.intake.event_intake import EventIntake
from awxfast.wire.backplane import METRICS_GROUP
from awxfast.wire.engine_notices import MAX_NODE


def make_publisher(settings: DiallerSettings, intake: EventIntake, joined: JoinedGroups) -> Publisher | None:
    """What `--engine` asks for, if anything. Raises `ConfigurationError`."""
    if (carrier := open_engine(settings)) is None:
        return None
    always = METRICS_GROUP, settings.backplane_group
    voice = Voice(carrier, name_publisher(intake.token), settings.name[:MAX_NODE], intake)
    return Publisher(voice, joined, always)


def open_engine(settings: DiallerSettings) -> Carrier | None:
    """The client of what `--engine` names, not started. Raises `ConfigurationError`."""
    return None if settings.engine is None else open_carrier(settings.engine)
