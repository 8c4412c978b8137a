"""Who a request comes from when a proxy stands between: the forwarded headers that daphne reads."""

import dataclasses
import ipaddress
import urllib.parse
from collections.abc import Sequence

from awxfast.errors import ConfigurationError
from awxfast.wire.handshake import Headers

Address = tuple[str, int]
Network = ipaddress.IPv4Network | ipaddress.IPv6Network
MAX_HOST = 64
MAPPED = ipaddress.IPv6Network("::ffff:0:0/96")
"""What IPv4 peers come from where IPv6 listens for both (RFC 4291, section 2.5.5.2)."""
ROOT_PATH_HEADER = b"daphne-root-path"
SCHEMES = {b"http": "http", b"https": "https", b"ws": "http", b"wss": "https"}


@dataclasses.dataclass(frozen=True, slots=True)
class ForwardedHeaders:
    """Which headers count, and from whom. No `trusted` network: from anybody, as in daphne."""

    host_header: bytes
    port_header: bytes
    trusted: tuple[Network, ...] = ()

    @classmethod
    def configure(cls, host_header: str, port_header: str, trusted: Sequence[str] = ()) -> "ForwardedHeaders":
        """From the options; raises `ConfigurationError` for a proxy that is no address."""
        return cls(host_header.lower().encode(), port_header.lower().encode(), read_networks(trusted))

    def find_client(self, peer: Address | None, headers: Headers) -> Address | None:
        """The first address of the header, with port 0 or that of the port's header; else `peer`."""
        host = self._first(headers, self.host_header).partition(b",")[0].strip().decode("latin-1")
        if not is_trusted(peer, self.trusted) or not 0 < len(host) <= MAX_HOST or not host.isprintable():
            return peer
        port = self._first(headers, self.port_header).strip()
        return strip_port(host), int(port) if port.isdigit() and len(port) <= 5 else 0

    def find_scheme(self, peer: Address | None, headers: Headers) -> str | None:
        """`http` or `https` from X-Forwarded-Proto, which counts where the address's header is there too."""
        if not self._first(headers, self.host_header) or not is_trusted(peer, self.trusted):
            return None
        return SCHEMES.get(self._first(headers, b"x-forwarded-proto").partition(b",")[0].strip().lower())

    def _first(self, headers: Headers, name: bytes) -> bytes:
        return next((value for key, value in headers if key == name), b"")


@dataclasses.dataclass(frozen=True, slots=True)
class RootPathHeader:
    """`Daphne-Root-Path`, by which a proxy says where the site is mounted. It is taken out whoever sends it."""

    trusted: tuple[Network, ...] = ()

    def take(self, peer: Address | None, headers: list[tuple[bytes, bytes]]) -> str | None:
        """The path of a header from somebody trusted, decoded; None: there is none."""
        values = [value for name, value in headers if name == ROOT_PATH_HEADER]
        if not values:
            return None
        headers[:] = [header for header in headers if header[0] != ROOT_PATH_HEADER]
        return urllib.parse.unquote(values[-1].decode("latin-1")) if is_trusted(peer, self.trusted) else None


def is_trusted(peer: Address | None, trusted: Sequence[Network]) -> bool:
    """Whether what `peer` says of others counts. Where nobody is named everybody is trusted, as in daphne."""
    if not trusted or peer is None:
        return True
    address = ipaddress.ip_address(peer[0].partition("%")[0])
    mapped = address.ipv4_mapped if isinstance(address, ipaddress.IPv6Address) else None
    return any(address in network or (mapped is not None and mapped in network) for network in trusted)


def read_networks(texts: Sequence[str]) -> tuple[Network, ...]:
    """The networks that `--trusted-proxy` names."""
    return tuple(map(read_network, texts))


def read_network(text: str) -> Network:
    """An address or a network in CIDR form; one of IPv4-mapped addresses is the one of IPv4."""
    try:
        network = ipaddress.ip_network(text)
    except ValueError as error:
        raise ConfigurationError(f"--trusted-proxy {text}: {describe_wrong_network(text)}") from error
    if isinstance(network, ipaddress.IPv6Network) and network.subnet_of(MAPPED):
        return ipaddress.IPv4Network((int(network.network_address) & 0xFFFF_FFFF, network.prefixlen - MAPPED.prefixlen))
    return network


def describe_wrong_network(text: str) -> str:
    """What to give in place of something that is no network."""
    try:
        return f"that network is written {ipaddress.ip_network(text, strict=False)}"
    except ValueError:
        return "give an address or a network, as 10.0.0.5 or 10.0.0.0/8; names are not looked up"


def strip_port(host: str) -> str:
    """`[2001:db8::1]:443` is 2001:db8::1; all else stays."""
    return host[1:].partition("]")[0] if host.startswith("[") else host
