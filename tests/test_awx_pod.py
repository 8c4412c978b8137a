"""The web pod of awx-operator, rebuilt: its supervisord and nginx, AWX's pinned packages, a Channels site for AWX.

It is taken from daphne to awxfast and back by what docs/awx.md says.
"""

import json
import os
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from awxfast.deploy import FOLDER
from channels_redis.core import RedisChannelLayer
from environments import AWX_24, AWX_DEVEL, find_python
from main_process import clean_environment
from nginx import answers, free_port
from programs import require_program
from redis_servers import RedisServer
from servers import HANG, wait_for
from site_process import HERE, Site, log_in, open_session

SUPERVISORD = """
[supervisord]
nodaemon = True
umask = 022
logfile = {folder}/supervisord.log
pidfile = {folder}/supervisor.web.pid

[program:nginx]
command = {nginx} -e {folder}/error.log -c {folder}/nginx.conf -g "daemon off;"
autorestart = true
stopasgroup=true
killasgroup=true

[program:daphne]
command = /var/lib/awx/venv/awx/bin/daphne -b 127.0.0.1 -p 8051 --websocket_timeout -1 project.asgi:application
directory = {site}
autorestart = true
stopasgroup=true
killasgroup=true

[group:tower-processes]
programs=nginx,daphne
priority=5

[unix_http_server]
file={folder}/supervisor.web.sock

[supervisorctl]
serverurl=unix://{folder}/supervisor.web.sock

[rpcinterface:supervisor]
supervisor.rpcinterface_factory = supervisor.rpcinterface:make_main_rpcinterface
"""
"""What matters of AWX's supervisor_web.conf."""

NGINX = """
pid {folder}/nginx.pid;
error_log {folder}/error.log;
events {{}}
http {{
    access_log off;
    client_body_temp_path {folder}/body;
    proxy_temp_path {folder}/proxy;
    fastcgi_temp_path {folder}/fastcgi;
    uwsgi_temp_path {folder}/uwsgi;
    scgi_temp_path {folder}/scgi;
    map $http_upgrade $connection_upgrade {{
        default upgrade;
        ''      close;
    }}
    upstream daphne {{
        server 127.0.0.1:{daphne_port};
    }}
    server {{
        listen 127.0.0.1:{port} default_server;
        server_name _;
        location ~ ^(/websocket/|/api/websocket/) {{
            proxy_pass http://daphne;
            proxy_http_version 1.1;
            proxy_buffering off;
            proxy_set_header X-Forwarded-For $proxy_add_x_forwarded_for;
            proxy_set_header X-Forwarded-Proto https;
            proxy_set_header Host $http_host;
            proxy_redirect off;
            proxy_set_header Upgrade $http_upgrade;
            proxy_set_header Connection $connection_upgrade;
        }}
        location / {{
            proxy_pass http://daphne;
            proxy_set_header Host $http_host;
        }}
    }}
}}
"""
"""What matters of the operator's nginx_conf; its last location is uwsgi's there."""

WRAPPER = """#!/bin/sh
exec {python} -m {module} "$@"
"""


