"""Which path is whose: the websocket endpoints of native mode (AWX's routing.py)."""

import enum
import re


class PathKind(enum.Enum):
    """Who speaks on a path."""

    BROWSER = "browser"
    BROADCAST = "broadcast"
    """Nodes of AWX 10 to 21."""
    RELAY = "relay"
    """Nodes of AWX 22 on."""


class Paths:
    """Finds the endpoint of a path; whole paths, as Django 3.2 and later match them.

    `prefix` is AWX's OPTIONAL_API_URLPATTERN_PREFIX; empty: any single segment stands for it.
    `root_path` is where a proxy mounts the site (`/awx`); it may be there or not.
    """

    def __init__(self, prefix: str = "", root_path: str = "") -> None:
        segment = re.escape(prefix.strip("/")) or "[^/]+"
        mount = f"(?:{re.escape(root_path.rstrip('/'))})?"
        self._browser = re.compile(rf"{mount}/(?:(?:api/)?|api/{segment}/v2/)websocket/")
        self._node = re.compile(rf"{mount}/websocket/(broadcast|relay)/")

    def find(self, path: str) -> PathKind | None:
        """The endpoint of a decoded path without its query; None: nobody's."""
        if self._browser.fullmatch(path):
            return PathKind.BROWSER
        node = self._node.fullmatch(path)
        return PathKind(node[1]) if node else None

    def is_for_nodes(self, path: str) -> bool:
        """Whether other nodes speak there."""
        return self._node.fullmatch(path) is not None
