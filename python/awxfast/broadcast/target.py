"""Whom to dial and how to name them: URL, `Host` header and the name that a certificate must carry."""

import dataclasses
import ipaddress
import re

from awxfast.errors import ConfigurationError
from awxfast.printable import LINE, escape
from awxfast.wire.hosts import DEFAULT_PORTS

_HOSTNAME = re.compile(r"(?!-)[a-z0-9_-]{1,63}(?:\.[a-z0-9_-]{1,63})*", re.ASCII)
_ZONE = re.compile(r"[A-Za-z0-9._~-]{1,64}", re.ASCII)


@dataclasses.dataclass(frozen=True, slots=True)
class Member:
    """A node of the cluster: `name` is what AWX calls it, `host` what is dialled."""

    name: str
    host: str
    port: int

    @property
    def key(self) -> tuple[str, int]:
        """Who it is, wherever it lives at present."""
        return self.name, self.port

    def __str__(self) -> str:
        where = f"[{self.host}]:{self.port}" if ":" in self.host else f"{self.host}:{self.port}"
        return escape(where if self.name == self.host else f"{self.name} ({where})", LINE)


@dataclasses.dataclass(frozen=True, slots=True)
class Target:
    """One address to dial. `host` is lower case, without a trailing dot; an IPv6 address may have a zone."""

    protocol: str
    host: str
    port: int

    @classmethod
    def of(cls, protocol: str, host: str, port: int) -> "Target":
        """Raises `ConfigurationError` for what is neither a host's name nor an address."""
        return cls(protocol, normalize_host(host), port)

    @property
    def netloc(self) -> str:
        """Host and port as in a URL; the zone as it is, which is how resolvers take it."""
        return f"[{self.host}]:{self.port}" if ":" in self.host else f"{self.host}:{self.port}"

    def url(self, path: str) -> str:
        """For a websocket client. Names, not secrets: it may be logged."""
        return f"{'wss' if self.protocol == 'https' else 'ws'}://{self.netloc}{path}"

    @property
    def host_header(self) -> str:
        """Without the zone, which means something on this machine alone (RFC 6874), and without a default port."""
        host = self.host.partition("%")[0]
        bracketed = f"[{host}]" if ":" in host else host
        return bracketed if self.port == DEFAULT_PORTS[self.protocol] else f"{bracketed}:{self.port}"

    @property
    def certificate_name(self) -> str:
        """What the certificate must be for; for a literal the address, which Python never sends as SNI."""
        return self.host.partition("%")[0]


def read_peer(text: str, default_port: int) -> Member:
    """A member from `HOST`, `HOST:PORT`, `[IPV6]` or `[IPV6]:PORT`; a bare IPv6 address is taken too.

    Raises `ConfigurationError`.
    """
    host, port = split_port(text.strip(), default_port)
    host = normalize_host(host)
    return Member(host, host, port)


def split_port(text: str, default_port: int) -> tuple[str, int]:
    """Host and port of a member's text."""
    if is_address(text):
        return text, default_port
    bracketed = re.fullmatch(r"\[([^\]]*)\](?::(.*))?", text)
    host, port = bracketed.groups() if bracketed else (text, None)
    if not bracketed and text.count(":") == 1:
        host, _, port = text.partition(":")
    if bracketed and not is_address(host):
        raise ConfigurationError(f"peer {text!r}: brackets are for IPv6 addresses")
    if port is None:
        return host, default_port
    if not (port.isascii() and port.isdigit() and 0 < int(port) < 65536):
        raise ConfigurationError(
            f"peer {text!r}: HOST or HOST:PORT is needed, the port from 1 to 65535, without https://"
        )
    return host, int(port)


def normalize_host(host: str) -> str:
    """Lower case, IDNA, no trailing dot. Raises `ConfigurationError` for what nobody can be dialled by."""
    if is_address(host):
        address, percent, zone = host.partition("%")
        return address.lower() + percent + zone
    name = host.removesuffix(".")
    try:
        name = (name if name.isascii() else name.encode("idna").decode("ascii")).lower()
    except UnicodeError:
        name = ""
    if len(name) > 253 or _HOSTNAME.fullmatch(name) is None:
        raise ConfigurationError(f"peer {host[:100]!r}: a host's name, an address, or either with :PORT is needed")
    return name


def is_address(text: str) -> bool:
    """Whether it is an IPv4 or IPv6 address, the latter also with a zone (`fe80::1%eth0`)."""
    address, percent, zone = text.partition("%")
    if percent and (":" not in address or _ZONE.fullmatch(zone) is None):
        return False
    try:
        ipaddress.ip_address(address)
    except ValueError:
        return False
    return True
