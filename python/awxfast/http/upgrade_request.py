"""The head of an upgrade, read as far as somebody asks: for most of it nobody does."""

from collections.abc import Callable
from typing import Any

from awxfast._rust import RequestHead
from awxfast.wire.forwarded import ROOT_PATH_HEADER, Address
from awxfast.wire.request import Request


class UpgradeRequest(Request):
    """A request whose head is still the core's. `find_server` tells the socket's own address."""

    __slots__ = ("_find_server", "_head")

    def __init__(
        self,
        head: RequestHead,
        client: Address | None,
        find_server: Callable[[], Address | None],
        root_path: str,
        scheme: str,
    ) -> None:
        self._head = head
        self._find_server = find_server
        self.path = head.path
        self.client = client
        self.root_path = root_path
        self.scheme = scheme

    def values(self, name: bytes) -> list[bytes]:
        """The values of all lines with this name, in order."""
        if name == ROOT_PATH_HEADER:  # it may have been taken out
            return [value for key, value in self.headers if key == name]
        return self._head.values(name)

    def __getattr__(self, name: str) -> Any:
        """A field that nobody has asked for before."""
        value: Any = self._find_server() if name == "server" else getattr(self._head, name)
        if name == "headers":
            value = tuple(value)
        setattr(self, name, value)
        return value
