"""awxfast on a unix socket, with nginx between it and the clients, as on an AWX node."""

import getpass
import os
from pathlib import Path

from peers.one_worker import write_nginx
from peers.servers import LOOPBACK, Awxfast, Program, Redis, accepts_connections, free_port

DEPLOY = Path(__file__).resolve().parents[2] / "deploy" / "nginx"
CONFIGURATION = """
http {{
    access_log off;
    include {folder}/http.conf;
    client_body_temp_path {folder}/nginx-body;
    proxy_temp_path {folder}/nginx-proxy;
    server {{
        listen {address} backlog=4096;
        include {deploy}/server.conf;
    }}
}}
"""


def worker_user() -> str:
    """As root, nginx's worker would become somebody who can't open the socket."""
    return f"user {getpass.getuser()};" if os.geteuid() == 0 else ""


class BehindNginx(Awxfast):
    """Its CPU and memory are those of both; nginx runs with the configuration of `deploy/nginx`."""

    name = "nginx+awxfast"

    def __init__(self, redis: Redis, core: int, folder: Path, environment: dict[str, str]) -> None:
        super().__init__(redis, core, folder, environment)
        port = free_port()
        self.address = f"{LOOPBACK}:{port}"
        upstream = (DEPLOY / "http.conf").read_text().replace("127.0.0.1:8055", f"unix:{self.socket}")
        (folder / "http.conf").write_text(upstream)
        http = CONFIGURATION.format(folder=folder, address=self.address, deploy=DEPLOY)
        command = write_nginx(folder, "nginx", worker_user(), http)
        self.proxy = Program(command, core, folder / "nginx.log")
        self.proxy.wait_until(lambda: accepts_connections(port))

    def __exit__(self, *exception: object) -> None:
        if self.proxy is not None:
            self.proxy.__exit__()
        super().__exit__()

    def listen(self, folder: Path) -> list[str]:
        self.socket = folder / "relay.sock"
        self.socket.unlink(missing_ok=True)
        return ["--unix-socket", str(self.socket), "--proxy-headers"]
