"""Which host a request is for, and which page sent it: what keeps pages from elsewhere off listeners of this machine.

A page elsewhere can have its own name lead to 127.0.0.1 (DNS rebinding); its browser still says that name in `Host`.
"""

import functools
import ipaddress
import re
import urllib.parse

DEFAULT_PORTS = {"http": 80, "https": 443}
"""What browsers leave out (RFC 6454 section 6.1)."""

LOOPBACK_NAMES = frozenset({"localhost", "localhost.localdomain", "ip6-localhost", "ip6-loopback"})
"""What /etc/hosts leads here everywhere; that of the first and below it, browsers do (RFC 6761 section 6.3)."""

KEPT_HOSTS = 64
"""Of the hosts that were looked at, so many are known again: a site has few, and to read an address takes its time."""

HOST = re.compile(r"(\[[0-9a-f:.]+\]|[^\[\]:/@,\s]+)(?::[0-9]*)?", re.ASCII)


def read_host(values: list[bytes]) -> str:
    """The one `Host` of a request, in lower case; empty if there is none, or several."""
    host = values[0].decode("latin-1").strip().lower() if len(values) == 1 else ""
    return host if HOST.fullmatch(host) else ""


def read_origin(origin: bytes) -> str:
    """The `host:port` of an Origin, in lower case; without a port if its scheme has none of its own.

    Empty for `null` and for what is none.
    """
    parts = _split(origin)
    if parts is None:
        return ""
    host, port = parts.netloc.lower(), DEFAULT_PORTS.get(parts.scheme)
    has_port = host.rpartition(":")[2].isdigit() and not host.endswith("]")
    return f"{host}:{port}" if host and port and not has_port else host


def is_page_of_this_machine(origin: bytes) -> bool:
    """Whether a web server of this machine sent the page."""
    parts = _split(origin)
    return parts is not None and parts.scheme in DEFAULT_PORTS and is_loopback(parts.netloc.lower())


def _split(origin: bytes) -> urllib.parse.SplitResult | None:
    try:
        return urllib.parse.urlsplit(origin.decode("latin-1"))
    except ValueError:
        return None


def list_names(host: str) -> set[str]:
    """How somebody may have written `host` or `host:port` who means it: with the port, or without."""
    name, colon, port = host.rpartition(":")
    if colon and port.isdigit():
        return {host, name}
    return {host, *(f"{host}:{port}" for port in DEFAULT_PORTS.values())} if host else set()


@functools.lru_cache(maxsize=KEPT_HOSTS)
def is_loopback(host: str) -> bool:
    """Whether `host` or `host:port` is a name or an address of this machine itself (RFC 6761 section 6.3)."""
    found = HOST.fullmatch(host)
    name = found[1].removesuffix(".") if found else ""
    if name in LOOPBACK_NAMES or name.endswith(".localhost"):
        return True
    try:
        address = ipaddress.ip_address(name.strip("[]"))
    except ValueError:
        return False
    mapped = address.ipv4_mapped if isinstance(address, ipaddress.IPv6Address) else None
    return (mapped or address).is_loopback