class Pod:
    """supervisord with nginx and the site. `image` is the file that the image has; paths and ports there are AWX's."""

    def __init__(self, folder: Path, site: Site) -> None:
        self._folder = folder
        self._port, self._daphne_port = free_port(), free_port()
        self.image = folder / "supervisord_web.conf"
        self.image.write_text(SUPERVISORD.format(folder=folder, nginx=require_program("nginx"), site=HERE))
        nginx = NGINX.format(folder=folder, port=self._port, daphne_port=self._daphne_port)
        (folder / "nginx.conf").write_text(nginx)
        (folder / "bin").mkdir()
        for module in ("daphne", "awxfast"):
            program = folder / "bin" / module
            program.write_text(WRAPPER.format(python=site.python, module=module))
            program.chmod(0o755)
        self._write_live()
        environ = clean_environment(**site.environ, AWXFAST_ADMIN=str(folder / "admin.sock"))
        self._process = subprocess.Popen(
            [sys.executable, "-m", "supervisor.supervisord", "-c", str(folder / "live.conf")],
            env=environ,
            stdout=subprocess.DEVNULL,
        )
        self.wait_for_site()

    def _write_live(self) -> None:
        text = self.image.read_text()
        text = text.replace("/var/lib/awx/venv/awx/bin", str(self._folder / "bin"))
        (self._folder / "live.conf").write_text(text.replace("8051", str(self._daphne_port)))

    def control(self, *words: str) -> str:
        command = [sys.executable, "-m", "supervisor.supervisorctl", "-c", str(self._folder / "live.conf"), *words]
        return subprocess.run(command, capture_output=True, text=True, timeout=HANG, check=True).stdout

    def change_image(self, script: str) -> None:
        """As the Containerfile does it."""
        subprocess.run(["sed", "-i", "-f", FOLDER / "awx" / script, self.image], check=True, timeout=HANG)

    def update(self) -> None:
        """Starts again with what the image's file says now."""
        self._write_live()
        self.control("update")
        self.wait_for_site()

    def wait_for_site(self) -> None:
        wait_for(lambda: answers(self._port) and answers(self._daphne_port))

    @property
    def command_line(self) -> str:
        """Of the program that is called daphne."""
        pid = self.control("pid", "tower-processes:daphne").strip()
        return Path(f"/proc/{pid}/cmdline").read_text().replace("\0", " ")

    def ask_status(self) -> Any:
        command = [self._folder / "bin" / "awxfast", "status", "--json"]
        environ = {**os.environ, "AWXFAST_ADMIN": str(self._folder / "admin.sock")}
        return json.loads(subprocess.run(command, env=environ, capture_output=True, timeout=HANG, check=True).stdout)

    def url(self, path: str, scheme: str = "ws") -> str:
        return f"{scheme}://127.0.0.1:{self._port}{path}"

    def close(self) -> None:
        self._process.terminate()
        self._process.wait(HANG)


@pytest.fixture
def redis() -> Iterator[RedisServer]:
    server = RedisServer()
    yield server
    server.close()


@pytest.fixture(params=[AWX_24, AWX_DEVEL])
def pod(request: pytest.FixtureRequest, tmp_path: Path, redis: RedisServer) -> Iterator[Pod]:
    one = Pod(tmp_path, Site([redis.url], find_python(request.param)))
    yield one
    one.close()


async def watch_job(pod: Pod, redis: RedisServer) -> Any:
    """A user logs in, opens a job and gets an event of it; the status of awxfast meanwhile, if it is there."""
    layer = RedisChannelLayer(hosts=[redis.url])
    async with open_session() as session:
        token = await log_in(session, pod, "alice")  # type: ignore[arg-type]  # it has what is needed of a server
        async with session.ws_connect(pod.url("/websocket/", "http")) as socket:
            assert await socket.receive_json(timeout=HANG) == {"accept": True, "user": 1}
            await socket.send_json({"groups": {"job_events": [42]}, "xrftoken": token})
            await socket.receive_json(timeout=HANG)
            await layer.group_send("job_events-42", {"type": "internal.message", "text": "ok: [web-1]"})
            assert await socket.receive_str(timeout=HANG) == "ok: [web-1]"
            status = pod.ask_status() if "awxfast" in pod.command_line else None
    await layer.close_pools()
    return status


@pytest.mark.long
class TestPod:
    """Three starts of a site; `TestAwx` in test_deploy.py holds what the files make of AWX's lines."""

    async def test_it_goes_from_daphne_to_awxfast_and_back(self, pod: Pod, redis: RedisServer) -> None:
        stock = pod.image.read_text()
        assert "-m daphne" in pod.command_line
        await watch_job(pod, redis)

        pod.change_image("supervisord.sed")
        pod.update()
        assert "-m awxfast -b 127.0.0.1" in pod.command_line
        status = await watch_job(pod, redis)
        assert status["clients"] == 1
        assert status["balance"] == {"events": 0, "frames": 0}

        pod.image.write_text(stock)
        pod.update()
        assert "-m daphne" in pod.command_line
        await watch_job(pod, redis)
        assert not [key for key in redis.client().keys("*") if b"awxfast" in key]
