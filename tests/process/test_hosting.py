"""An application in the serving process: what its import does to main, and what restarts and stops do to it."""

import datetime
import json
import os
import re
import signal
import socket
import sys
import time
from collections.abc import Callable, Iterator
from pathlib import Path

import aiohttp
import pytest
from main_process import MainProcess, is_alive
from redis_servers import RedisServer
from servers import wait_for

NEEDS_REDIS = """
import os, redis
redis.Redis(unix_socket_path=os.environ["SOCKET"]).ping()

async def application(scope, receive, send):
    if scope["type"] != "http":
        raise ValueError("only plain requests")
    await send({"type": "http.response.start", "status": 200, "headers": [(b"content-length", b"4")]})
    await send({"type": "http.response.body", "body": b"here"})

async def never(scope, receive, send):
    if scope["type"] == "lifespan":
        raise ValueError
    import asyncio
    await asyncio.to_thread(__import__("time").sleep, 60)
"""

Host = Callable[..., MainProcess]


@pytest.fixture
def host(start: Callable[..., MainProcess], tmp_path: Path) -> Host:
    """Hosts the application above, or one whose text is given."""

    def host_one(*options: str, text: str = NEEDS_REDIS, name: str = "application", path: str = "") -> MainProcess:
        (tmp_path / "site_of_test.py").write_text(text)
        environ = {"SOCKET": path}
        return start("-p", "0", *options, f"site_of_test:{name}", cwd=tmp_path, environ=environ)

    return host_one


@pytest.fixture
def deaf_socket(tmp_path: Path) -> Iterator[Path]:
    """A socket file that nobody listens on."""
    with socket.socket(socket.AF_UNIX) as sock:
        sock.bind(str(tmp_path / "deaf"))
        yield tmp_path / "deaf"


def fetch(port: int, path: str = "/") -> bytes:
    with socket.create_connection(("127.0.0.1", port), 20) as connection:
        connection.sendall(f"GET {path} HTTP/1.0\r\nHost: 127.0.0.1\r\n\r\n".encode())
        return b"".join(iter(lambda: connection.recv(65536), b""))


class TestRedisThatIsAway:
    """A site that asks Redis while it is imported (ansible/awx#8696)."""

    def test_no_socket_file(self, host: Host, tmp_path: Path) -> None:
        server = host(path=f"{tmp_path}/none")
        line = server.wait_for_line(r"WARNING +Redis does not answer while site_of_test:application is imported.*$")[0]
        assert f"{tmp_path}/none" in line
        assert "No such file" in line
        assert "as user " in line

    def test_socket_that_nobody_listens_on(self, host: Host, deaf_socket: Path) -> None:
        server = host(path=str(deaf_socket))
        assert "Connection refused" in server.wait_for_line(r"WARNING +Redis does not answer.*$")[0]

    @pytest.mark.skipif(os.geteuid() == 0, reason="root may open everything")
    def test_socket_that_may_not_be_opened(self, host: Host, deaf_socket: Path) -> None:
        deaf_socket.chmod(0)
        server = host(path=str(deaf_socket))
        assert "Permission denied" in server.wait_for_line(r"WARNING +Redis does not answer.*$")[0]

    def test_it_serves_as_soon_as_redis_is_there(self, host: Host, redis_server: RedisServer) -> None:
        redis_server.kill()
        server = host(path=str(redis_server.socket))
        server.wait_for_line(r"WARNING +Redis does not answer")
        time.sleep(2)
        assert server.process.poll() is None
        assert server.err.read_text().count("Redis does not answer") == 1
        redis_server.start()
        assert fetch(server.wait_until_serving()).endswith(b"here")

    def test_it_can_be_stopped_meanwhile(self, host: Host, tmp_path: Path) -> None:
        server = host(path=f"{tmp_path}/none")
        server.wait_for_line(r"WARNING +Redis does not answer")
        assert server.stop() == 0


class TestOtherFailures:
    @pytest.mark.parametrize(
        ("text", "reason"),
        [
            ("import no_such_module", "ModuleNotFoundError: No module named 'no_such_module'"),
            ("raise RuntimeError('no database')", "RuntimeError: no database"),
        ],
    )
    def test_one_line_and_exit_code_1(self, host: Host, text: str, reason: str) -> None:
        server = host(text=text)
        assert server.wait() == 1
        lines = server.err.read_text().splitlines()
        assert lines[-1].startswith("awxfast: site_of_test:application can't be ")
        assert reason in lines[-1]
        assert len(lines) == 3  # its version, and that it starts

    @pytest.mark.parametrize(
        ("text", "reason"),
        [
            ("a = 1", "APPLICATION site_of_test:application: there is no 'application' in module 'site_of_test'"),
            ("application = 1", "site_of_test:application can't be hosted: it is no ASGI application but 'int'"),
        ],
    )
    def test_what_starting_again_does_not_mend_is_exit_code_2(self, host: Host, text: str, reason: str) -> None:
        server = host(text=text)
        assert server.wait() == 2
        assert server.err.read_text().splitlines()[-1] == f"awxfast: {reason}"

    def test_verbosity_2_shows_where(self, host: Host) -> None:
        server = host("-v", "2", text="raise RuntimeError('no database')")
        assert server.wait() == 1
        assert "Traceback" in server.err.read_text()

    def test_application_that_says_it_can_not_start(self, host: Host) -> None:
        text = (
            "async def application(scope, receive, send):\n"
            "    await receive()\n"
            "    await send({'type': 'lifespan.startup.failed', 'message': 'no database'})"
        )
        server = host(text=text)
        assert server.wait() == 1
        assert server.err.read_text().splitlines()[-1] == "awxfast: the application can't start: no database"


