"""`awxfast reload`: asks a running server to go on in a new process, and waits for what becomes of that."""

import json
import os
import signal
import socket
import time
from collections.abc import Mapping, Sequence
from typing import Any

from awxfast.errors import ConfigurationError, StartError
from awxfast.operate.status import describe_admin, read_page
from awxfast.option_parser import OptionParser
from awxfast.process.watchers import FULL, READY, name_watch_socket, read_peer
from awxfast.settings import Settings

PATIENCE = 360.0
"""Seconds: more than one reload that is under way and this one may take."""
CONNECT_SECONDS = 10.0
CONNECT_STEP = 0.02


def run(words: Sequence[str], environ: Mapping[str, str]) -> int:
    """Prints the outcome; returns the exit code. Raises `AwxfastError` where the old process goes on, and says why."""
    parser = OptionParser(
        prog="awxfast reload",
        description="The server, or the dialler, goes on in a new process, from what is installed now, and says what "
        "became of it: exit code 0, or 1 and why the old process goes on.",
    )
    where = parser.add_mutually_exclusive_group()
    where.add_argument("--admin", help=describe_admin())
    where.add_argument("--pid", type=int, help="its main process, the one that was started, in place of --admin")
    options = parser.parse_args(words)
    pid = options.pid if options.pid is not None else find_main(options.admin, environ)
    outcome = reload(pid)
    if not outcome["done"]:
        raise StartError(f"reload: {outcome['text']}")
    print(outcome["text"])
    return 0


def find_main(admin: str | None, environ: Mapping[str, str]) -> int:
    """The main process of the server with this admin listener."""
    address = admin or environ.get("AWXFAST_ADMIN") or Settings().admin
    if address == "off":
        raise ConfigurationError("--admin off: give --pid, the number of the server's main process")
    try:
        main = read_page(address, "/about", dict).get("main")
    except StartError as error:
        if isinstance(error.__cause__, PermissionError):  # it does not help there
            raise
        raise StartError(f"{error}; or --pid, the number of its main process") from error
    if not isinstance(main, int):
        raise StartError(f"the server at {address} does not say which its main process is; give --pid")
    return main


def reload(main: int) -> dict[str, Any]:
    """Sends USR2 when the main process is known to tell what becomes of it."""
    with socket.socket(socket.AF_UNIX, socket.SOCK_STREAM) as sock:
        sock.settimeout(PATIENCE)
        try:
            reach(sock, main)
            if (other := read_peer(sock)[0]) != main:  # anybody may take the name of a process that has none
                raise StartError(describe_stranger(main, other))
            answers = sock.makefile("rb")
            refuse_answer(main, answers.readline())
            os.kill(main, signal.SIGUSR2)
            line = answers.readline()
        except TimeoutError:
            raise StartError(f"process {main} has not said for {PATIENCE:g} s what became of the reload") from None
        except (ConnectionError, ProcessLookupError):
            line = b""
    if not line:
        raise StartError(f"process {main} ended before the reload was done; see its log")
    outcome: dict[str, Any] = json.loads(line)
    return outcome


def reach(sock: socket.socket, main: int) -> None:
    """Connects. Others may fill the backlog, which main empties as soon as it has a moment. Raises `StartError`."""
    end = time.monotonic() + CONNECT_SECONDS
    while True:
        try:
            sock.connect(name_watch_socket(main))
        except BlockingIOError:
            if time.monotonic() > end:
                raise StartError(f"too many ask process {main}; try again, or send USR2 and see the log") from None
            time.sleep(CONNECT_STEP)
        except OSError as error:
            raise StartError(describe_stranger(main)) from error
        else:
            return


def describe_stranger(process: int, other: int | None = None) -> str:
    """Says what to give in place of a number that is not a main process's, as seen from here.

    `other`: who has the name that a main process would have.
    """
    usurped = f" (or process {other} has its name: then send USR2, and see the log)" if other is not None else ""
    return (
        f"process {process} is no main process of awxfast{usurped}; give the one that was started, not its child, and "
        "ask in its own container"
    )


def refuse_answer(main: int, answer: bytes) -> None:
    """Raises `StartError` unless it lets us wait."""
    if answer == FULL:
        raise StartError(f"too many wait for a reload of process {main} already; try again when it is done")
    if answer != READY:
        raise StartError(f"process {main} does not let this user wait for its reload; be its user, or root")
