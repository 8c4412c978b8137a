"""The site under a server of the test's choice: only the first word of the command line differs."""

import json
import os
import subprocess
import tempfile
from collections.abc import Sequence
from pathlib import Path

import aiohttp
from layer_forms import chosen_form
from parity.hosts import HostingServer

HERE = Path(__file__).resolve().parent
PASSWORD = "a password"
SETUP = """
import django
django.setup()
from django.core.management import call_command
from django.contrib.auth.models import User
call_command("migrate", verbosity=0)
for name in ("alice", "bob"):
    User.objects.create_user(name, password={password!r})
"""


class Site:
    """Its database and the environment of its processes. `python` has the packages that it runs on."""

    def __init__(self, redis_urls: Sequence[str], python: Path) -> None:
        self.python = python
        self.folder = Path(tempfile.mkdtemp(prefix="awxfast-site-"))
        self.environ = {
            "SITE_FOLDER": str(self.folder),
            "SITE_REDIS": " ".join(redis_urls),
            "SITE_LAYER": chosen_form().backend,
            "SITE_LAYER_OPTIONS": json.dumps(chosen_form().configuration),
            "DJANGO_SETTINGS_MODULE": "project.settings",
        }
        self.run_python("-c", SETUP.format(password=PASSWORD))

    def run_python(self, *words: str) -> None:
        environ = {**os.environ, **self.environ}
        subprocess.run([self.python, *words], cwd=HERE, env=environ, check=True, timeout=60)

    def start_worker(self, channel: str) -> subprocess.Popen[bytes]:
        command = [self.python, "-m", "django", "runworker", channel]
        environ = {**os.environ, **self.environ, "PYTHONPATH": f"{HERE}:{os.environ.get('PYTHONPATH', '')}"}
        return subprocess.Popen(command, cwd=HERE, env=environ, stderr=subprocess.DEVNULL)

    def serve(self, kind: str, *options: str, **environ: str) -> HostingServer:
        return HostingServer(
            kind,
            *options,
            application="project.asgi:application",
            where=HERE,
            environ={**self.environ, **environ},
            python=self.python,
        )


async def log_in(session: aiohttp.ClientSession, server: HostingServer, name: str) -> str:
    """Logs in as a browser does; the CSRF token."""
    url = server.url("/login/", "http")
    await session.get(url)
    token = find_cookie(session, "csrftoken")
    form = {"username": name, "password": PASSWORD}
    async with session.post(url, data=form, headers={"X-CSRFToken": token}) as response:
        assert response.status == 200, await response.text()
    return find_cookie(session, "csrftoken")


def find_cookie(session: aiohttp.ClientSession, name: str) -> str:
    return next(cookie.value for cookie in session.cookie_jar if cookie.key == name)


def open_session() -> aiohttp.ClientSession:
    """A browser, or many; keeps cookies of an address without a name too."""
    return aiohttp.ClientSession(cookie_jar=aiohttp.CookieJar(unsafe=True), connector=aiohttp.TCPConnector(limit=0))
