"""An upgrade at noon, and back: another wheel is installed, one reload, and neither supervisors nor browsers notice."""

import asyncio
import re
import shutil
import socket
import subprocess
import sys
import sysconfig
import zipfile
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest
from browsers import Browser, close_browsers, open_browser
from events import GROUPS
from main_process import MainProcess, clean_environment
from producers import Producer
from redis_servers import RedisServer
from reloading import reload_and_wait
from servers import HANG, wait_for

PACKAGE = Path(__file__).resolve().parents[2] / "python" / "awxfast"
NEW_SETTING = "    # Operation.\n    setting_of_the_next_version: int = 1\n"
"""What an older version does not understand."""


def make_wheel(folder: Path, version: str) -> Path:
    """This package as another version: the newer one has a setting more."""
    name, info = f"awxfast-{version}", f"awxfast-{version}.dist-info"
    path = folder / f"{name}-py3-none-any.whl"
    with zipfile.ZipFile(path, "w") as wheel:
        for file in sorted(PACKAGE.rglob("*")):
            if file.is_file() and "__pycache__" not in file.parts:
                data = file.read_bytes()
                if file == PACKAGE / "settings.py" and version != "0.1.0":
                    data = data.replace(b"    # Operation.\n", NEW_SETTING.encode())
                    assert NEW_SETTING.encode() in data
                wheel.writestr(f"awxfast/{file.relative_to(PACKAGE)}", data)
        wheel.writestr(f"{info}/METADATA", f"Metadata-Version: 2.1\nName: awxfast\nVersion: {version}\n")
        wheel.writestr(f"{info}/WHEEL", "Wheel-Version: 1.0\nRoot-Is-Purelib: true\nTag: py3-none-any\n")
        wheel.writestr(f"{info}/entry_points.txt", "[console_scripts]\nawxfast = awxfast.__main__:main\n")
        files = "".join(f"{one},,\n" for one in [*wheel.namelist(), f"{info}/RECORD"])
        wheel.writestr(f"{info}/RECORD", files)
    return path


class Site:
    """A folder with a virtual environment of its own, in which awxfast is installed from wheels."""

    def __init__(self, folder: Path, *, with_pip: bool) -> None:
        self._with_pip = with_pip
        self._wheels = {version: make_wheel(folder, version) for version in ("0.1.0", "0.2.0")}
        self._environment = folder / "environment"
        subprocess.run([sys.executable, "-m", "venv", "--without-pip", self._environment], check=True, timeout=4 * HANG)
        (self._packages,) = self._environment.glob("lib/python*/site-packages")
        (self._packages / "others.pth").write_text(sysconfig.get_path("purelib") + "\n")
        self.python = self._environment / "bin" / "python"

    def install(self, version: str) -> None:
        """As `pip install` does it, and by it."""
        if self._with_pip:
            options = ("--quiet", "--no-deps", "--no-index", "--force-reinstall", "--disable-pip-version-check")
            words = [sys.executable, "-m", "pip", "--python", self.python, "install", *options, self._wheels[version]]
            subprocess.run(words, check=True, timeout=8 * HANG)
            return
        for old in self._packages.glob("awxfast*"):
            shutil.rmtree(old)
        with zipfile.ZipFile(self._wheels[version]) as wheel:
            wheel.extractall(self._packages)

    def find_version(self, admin: Path) -> str:
        """What `awxfast status` says."""
        words = [sys.executable, "-m", "awxfast", "status", "--admin", str(admin)]
        done = subprocess.run(words, check=True, capture_output=True, text=True, timeout=HANG)
        found = re.search(r"^version +(\S+)$", done.stdout, re.MULTILINE)
        assert found is not None, done.stdout
        return found[1]


@pytest.fixture(params=[False, pytest.param(True, marks=pytest.mark.long)], ids=["unpacked", "pip"])
def site(request: pytest.FixtureRequest, tmp_path: Path) -> Site:
    site = Site(tmp_path, with_pip=request.param)
    site.install("0.1.0")
    return site


@pytest.fixture
def browsers_wanted(site: Site) -> int:
    return 100 if site._with_pip else 5


