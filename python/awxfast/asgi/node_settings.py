"""What an application's Django settings say about its nodes: AWX's names (awx/settings/defaults.py)."""

import dataclasses
import sys

from awxfast.wire.messages import BACKPLANE_GROUP


@dataclasses.dataclass(frozen=True, slots=True)
class NodeSettings:
    """The nodes' shared secret, empty when there is none, and the group that copies of all events go to."""

    secret: str = dataclasses.field(default="", repr=False)
    group: str = BACKPLANE_GROUP


def read_node_settings() -> NodeSettings:
    """Of the application that was imported, if it has Django's settings at all."""
    django_conf = sys.modules.get("django.conf")
    if django_conf is None or not django_conf.settings.configured:
        return NodeSettings()
    secret = getattr(django_conf.settings, "BROADCAST_WEBSOCKET_SECRET", None) or ""
    group = getattr(django_conf.settings, "BROADCAST_WEBSOCKET_GROUP_NAME", None) or BACKPLANE_GROUP
    return NodeSettings(str(secret), str(group))
