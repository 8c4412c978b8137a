"""The servers that awxfast is compared with, each as its papers say for one core, without access log."""

import sys
from pathlib import Path
from typing import ClassVar

from traffic.event_texts import AWX_CAPACITY
from workloads.kinds import APPLICATION, GROUP

from peers.one_worker import write_nginx
from peers.servers import LOOPBACK, Redis, Server, accepts_connections, free_port

NCHAN_MODULE = Path("/usr/lib/nginx/modules/ngx_nchan_module.so")
NCHAN = """
http {{
    access_log off;
    keepalive_requests 100000000;
    client_header_buffer_size 64k;
    client_max_body_size 16m;
    client_body_buffer_size 1m;
    client_body_temp_path {folder}/nchan-body;
    nchan_max_reserved_memory 512m;
    server {{
        listen {address} backlog=4096;
        location ~ /sub/(.+)$ {{
            nchan_subscriber websocket;
            nchan_subscriber_first_message newest;
            nchan_channel_id $1;
        }}
        location ~ /pub/(.+)$ {{
            nchan_publisher http;
            nchan_channel_id $1;
            nchan_message_buffer_length {capacity};
            nchan_message_timeout 60s;
        }}
    }}
}}
"""


class AsgiServer(Server):
    """An application under a server that takes its name."""

    def __init__(
        self, redis: Redis, core: int, folder: Path, environment: dict[str, str], application: str = APPLICATION
    ) -> None:
        port = free_port()
        self.address = f"{LOOPBACK}:{port}"
        words = [sys.executable, "-m", self.name, *self.options(port), application]
        super().__init__(words, core, folder / f"{self.name}.log", environment)
        self.wait_until(lambda: accepts_connections(port))

    def options(self, port: int) -> list[str]:
        """Its command line but for the application."""
        raise NotImplementedError


class Daphne(AsgiServer):
    """As AWX's supervisor starts it."""

    name = "daphne"

    def options(self, port: int) -> list[str]:
        return ["-b", LOOPBACK, "-p", str(port), "-v", "0", "--websocket_timeout", "-1"]


class Uvicorn(AsgiServer):
    """On uvloop, httptools and websockets, which it takes by itself where they are."""

    name = "uvicorn"

    def options(self, port: int) -> list[str]:
        return ["--host", LOOPBACK, "--port", str(port), "--log-level", "error", "--no-access-log", "--lifespan", "off"]


class Granian(AsgiServer):
    """One worker, one thread of its runtime."""

    name = "granian"

    def options(self, port: int) -> list[str]:
        return ["--interface", "asginl", "--host", LOOPBACK, "--port", str(port), "--log-level", "error"]


class Hypercorn(AsgiServer):
    """One worker on uvloop."""

    name = "hypercorn"

    def options(self, port: int) -> list[str]:
        return ["--bind", f"{LOOPBACK}:{port}", "--worker-class", "uvloop", "--log-level", "error"]


class Nchan(Server):
    """nginx with nchan, one worker. Events come by HTTP, not through Redis, and it knows no subscription command."""

    name = "nchan"
    client_options: ClassVar[dict[str, str]] = {"protocol": "bare", "path": f"/sub/{GROUP}"}

    def __init__(self, redis: Redis, core: int, folder: Path, environment: dict[str, str]) -> None:
        port = free_port()
        self.address = f"{LOOPBACK}:{port}"
        http = NCHAN.format(folder=folder, address=self.address, capacity=AWX_CAPACITY)
        command = write_nginx(folder, "nchan", f"load_module {NCHAN_MODULE};", http)
        super().__init__(command, core, folder / "nchan.log", environment)
        self.wait_until(lambda: accepts_connections(port))

    def producer(self, way: str, redis: Redis) -> tuple[str, dict[str, str]]:
        return "nchan", {"nchan": self.address}
