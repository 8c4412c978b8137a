"""The parts of nodes that are measured: diallers and node servers, awxfast's and the ones that work like AWX's own.

The latter are those that the tests hold awxfast against (tests/mesh): aiohttp, `receive` and `group_send` of
channels_redis, one message after the other, `json` at each hop. Django, Channels' dispatch and AWX's log lines, which
cost stock nodes more, are not in them.
"""

import sys
from collections.abc import Sequence
from pathlib import Path

from peers.servers import LOOPBACK, Cores, Program, Redis, accepts_connections, free_port

MESH = Path(__file__).resolve().parents[2] / "tests" / "mesh"
SECRET = "the secret of the benchmark's nodes"
NODE = {"AWXFAST_SECRET": SECRET}


class AwxfastDialler(Program):
    """`python -m awxfast.broadcast` with its defaults."""

    def __init__(
        self, redis: Redis, era: str, peers: Sequence[str], core: Cores, folder: Path, more: Sequence[str] = ()
    ) -> None:
        command = [sys.executable, "-m", "awxfast.broadcast", "--redis", redis.url, "--era", era, "--protocol", "http"]
        command += [word for peer in peers for word in ("--peer", peer)]
        super().__init__([*command, "--name", "bench", *more], core, folder / "dialler.log", NODE)


class StockDialler(Program):
    """One that works like AWX's run_wsbroadcast or run_wsrelay."""

    def __init__(self, redis: Redis, era: str, peers: Sequence[str], core: Cores, folder: Path) -> None:
        command = [sys.executable, str(MESH / "stock_dialler.py"), "--redis", redis.url, "--era", era]
        command += ["--secret", SECRET, *(word for peer in peers for word in ("--peer", peer))]
        super().__init__(command, core, folder / "dialler.log")


class AwxfastNode(Program):
    """`python -m awxfast` in native mode, with its defaults and the nodes' secret."""

    def __init__(self, redis: Redis, era: str, core: Cores, folder: Path, more: Sequence[str] = ()) -> None:
        port = free_port()
        self.address = f"{LOOPBACK}:{port}"
        command = [sys.executable, "-m", "awxfast", "-b", LOOPBACK, "-p", str(port), "-v", "0", "--auth", "open"]
        command += ["--admin", "off", *more]
        super().__init__([*command, "--redis", redis.url], core, folder / "node.log", NODE)
        self.wait_until(lambda: accepts_connections(port))


class StockNode(Program):
    """One that works like AWX's browser and node endpoints; without daphne and Django, so that it is faster."""

    def __init__(self, redis: Redis, era: str, core: Cores, folder: Path) -> None:
        port = free_port()
        self.address = f"{LOOPBACK}:{port}"
        command = [sys.executable, str(MESH / "stock_server.py"), "--redis", redis.url, "--secret", SECRET]
        super().__init__([*command, "--era", era, "--port", str(port)], core, folder / "node.log")
        self.wait_until(lambda: accepts_connections(port))


DIALLERS: dict[str, type[AwxfastDialler] | type[StockDialler]] = {"stock-like": StockDialler, "awxfast": AwxfastDialler}
NODES: dict[str, type[AwxfastNode] | type[StockNode]] = {"stock-like": StockNode, "awxfast": AwxfastNode}


def peer_addresses(port: str, count: int) -> list[str]:
    """So many peers at one port: every address of 127/8 is this machine."""
    return [f"127.0.0.{number}:{port}" for number in range(1, count + 1)]
