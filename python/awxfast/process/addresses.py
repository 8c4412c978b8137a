"""Where to listen, as text: daphne's options become endpoint descriptions, descriptions become `ListenAddress`s.

The descriptions are those of Twisted's `serverFromString`, as daphne takes them with `-e`: fields between colons,
`name=value` or in order, a backslash before a colon that belongs to a value.
"""

import dataclasses
import re
import socket
from collections.abc import Callable

from awxfast.errors import ConfigurationError
from awxfast.http.listening import BACKLOG
from awxfast.settings import DEFAULT_HOST, DEFAULT_PORT, Settings

KINDS = "tcp:, tcp6:, unix:, fd:, ssl: and systemd:"

DOMAINS = {"INET": socket.AF_INET, "INET6": socket.AF_INET6, "UNIX": socket.AF_UNIX}
"""Of systemd's sockets, in Twisted's words."""

FIELD = re.compile(r"((?:[^:\\]|\\.)*)(?::|$)", re.DOTALL)


@dataclasses.dataclass(frozen=True, slots=True)
class ListenAddress:
    """One place to listen at. Which fields count depends on `kind`: tcp, tcp6, unix, fd, ssl or systemd."""

    description: str
    kind: str
    interface: str = ""
    port: int = 0
    path: str = ""
    mode: int = 0o666
    descriptor: int = -1
    domain: str = ""
    index: int | None = None
    name: str = ""
    backlog: int = BACKLOG
    certificate: str = ""
    private_key: str = ""


def list_endpoints(settings: Settings) -> list[ListenAddress]:
    """All that the settings ask for, in the order of daphne's start-up line."""
    return [parse_endpoint(description) for description in describe_endpoints(settings)]


def describe_endpoints(settings: Settings) -> list[str]:
    """Sorted descriptions; what is missing of host and port is daphne's default, and nothing at all is both."""
    host, port = settings.host, settings.port
    others = settings.unix_socket or settings.file_descriptor is not None or settings.endpoints
    descriptions = list(settings.endpoints)
    if host or port is not None or not others:
        interface = (host or DEFAULT_HOST).strip("[]").replace(":", r"\:")
        descriptions.append(f"tcp:port={DEFAULT_PORT if port is None else port}:interface={interface}")
    if settings.unix_socket:
        descriptions.append(f"unix:{settings.unix_socket}")
    if settings.file_descriptor is not None:
        descriptions.append(f"fd:fileno={settings.file_descriptor}")
    return sorted(descriptions)


def parse_endpoint(description: str) -> ListenAddress:
    """Reads one description; raises `ConfigurationError` for one that is not understood."""
    kind, _, rest = description.partition(":")
    if kind not in PARSERS:
        raise ConfigurationError(f"endpoint {description!r}: unknown kind {kind!r}; use {KINDS}")
    positional, named = split_fields(rest)
    try:
        return PARSERS[kind](description, positional, named)
    except (KeyError, ValueError) as error:
        raise ConfigurationError(f"endpoint {description!r}: {describe_parse_error(error)}") from error


def describe_parse_error(error: Exception) -> str:
    """What a parser found, as words for the operator."""
    return f"{error.args[0]} is missing" if isinstance(error, KeyError) else str(error)


def split_fields(text: str) -> tuple[list[str], dict[str, str]]:
    """The fields without a name, and those with one."""
    positional: list[str] = []
    named: dict[str, str] = {}
    for field in filter(None, FIELD.findall(text)):
        name, equals, value = field.partition("=")
        if equals and name.isidentifier():
            named[name] = unescape(value)
        else:
            positional.append(unescape(field))
    return positional, named


def unescape(text: str) -> str:
    """A backslash makes the next character an ordinary one."""
    return re.sub(r"\\(.)", r"\1", text, flags=re.DOTALL)


