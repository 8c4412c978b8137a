"""A request as its head has it, and as far as proxies are believed: its client, its scheme, the root path."""

from collections.abc import Callable
from typing import Any

from awxfast._rust import RequestHead
from awxfast.http.upgrade_request import UpgradeRequest
from awxfast.wire.forwarded import ROOT_PATH_HEADER, Address, ForwardedHeaders, RootPathHeader
from awxfast.wire.request import Request


class Proxies:
    """The proxies before some listeners. Without `root_paths` `Daphne-Root-Path` is a header like any other."""

    def __init__(
        self, root_path: str = "", forwarded: ForwardedHeaders | None = None, root_paths: RootPathHeader | None = None
    ) -> None:
        self._root_path = root_path
        self._forwarded = forwarded
        self._root_paths = root_paths

    def read_client(self, head: RequestHead, peer: Address | None) -> Address | None:
        """Whom a proxy forwards for, else `peer`; a head of which no proxy says anything is not read for it."""
        return peer if self._forwarded is None else self._forwarded.find_client(peer, head.headers)

    def read_upgrade(
        self, head: RequestHead, peer: Address | None, find_server: Callable[[], Address | None], scheme: str
    ) -> Request:
        """The request of an upgrade; a head of which no proxy says anything is not read for it."""
        root_path, client = self._root_path, peer
        if self._forwarded is not None or head.values(ROOT_PATH_HEADER):
            root_path, client, scheme = self._read(head, peer, scheme)
        return UpgradeRequest(head, client, find_server, root_path, scheme)

    def read_scope(
        self, head: RequestHead, peer: Address | None, server: Address | None, scheme: str
    ) -> dict[str, Any]:
        """The scope of a plain request, as ASGI has it."""
        root_path, client, scheme = self._read(head, peer, scheme)
        return {
            "type": "http",
            "http_version": head.version,
            "method": head.method,
            "scheme": scheme,
            "path": head.path,
            "raw_path": head.raw_path,
            "query_string": head.query,
            "root_path": root_path,
            "headers": head.headers,
            "client": client,
            "server": server,
        }

    def _read(self, head: RequestHead, peer: Address | None, scheme: str) -> tuple[str, Address | None, str]:
        """Root path, client and scheme; takes the first's header out."""
        root_path = self._root_paths.take(peer, head.headers) if self._root_paths else None
        if self._forwarded is not None:
            scheme = self._forwarded.find_scheme(peer, head.headers) or scheme
        return self._root_path if root_path is None else root_path, self.read_client(head, peer), scheme
