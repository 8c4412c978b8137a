"""A request as its head has it, and as far as proxies are believed: its client, its scheme, the root path."""

from typing import Any

from awxfast._rust import RequestHead
from awxfast.wire.forwarded import Address, ForwardedHeaders, RootPathHeader
from awxfast.wire.request import Request


class Proxies:
    """Those before some listeners. Without `root_paths` `Daphne-Root-Path` is a header like any other."""

    def __init__(
        self, root_path: str = "", forwarded: ForwardedHeaders | None = None, root_paths: RootPathHeader | None = None
    ) -> None:
        self._root_path = root_path
        self._forwarded = forwarded
        self._root_paths = root_paths

    def find_client(self, peer: Address | None, headers: list[tuple[bytes, bytes]]) -> Address | None:
        """Whom a proxy forwards for, else `peer`."""
        return self._forwarded.find_client(peer, headers) if self._forwarded else peer

    def read_upgrade(self, head: RequestHead, peer: Address | None, server: Address | None, scheme: str) -> Request:
        """The request of an upgrade."""
        root_path, client, scheme = self._read(head.headers, peer, scheme)
        return Request(
            "GET",
            head.version,
            head.path,
            head.query,
            tuple(head.headers),
            client,
            server,
            head.raw_path,
            root_path,
            scheme,
        )

    def read_scope(
        self, head: RequestHead, peer: Address | None, server: Address | None, scheme: str
    ) -> dict[str, Any]:
        """The scope of a plain request, as ASGI has it."""
        root_path, client, scheme = self._read(head.headers, peer, scheme)
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

    def _read(
        self, headers: list[tuple[bytes, bytes]], peer: Address | None, scheme: str
    ) -> tuple[str, Address | None, str]:
        """Root path, client and scheme; takes the first's header out."""
        root_path = self._root_paths.take(peer, headers) if self._root_paths else None
        client = peer
        if self._forwarded is not None:
            client = self._forwarded.find_client(peer, headers)
            scheme = self._forwarded.find_scheme(peer, headers) or scheme
        return self._root_path if root_path is None else root_path, client, scheme