def take_fields(positional: list[str], named: dict[str, str], first: str, *others: str) -> dict[str, str]:
    """The fields by name; `first` is the one that may stand without its name."""
    fields = dict(named)
    if positional:
        fields.setdefault(first, positional[0])
    unknown = sorted(set(fields) - {first, *others}) + positional[1:]
    if unknown:
        raise ValueError(f"{unknown[0]!r} is not understood; it takes {', '.join((first, *others))}")
    return fields


def take_number(
    fields: dict[str, str], name: str, default: int | None = None, base: int = 10, most: int = 1 << 31
) -> int:
    """A number within bounds; `default` None: it must be there."""
    if name not in fields and default is not None:
        return default
    text = fields[name]
    try:
        value = int(text, base)
    except ValueError:
        value = -1
    if not 0 <= value <= most:
        raise ValueError(f"{name} is no number that fits: {text!r}")
    return value


def parse_tcp(description: str, positional: list[str], named: dict[str, str]) -> ListenAddress:
    """`tcp:PORT` or `tcp:port=PORT`, with `interface` and `backlog`; without an interface: all of IPv4."""
    fields = take_fields(positional, named, "port", "interface", "backlog")
    return ListenAddress(
        description,
        "tcp",
        interface=fields.get("interface", "").strip("[]") or "0.0.0.0",
        port=take_number(fields, "port", most=65535),
        backlog=take_number(fields, "backlog", BACKLOG),
    )


def parse_tcp6(description: str, positional: list[str], named: dict[str, str]) -> ListenAddress:
    """The same for IPv6."""
    address = parse_tcp(description, positional, {"interface": "::", **named})
    return dataclasses.replace(address, kind="tcp6")


def parse_unix(description: str, positional: list[str], named: dict[str, str]) -> ListenAddress:
    """`unix:PATH`, with `mode` (octal; 666 unless given) and `backlog`. A lock file is not needed: see `listeners`."""
    fields = take_fields(positional, named, "address", "mode", "backlog", "lockfile")
    return ListenAddress(
        description,
        "unix",
        path=fields["address"],
        mode=take_number(fields, "mode", 0o666, base=8, most=0o777),
        backlog=take_number(fields, "backlog", BACKLOG),
    )


def parse_fd(description: str, positional: list[str], named: dict[str, str]) -> ListenAddress:
    """`fd:fileno=N`: a listening socket that a supervisor opened. Its family is asked of the socket itself."""
    fields = take_fields(positional, named, "fileno", "domain")
    return ListenAddress(description, "fd", descriptor=take_number(fields, "fileno"))


def parse_ssl(description: str, positional: list[str], named: dict[str, str]) -> ListenAddress:
    """`ssl:PORT` with `privateKey` and `certKey`, both PEM; Twisted's defaults are `server.pem`, and the same file."""
    fields = take_fields(positional, named, "port", "interface", "backlog", "privateKey", "certKey")
    private_key = fields.pop("privateKey", "server.pem")
    certificate = fields.pop("certKey", private_key)
    address = parse_tcp(description, [], fields)
    return dataclasses.replace(address, kind="ssl", certificate=certificate, private_key=private_key)


def parse_systemd(description: str, positional: list[str], named: dict[str, str]) -> ListenAddress:
    """`systemd:domain=INET:index=N` or `:name=NAME`: a socket that systemd listens on (`systemd.socket`)."""
    fields = take_fields(positional, named, "domain", "index", "name")
    if fields["domain"] not in DOMAINS:
        raise ValueError(f"domain is one of {', '.join(DOMAINS)}, not {fields['domain']!r}")
    if ("index" in fields) == ("name" in fields):
        raise ValueError("give index or name")
    index = take_number(fields, "index") if "index" in fields else None
    return ListenAddress(description, "systemd", domain=fields["domain"], index=index, name=fields.get("name", ""))


PARSERS: dict[str, Callable[[str, list[str], dict[str, str]], ListenAddress]] = {
    "tcp": parse_tcp,
    "tcp6": parse_tcp6,
    "unix": parse_unix,
    "fd": parse_fd,
    "ssl": parse_ssl,
    "systemd": parse_systemd,
}
