"""Which host a request is for, and which page sent it: what keeps pages from elsewhere off listeners of this machine.

A page elsewhere can have its own name lead to 127.0.0.1 (DNS rebinding); its browser still says that name in `Host`.
"""

import ipaddress
import re
import urllib.parse

HOST = re.compile(r"(\[[0-9a-f:.]+\]|[^\[\]:/@,\s]+)(?::[0-9]*)?", re.ASCII)


def read_host(values: list[bytes]) -> str:
    """The one `Host` of a request, in lower case; empty if there is none, or several."""
    host = values[0].decode("latin-1").strip().lower() if len(values) == 1 else ""
    return host if HOST.fullmatch(host) else ""


def read_origin(origin: bytes) -> str:
    """The `host` or `host:port` of an Origin, in lower case; empty for `null` and for what is none."""
    try:
        return urllib.parse.urlsplit(origin.decode("latin-1")).netloc.lower()
    except ValueError:
        return ""


def is_loopback(host: str) -> bool:
    """Whether `host` or `host:port` is a name or an address of this machine itself (RFC 6761 section 6.3)."""
    found = HOST.fullmatch(host)
    name = found[1].removesuffix(".") if found else ""
    if name == "localhost":
        return True
    try:
        address = ipaddress.ip_address(name.strip("[]"))
    except ValueError:
        return False
    mapped = address.ipv4_mapped if isinstance(address, ipaddress.IPv6Address) else None
    return (mapped or address).is_loopback
