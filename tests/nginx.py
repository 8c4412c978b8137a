"""A real nginx that has our two files in its configuration."""

import socket
import subprocess
from pathlib import Path

from programs import require_program
from servers import HANG, wait_for

DEPLOY = Path(__file__).resolve().parent.parent / "deploy" / "nginx"

CONFIGURATION = """
daemon off;
pid {folder}/pid;
error_log {folder}/error.log;
events {{}}
http {{
    access_log off;
    client_body_temp_path {folder}/body;
    proxy_temp_path {folder}/proxy;
    fastcgi_temp_path {folder}/fastcgi;
    uwsgi_temp_path {folder}/uwsgi;
    scgi_temp_path {folder}/scgi;
    include {folder}/http.conf;
    {http}
    server {{
        listen 127.0.0.1:{port};
        include {deploy}/server.conf;
        {more}
    }}
}}
"""


class Nginx:
    """Runs in `folder` before the server at `upstream`; `more` goes into its server block, `http` before it.

    `address` is HOST:PORT.
    """

    def __init__(self, folder: Path, upstream: int, more: str = "", http: str = "") -> None:
        program, port = require_program("nginx"), free_port()
        self.address = f"127.0.0.1:{port}"
        (folder / "http.conf").write_text((DEPLOY / "http.conf").read_text().replace(":8055", f":{upstream}"))
        configuration = CONFIGURATION.format(folder=folder, port=port, deploy=DEPLOY, more=more, http=http)
        (folder / "nginx.conf").write_text(configuration)
        command = [program, "-e", str(folder / "error.log"), "-c", str(folder / "nginx.conf")]
        subprocess.run([*command, "-t"], check=True, capture_output=True, timeout=HANG)
        self._process = subprocess.Popen(command)
        wait_for(lambda: answers(port))

    def close(self) -> None:
        self._process.terminate()
        self._process.wait(HANG)


def free_port() -> int:
    with socket.create_server(("127.0.0.1", 0)) as sock:
        return int(sock.getsockname()[1])


def answers(port: int) -> bool:
    with socket.socket() as probe:
        return probe.connect_ex(("127.0.0.1", port)) == 0
