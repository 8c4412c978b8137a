"""`awxfast status`: a running server's ledger and slow clients, as a table or as JSON."""

import http.client
import json
import os
import socket
import sys
from collections.abc import Iterator, Mapping, Sequence
from typing import Any, TypeVar

from awxfast.errors import ConfigurationError, StartError
from awxfast.option_parser import OptionParser, read_host_port
from awxfast.printable import LINE, escape
from awxfast.settings import Settings

TIMEOUT = 5.0
Page = TypeVar("Page")


class UnixConnection(http.client.HTTPConnection):
    """HTTP over a socket file."""

    def __init__(self, path: str, timeout: float) -> None:
        super().__init__("localhost", timeout=timeout)
        self._path = path

    def connect(self) -> None:
        """Connects to the file instead of a host."""
        self.sock = socket.socket(socket.AF_UNIX, socket.SOCK_STREAM)
        self.sock.settimeout(self.timeout)
        self.sock.connect(self._path)


def run(words: Sequence[str], environ: Mapping[str, str]) -> int:
    """Prints the figures; returns the exit code. Raises `AwxfastError` when nobody answers at the address."""
    parser = OptionParser(prog="awxfast status", description="Shows a running server's figures.")
    parser.add_argument("--admin", help=describe_admin())
    parser.add_argument("--json", action="store_true", help="as JSON")
    options = parser.parse_args(words)
    address = options.admin or environ.get("AWXFAST_ADMIN") or Settings().admin
    about, ledger, slow = (
        read_page(address, *page) for page in (("/about", dict), ("/ledger", dict), ("/clients", list))
    )
    figures = {"version": about.get("version"), **ledger, "slow_clients": slow}
    show(json.dumps(figures, indent=1) if options.json else "\n".join(format_table(figures)))
    return 0


def describe_admin() -> str:
    """The help of the commands' option `--admin`."""
    return (
        "the server's admin listener: HOST:PORT or a socket's path; with an APPLICATION there is one only if it was "
        f"started with --admin (default: AWXFAST_ADMIN, else {Settings().admin})"
    )


def show(text: str) -> None:
    """Prints it to whoever reads that far."""
    try:
        print(text, flush=True)
    except BrokenPipeError:  # `head` has enough
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())


def read_page(address: str, path: str, kind: type[Page]) -> Page:
    """One page of the admin listener, which has to be JSON of this kind."""
    connection = connect_to_admin(address)
    try:
        connection.request("GET", path, headers={"Host": "localhost"})  # a name may stand for a loopback address
        response = connection.getresponse()
        page = json.loads(response.read()) if response.status == 200 else None
    except PermissionError as error:
        raise StartError(f"no permission for {address}; be the server's user, or root") from error
    except (OSError, http.client.HTTPException) as error:
        reason = getattr(error, "strerror", None) or " ".join(str(error).split())
        raise StartError(
            f"no answer at {address} ({reason}); give the server's --admin address, which is off with an APPLICATION "
            "unless it was started with one"
        ) from error
    except ValueError:
        page = None
    finally:
        connection.close()
    if not isinstance(page, kind):
        raise StartError(f"{address} is not awxfast's admin listener; give the server's --admin address")
    return page


def connect_to_admin(address: str) -> http.client.HTTPConnection:
    """A connection to HOST:PORT or to a socket file."""
    if "/" in address:
        return UnixConnection(address, TIMEOUT)
    host_port = read_host_port(address)
    if host_port is None:
        raise ConfigurationError(f"--admin {address!r}: give HOST:PORT or a socket's path with a slash")
    return http.client.HTTPConnection(*host_port, timeout=TIMEOUT)


def format_table(figures: Mapping[str, Any]) -> Iterator[str]:
    """The table's lines: one figure each, then those clients that have something waiting or lost something."""
    for name, value in flatten("", {key: value for key, value in figures.items() if key != "slow_clients"}):
        yield f"{escape(name):<32} {escape(str(value), LINE):>14}"
    yield from format_workers(figures.get("workers", []))
    yield from format_peers(figures.get("peers", []))
    yield from format_origins(figures.get("engine", {}).get("origins", []))
    slow = figures["slow_clients"]
    if slow:
        yield ""
        yield f"{'slow client':>12} {'frames':>10} {'bytes':>12} {'shed':>10} {'oldest':>10}"
    for row in slow:
        yield (
            f"{row['client']:>12} {row['frames']:>10} {row['bytes']:>12} {row['shed']:>10} {row['oldest_age']:>8.1f} s"
        )


def format_workers(workers: Sequence[Mapping[str, Any]]) -> Iterator[str]:
    """A line for each of several, with those that were in its place before; one that is to start has no process."""
    if workers:
        yield ""
        heads = ("pid", "generation", "clients", "groups", "events", "frames")
        yield f"{'worker':>6} {' '.join(f'{head:>10}' for head in heads)}"
    for one in workers:
        pid = "-" if one["pid"] is None else one["pid"]
        yield (
            f"{one['worker']:>6} {pid:>10} {one['generation']:>10} {one['clients']:>10} {one['groups']:>10} "
            f"{one['events']['in']:>10} {one['frames']['written']:>10}"
        )


def format_peers(peers: Sequence[Mapping[str, Any]]) -> Iterator[str]:
    """A line for each other node, with what an operator has to do something about."""
    if peers:
        yield ""
        yield f"{'node':<32} {'state':<10} {'received':>10} {'sent':>10} {'queued':>8} {'lost':>8} {'clock':>7}  notes"
    for peer in peers:
        skew = "" if peer["clock_skew"] is None else f"{peer['clock_skew']:+d} s"
        waiting = f"{peer['groups_waiting']} groups wait for room" if peer["groups_waiting"] else ""
        host, state = escape(peer["host"]), escape(peer["state"])
        silent = "silent: by the engine" if peer.get("silent") else ""
        notes = [
            ", ".join(peer["eras"]),
            silent,
            "old secret" if peer["old_secret"] else "",
            waiting,
            peer["last_error"],
        ]
        yield (
            f"{host:<32} {state:<10} {peer['received']:>10} {peer['sent']:>10} {peer['queued']:>8} "
            f"{sum(peer['lost'].values()):>8} {skew:>7}  {escape('; '.join(note for note in notes if note))}"
        ).rstrip()


def format_origins(origins: Sequence[Mapping[str, Any]]) -> Iterator[str]:
    """A line for each publisher whose events an engine brings."""
    if origins:
        yield ""
        yield f"{'publisher':<32} {'heard':<10} {'events':>10} {'missed':>10} {'doubles':>10}"
    for one in origins:
        name = escape(one["node"] or one["publisher"])
        heard = "yes" if one["is_heard"] else "no"
        yield f"{name:<32} {heard:<10} {one['events']:>10} {one['missed']:>10} {one['doubles']:>10}"


def flatten(prefix: str, value: Any) -> Iterator[tuple[str, Any]]:
    """Nested figures as names with dots; a list is shown by its length."""
    if isinstance(value, Mapping):
        for key, inner in value.items():
            yield from flatten(f"{prefix}.{key}" if prefix else key, inner)
    elif isinstance(value, list):
        yield prefix, len(value)
    else:
        yield prefix, value
