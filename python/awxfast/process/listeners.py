"""Listening sockets: opened before the serving process starts, kept open while it is replaced."""

import contextlib
import dataclasses
import errno
import ipaddress
import os
import socket
import stat
import struct
from collections.abc import Sequence
from pathlib import Path
from typing import Any

from awxfast.errors import ConfigurationError, StartError
from awxfast.http.listening import BACKLOG
from awxfast.http.tls import load_context
from awxfast.option_parser import read_host_port
from awxfast.process.activation import ActivatedSockets
from awxfast.process.addresses import DOMAINS, ListenAddress


@dataclasses.dataclass(slots=True)
class Listener:
    """A listening socket, and the socket file that is ours to remove (`inode` tells whether it still is).

    `tls_files` are certificate and key of one where TLS is spoken.
    """

    sock: socket.socket
    backlog: int = BACKLOG
    path: str | None = None
    inode: int = 0
    tls_files: tuple[str, str] | None = None

    @property
    def is_local(self) -> bool:
        """Whether only programs of this machine can connect."""
        if self.sock.family == socket.AF_UNIX:
            return True
        address = ipaddress.ip_address(self.sock.getsockname()[0].partition("%")[0])
        return ((isinstance(address, ipaddress.IPv6Address) and address.ipv4_mapped) or address).is_loopback

    @property
    def serving_line(self) -> str:
        """daphne's line, with the port that the kernel chose for port 0; daphne has none for unix sockets."""
        address = self.sock.getsockname()
        if self.sock.family == socket.AF_UNIX:
            return f"Listening on UNIX address {address}"
        return f"Listening on TCP address {address[0]}:{address[1]}"

    def freeze(self) -> list[Any]:
        """What this process's next program needs of it, as JSON has it; the descriptor stays open."""
        return [self.sock.fileno(), self.backlog, self.path, self.inode, self.tls_files]

    @classmethod
    def adopt(cls, frozen: Sequence[Any]) -> "Listener":
        """One of this process's former program."""
        number, backlog, path, inode, tls_files = frozen
        return cls(socket.socket(fileno=number), backlog, path, inode, tuple(tls_files) if tls_files else None)

    def close(self) -> None:
        """Closes the socket; removes the file unless somebody else has put another in its place.

        The file goes first: of a socket that is closed somebody else may make a new one, with the same inode.
        """
        if self.path is not None:
            with contextlib.suppress(OSError):
                if Path(self.path).stat().st_ino == self.inode:
                    Path(self.path).unlink()
        self.sock.close()


def open_listener(
    address: ListenAddress, activated: ActivatedSockets | None = None, *, any_port: bool = False
) -> Listener:
    """Opens one. Raises `StartError` for a port in use, `ConfigurationError` for what can't be meant.

    `any_port`: tries the address at whatever port is free, and names its own where that fails.
    """
    match address.kind:
        case "unix":
            return open_unix(address.path, address.mode, address.backlog)
        case "fd":
            return adopt_descriptor(address.descriptor)
        case "systemd":
            return adopt_activated(address, activated or ActivatedSockets({}))
        case "ssl":
            return open_tls(address, any_port)
        case _:
            return open_interface(address, any_port)


def open_interface(address: ListenAddress, any_port: bool = False) -> Listener:
    """IPv4 or IPv6, by the kind or by the address."""
    family = socket.AF_INET6 if address.kind == "tcp6" or ":" in address.interface else socket.AF_INET
    return open_tcp(address.interface, address.port, family, address.backlog, any_port)


def open_tcp(
    host: str,
    port: int,
    family: int = socket.AF_UNSPEC,
    backlog: int = BACKLOG,
    any_port: bool = False,
    remedy: str = "",
) -> Listener:
    """Listens on the first address that the host's name stands for. `remedy`: what to do where that fails."""
    family, address = find_address(host, 0 if any_port else port, family)
    sock = socket.socket(family, socket.SOCK_STREAM)
    try:
        sock.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        sock.bind(address)
        sock.listen(backlog)
    except OSError as error:
        sock.close()
        raise StartError(
            f"can't listen on {host} port {port}: {error.strerror}; {remedy or find_remedy(error)}"
        ) from error
    sock.setblocking(False)
    return Listener(sock, backlog)


def find_address(host: str, port: int, family: int) -> tuple[int, Any]:
    """The first address that a host's name stands for, with its family."""
    try:
        found = socket.getaddrinfo(host, port, family, socket.SOCK_STREAM, flags=socket.AI_PASSIVE)
    except (OSError, UnicodeError) as error:
        raise ConfigurationError(f"no address to bind to is known for {host!r} ({error}); give another") from error
    return found[0][0], found[0][4]


def find_remedy(error: OSError) -> str:
    """What to do about an address or a port that can't be had."""
    match error.errno:
        case errno.EADDRNOTAVAIL:
            return "no interface of this machine has this address: give another --bind (or -e)"
        case errno.EACCES:
            return "ports as low as this are root's: choose another --port (or -e)"
        case _:
            return "choose another --port (or -e) or free it"