async def watch_upgrades(site: Site, admin: Path, port: int, number: int, producer: Producer) -> None:
    """To the newer version and back while browsers watch: events come, and nobody is closed."""
    browsers: list[Browser] = [
        await open_browser(f"ws://127.0.0.1:{port}/websocket/", GROUPS[:1]) for _ in range(number)
    ]
    for sent, version in enumerate(("0.2.0", "0.1.0")):
        await asyncio.to_thread(site.install, version)
        done = await asyncio.to_thread(reload_and_wait, "--admin", str(admin))
        assert done.returncode == 0, done.stderr
        assert f"{number} sockets kept" in done.stdout
        assert await asyncio.to_thread(site.find_version, admin) == version
        producer.send(GROUPS[0], sent)
        for browser in browsers:
            await browser.until(lambda browser=browser, sent=sent: browser.events == sent + 1)
    assert not any(browser.gone.is_set() or browser.out_of_order for browser in browsers)
    await close_browsers(browsers)


@pytest.mark.long
@pytest.mark.timeout(600)
async def test_type_notify_unit_hears_nothing_of_an_upgrade(
    site: Site,
    browsers_wanted: int,
    tmp_path: Path,
    redis_server: RedisServer,
    new_producer: Callable[..., Producer],
) -> None:
    admin = tmp_path / "admin"
    words = [site.python, "-m", "awxfast", "-p", "0", "--redis", redis_server.url, "--auth", "open", "--admin", admin]
    with socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM) as manager:
        manager.bind(str(tmp_path / "notify"))
        manager.settimeout(HANG)
        server = MainProcess(
            tmp_path, environ={"NOTIFY_SOCKET": str(tmp_path / "notify")}, command=[str(word) for word in words]
        )
        port = await asyncio.to_thread(server.wait_until_serving)
        assert manager.recv(100) == b"READY=1"
        await watch_upgrades(site, admin, port, browsers_wanted, new_producer(0, 0, "--on-demand"))
        assert re.findall(r"INFO     awxfast (\S+)", server.err.read_text()) == ["0.1.0", "0.2.0", "0.1.0"]
        assert server.stop() == 0  # the process that was started
        assert manager.recv(100) == b"STOPPING=1"


SUPERVISORD = """
[supervisord]
nodaemon = true
logfile = {folder}/supervisord.log
pidfile = {folder}/supervisord.pid
[unix_http_server]
file = {folder}/supervisor
[supervisorctl]
serverurl = unix://{folder}/supervisor
[rpcinterface:supervisor]
supervisor.rpcinterface_factory = supervisor.rpcinterface:make_main_rpcinterface
[program:awxfast]
command = {command}
stopasgroup = true
autorestart = true
startsecs = 1
stderr_logfile = {folder}/log
stderr_logfile_maxbytes = 0
stdout_logfile = NONE
"""


class Supervisord:
    """A real one, with one program."""

    def __init__(self, folder: Path, command: str) -> None:
        self._conf = folder / "supervisord.conf"
        self._conf.write_text(SUPERVISORD.format(folder=folder, command=command))
        words = [sys.executable, "-m", "supervisor.supervisord", "-c", str(self._conf)]
        self._process = subprocess.Popen(words, env=clean_environment(), stdout=subprocess.DEVNULL)

    def status(self) -> str:
        """Of the program: state and number."""
        words = [sys.executable, "-m", "supervisor.supervisorctl", "-c", str(self._conf), "status"]
        said = subprocess.run(words, check=False, capture_output=True, text=True, timeout=HANG).stdout
        found = re.search(r"awxfast\s+(RUNNING\s+pid \d+)", said)
        return found[1] if found else ""

    def close(self) -> None:
        self._process.terminate()
        self._process.wait(HANG)


@pytest.fixture
def supervisord(site: Site, tmp_path: Path, redis_server: RedisServer) -> Iterator[Supervisord]:
    admin = tmp_path / "admin"
    options = f"-p 0 --redis {redis_server.url} --auth open --admin {admin} --access-log {tmp_path}/access"
    one = Supervisord(tmp_path, f"{site.python} -m awxfast {options}")
    yield one
    one.close()


@pytest.mark.timeout(600)
async def test_supervisord_sees_one_process_through_an_upgrade(
    site: Site,
    supervisord: Supervisord,
    browsers_wanted: int,
    tmp_path: Path,
    new_producer: Callable[..., Producer],
) -> None:
    log = tmp_path / "log"

    def find_port() -> int | None:
        found = re.search(r"Listening on TCP address \S+:(\d+)", log.read_text()) if log.exists() else None
        return int(found[1]) if found else None

    port = await asyncio.to_thread(wait_for, find_port)
    before = await asyncio.to_thread(wait_for, supervisord.status)
    await watch_upgrades(site, tmp_path / "admin", port, browsers_wanted, new_producer(0, 0, "--on-demand"))
    assert supervisord.status() == before
    assert re.findall(r"INFO     awxfast (\S+)", log.read_text()) == ["0.1.0", "0.2.0", "0.1.0"]
