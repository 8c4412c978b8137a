"""What an application's Django settings say about its nodes: AWX's names (awx/settings/defaults.py)."""

import dataclasses

from awxfast.django_settings import find_django_setting
from awxfast.wire.groups import BACKPLANE_GROUP


@dataclasses.dataclass(frozen=True, slots=True)
class NodeSettings:
    """The nodes' shared secret, empty when there is none, and the group that copies of all events go to."""

    secret: str = dataclasses.field(default="", repr=False)
    group: str = BACKPLANE_GROUP


def read_node_settings() -> NodeSettings:
    """Of the application that was imported, if it has Django's settings at all."""
    secret = find_django_setting("BROADCAST_WEBSOCKET_SECRET") or ""
    group = find_django_setting("BROADCAST_WEBSOCKET_GROUP_NAME") or BACKPLANE_GROUP
    return NodeSettings(str(secret), str(group))