def open_tls(address: ListenAddress, any_port: bool = False) -> Listener:
    """Files with a fault are found here, before anybody connects."""
    try:
        load_context(address.certificate, address.private_key)
    except ConfigurationError as error:
        raise ConfigurationError(f"endpoint {address.description!r}: {error}") from error
    listener = open_interface(address, any_port)
    listener.tls_files = (address.certificate, address.private_key)
    return listener


def open_unix(path: str, mode: int, backlog: int = BACKLOG) -> Listener:
    """Listens on a socket file, in place of one that nobody listens on any more."""
    remove_stale_socket(path)
    sock = socket.socket(socket.AF_UNIX, socket.SOCK_STREAM)
    try:
        bind_private(sock, path)
        Path(path).chmod(mode)
        sock.listen(backlog)
    except OSError as error:
        sock.close()
        raise StartError(f"can't listen on {path}: {error.strerror or error}; choose another path") from error
    sock.setblocking(False)
    return Listener(sock, backlog, path, Path(path).stat().st_ino)


def bind_private(sock: socket.socket, path: str) -> None:
    """Nobody else can connect between the bind and the mode that was asked for."""
    former = os.umask(0o177)
    try:
        sock.bind(path)
    finally:
        os.umask(former)


def remove_stale_socket(path: str) -> None:
    """Removes the file of a server that is gone; refuses a living one's, and a file that is no socket."""
    if is_stale_socket(path):
        Path(path).unlink(missing_ok=True)


def is_stale_socket(path: str) -> bool:
    """Whether there is the file of a server that is gone. Raises `StartError` for any other file."""
    try:
        if not stat.S_ISSOCK(Path(path).stat().st_mode):
            raise StartError(f"{path} exists and is no socket; remove it or choose another path")
    except OSError:
        return False
    with socket.socket(socket.AF_UNIX, socket.SOCK_STREAM) as probe:
        probe.settimeout(1.0)
        try:
            probe.connect(path)
        except ConnectionRefusedError:
            return True
        except OSError as error:
            raise StartError(f"can't tell who serves {path}: {error}; remove it or choose another path") from error
        raise StartError(f"another process serves {path}; stop it or choose another path")


def adopt_descriptor(number: int) -> Listener:
    """Takes a duplicate of an inherited descriptor, which must be a listening stream socket."""
    try:
        sock = socket.socket(fileno=os.dup(number))
    except OSError as error:
        raise ConfigurationError(
            f"descriptor {number} is no socket ({error.strerror}); pass a listening one"
        ) from error
    served = sock.family in (socket.AF_INET, socket.AF_INET6, socket.AF_UNIX) and sock.type == socket.SOCK_STREAM
    if not served or not sock.getsockopt(socket.SOL_SOCKET, socket.SO_ACCEPTCONN):
        sock.close()
        raise ConfigurationError(f"descriptor {number} is no listening stream socket; pass one")
    sock.setblocking(False)
    return Listener(sock, read_backlog(sock))


def read_backlog(sock: socket.socket) -> int:
    """What whoever opened it chose: `tcpi_sacked` of a socket that listens (linux/tcp.h). Unix sockets don't tell."""
    if sock.family == socket.AF_UNIX:
        return BACKLOG
    return int(struct.unpack_from("=8x6I", sock.getsockopt(socket.IPPROTO_TCP, socket.TCP_INFO, 32))[5])


def adopt_activated(address: ListenAddress, activated: ActivatedSockets) -> Listener:
    """Takes a duplicate of a socket of systemd's; its file, if it has one, stays systemd's."""
    try:
        listener = adopt_descriptor(activated.find(address.index, address.name))
    except ConfigurationError as error:
        raise ConfigurationError(f"endpoint {address.description!r}: {error}") from error
    if listener.sock.family != DOMAINS[address.domain]:
        listener.close()
        raise ConfigurationError(f"endpoint {address.description!r}: the socket is of another domain; name its own")
    return listener


def open_admin(address: str, *, any_port: bool = False) -> Listener | None:
    """The admin listener: HOST:PORT on a loopback address, a socket file of mode 0600, or None for `off`.

    It has no credentials (docs/monitoring.md), so anything else is refused.
    """
    if address == "off":
        return None
    if "/" in address:
        return open_unix(address, 0o600)
    host_port = read_host_port(address)
    if host_port is None:
        raise ConfigurationError(f"--admin {address!r}: give HOST:PORT, a socket's path with a slash, or off")
    host, port = host_port
    remedy = "it is --admin's: give --admin another address, or off"
    listener = open_tcp(host, port, backlog=128, any_port=any_port, remedy=remedy)
    if not listener.is_local:
        listener.close()
        raise ConfigurationError(
            f"--admin {address}: only a loopback address or a socket's path; it has no credentials"
        )
    return listener