HANGS = """
import asyncio, pathlib, time
HERE
async def application(scope, receive, send):
    THERE
"""


class TestStartThatHangs:
    @pytest.mark.parametrize(
        ("here", "there"),
        [
            ("pathlib.Path('hangs').touch(); time.sleep(600)", "pass"),
            ("", "pathlib.Path('hangs').touch(); await asyncio.sleep(600)"),
            ("", "pathlib.Path('hangs').touch(); time.sleep(600)"),
        ],
        ids=["import", "lifespan", "blocked loop"],
    )
    def test_term_ends_it_however_long_queues_may_drain(
        self, host: Host, tmp_path: Path, here: str, there: str
    ) -> None:
        server = host("--grace", "600", text=HANGS.replace("THERE", there).replace("HERE", here))
        wait_for((tmp_path / "hangs").exists)
        child = server.child()
        assert server.stop() == 0
        assert not is_alive(child)
        assert "unasked" not in server.err.read_text()

    def test_lifespan_that_leaves_is_a_failed_start(self, host: Host) -> None:
        server = host(text="async def application(scope, receive, send): raise SystemExit(3)")
        assert server.wait() == 1
        last = server.err.read_text().splitlines()[-1]
        assert last == "awxfast: the application can't start: its lifespan ended with SystemExit: 3"

    def test_shutdown_that_failed_is_told(self, host: Host) -> None:
        text = (
            "async def application(scope, receive, send):\n"
            "    if scope['type'] == 'lifespan':\n"
            "        await receive(); await send({'type': 'lifespan.startup.complete'})\n"
            "        await receive(); await send({'type': 'lifespan.shutdown.failed', 'message': 'queue not empty'})\n"
        )
        server = host(text=text)
        server.wait_until_serving()
        assert server.stop() == 0
        assert "ERROR    The application says that its shutdown failed: queue not empty" in server.err.read_text()


class TestProcess:
    def test_child_that_dies_is_replaced(self, host: Host, redis_server: RedisServer) -> None:
        server = host(path=str(redis_server.socket))
        port = server.wait_until_serving()
        os.kill(server.child(), signal.SIGKILL)
        server.wait_until_serving(2)
        assert fetch(port).endswith(b"here")

    async def test_blocked_threads_do_not_hold_up_the_end(self, host: Host, redis_server: RedisServer) -> None:
        """Whoever never ends holds up nobody (django/daphne#579)."""
        server = host("--grace", "1", path=str(redis_server.socket), name="never")
        port = server.wait_until_serving()
        async with aiohttp.ClientSession(timeout=aiohttp.ClientTimeout(0.5)) as session:
            with pytest.raises(TimeoutError):
                await session.get(f"http://127.0.0.1:{port}/")
        began = time.monotonic()
        assert server.stop() == 0
        assert time.monotonic() - began < 20

    def test_flags_of_the_interpreter_are_its_own_too(self, start: Callable[..., MainProcess], tmp_path: Path) -> None:
        (tmp_path / "site_of_test.py").write_text(
            "import json, pathlib, sys\n"
            "found = [sys.flags.optimize, sys.flags.dev_mode, sys._xoptions.get('ours'), sys.warnoptions]\n"
            "pathlib.Path('flags').write_text(json.dumps(found))\n"
            "async def application(scope, receive, send): raise ValueError\n"
        )
        flags = ["-OO", "-X", "dev", "-X", "ours=7", "-W", "ignore::UserWarning"]
        command = [sys.executable, *flags, "-m", "awxfast", "-p", "0", "site_of_test:application"]
        start(command=command, cwd=tmp_path).wait_until_serving()
        optimize, dev, ours, warnings = json.loads((tmp_path / "flags").read_text())
        assert (optimize, dev, ours) == (2, True, "7")
        assert "ignore::UserWarning" in warnings

    def test_its_lines_have_mains_clock_whatever_zone_it_sets(
        self, start: Callable[..., MainProcess], tmp_path: Path
    ) -> None:
        (tmp_path / "site_of_test.py").write_text(
            "import logging, os, time\n"
            "os.environ['TZ'] = 'Asia/Tokyo'; time.tzset()\n"
            "logging.getLogger('site').warning('imported')\n"
            "async def application(scope, receive, send): raise ValueError\n"
        )
        server = start("-p", "0", "site_of_test:application", cwd=tmp_path, environ={"TZ": "America/New_York"})
        port = server.wait_until_serving()
        fetch(port)
        lines = server.err.read_text().splitlines()
        assert "imported" in lines[2]
        times = [datetime.datetime.fromisoformat(line[:19]) for line in (lines[0], lines[2])]
        (access,) = wait_for(lambda: re.findall(r"\[(.+?)\] \"GET", server.out.read_text()))
        times.append(datetime.datetime.strptime(access, "%d/%b/%Y:%H:%M:%S"))
        assert max(times) - min(times) < datetime.timedelta(hours=1)

    def test_no_redis_is_started_for_an_application(self, host: Host) -> None:
        server = host(text="async def application(scope, receive, send): raise ValueError")
        server.wait_until_serving()
        assert "Private Redis" not in server.err.read_text()
        assert "every browser" not in server.err.read_text().lower()

    def test_admin_listener_when_it_is_asked_for(self, host: Host, tmp_path: Path) -> None:
        server = host("--admin", "127.0.0.1:0", text="async def application(scope, receive, send): raise ValueError")
        port = int(server.wait_for_line(r"Admin listener on TCP address \S+:(\d+)$")[1])
        wait_for(lambda: fetch(port, "/readyz").startswith(b"HTTP/1.1 200"))
        assert json.loads(fetch(port, "/ledger").partition(b"\r\n\r\n")[2])["clients"] == 0
        assert b"awxfast_clients 0.0" in fetch(port, "/metrics")
