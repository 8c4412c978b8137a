"""The program as supervisors and operators see it: start-up lines, signals, deaths, exit codes."""

import asyncio
import errno
import http.client
import json
import os
import re
import signal
import socket
import subprocess
import sys
import threading
import time
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest
import redis
from awxfast import __version__
from awxfast._rust import sign_secret
from awxfast.errors import HandOverFailed
from awxfast.operate.admin import AdminListener
from awxfast.process.listeners import Listener
from awxfast.process.main import SIGNALS, Main
from awxfast.process.main_resources import MainResources
from awxfast.process.notify import Notifier
from awxfast.settings import Settings
from channels_redis.core import RedisChannelLayer
from main_process import LOOPBACK, MainProcess, clean_environment, is_alive, run_to_its_end
from redis_servers import RedisServer
from servers import HANG, wait_for
from websockets.sync.client import connect, unix_connect

Start = Callable[..., MainProcess]


def greet(port: int, host: str = "127.0.0.1", query: str = "") -> str | bytes:
    """What a browser hears first."""
    with connect(f"ws://{host}:{port}/websocket/{query}", open_timeout=30) as browser:
        return browser.recv(timeout=30)


def somebody_listens(path: Path) -> bool:
    with socket.socket(socket.AF_UNIX) as probe:
        return probe.connect_ex(str(path)) == 0


@pytest.fixture
def idle_main() -> Iterator[Main]:
    """One that has not started anybody."""
    with socket.create_server(("127.0.0.1", 0)) as served, socket.create_server(("127.0.0.1", 0)) as admin:
        yield Main(MainResources(Settings(), [Listener(served)], Listener(admin)), Notifier({}))
    signal.pthread_sigmask(signal.SIG_UNBLOCK, SIGNALS)


class TestRenewalThatIsGivenUp:
    async def test_end_that_is_asked_for_meanwhile_is_an_end_in_order(
        self, idle_main: Main, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        """The sockets are closed then that the admin listener's pages name."""

        async def refuse(_: list[int]) -> dict[str, object]:
            idle_main._stop()
            raise HandOverFailed("it stops")

        await idle_main._open_admin()
        monkeypatch.setattr(idle_main._workers, "freeze", refuse)
        with pytest.raises(HandOverFailed):
            await idle_main._leave()
        assert not {*SIGNALS} & signal.pthread_sigmask(signal.SIG_BLOCK, [])
        assert idle_main._admin is None, "there is nobody left to look for"

    async def test_admin_listener_that_can_not_be_served_again_ends_nobody(
        self, idle_main: Main, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
    ) -> None:
        async def refuse(_: list[int]) -> dict[str, object]:
            raise HandOverFailed("a serving process hears nothing")

        async def start(*_: object) -> AdminListener:
            raise OSError(errno.EMFILE, "Too many open files")

        monkeypatch.setattr(idle_main._workers, "freeze", refuse)
        monkeypatch.setattr(AdminListener, "start", start)
        with pytest.raises(HandOverFailed):
            await idle_main._leave()
        assert not {*SIGNALS} & signal.pthread_sigmask(signal.SIG_BLOCK, [])
        assert "The admin listener answers nobody: Too many open files" in caplog.text
        caplog.set_level("INFO")
        idle_main._announce_serving()
        assert "Listening on" in caplog.text
        assert "Admin listener on" not in caplog.text


class TestStartUp:
    def test_lines_are_daphnes_behind_one_that_says_which_program_it_is(self, start: Start) -> None:
        server = start("-p", "0", *LOOPBACK)
        port = server.wait_until_serving()
        lines = [re.sub(r"^[\d-]+ [\d:,]+ ", "", line) for line in server.err.read_text().splitlines()]
        assert lines[0] == f"INFO     awxfast {__version__}"
        assert lines[1] == "INFO     Starting server at tcp:port=0:interface=127.0.0.1"
        assert server.err.read_text().count(f"awxfast {__version__}") == 1
        assert lines[-1] == f"INFO     Listening on TCP address 127.0.0.1:{port}"
        assert json.loads(greet(port)) == {"accept": True, "user": 0}

    @pytest.mark.parametrize(
        "words",
        [
            ("--auth", "hidden"),
            ("--auth", "tokens=/nonexistent"),
            ("--auth", "forward=nowhere"),
            ("--trusted-proxy", "proxy.example"),
            ("--secret-file", "/nonexistent"),
            ("--encryption-key-file", "/nonexistent"),
            ("--redis", "http://x"),
            ("--access-log", "/nonexistent/log"),
            ("--admin", "192.0.2.1:1"),
            ("-b", "0.0.0.0", "--auth", "open"),
        ],
    )
    def test_wrong_value_is_found_before_the_start(self, words: tuple[str, ...]) -> None:
        done = run_to_its_end("-p", "0", "--admin", "off", *words)
        assert done.returncode in (1, 2)
        assert "Starting server" not in done.stderr
        assert "hidden" not in done.stderr

    def test_descriptor_limits_are_told_in_the_log_and_on_metrics(
        self, start: Start, redis_server: RedisServer
    ) -> None:
        words = ["-p", "0", "--redis", redis_server.url, "--auth", "open", "--admin", "127.0.0.1:0"]
        limited = ["sh", "-c", 'ulimit -Sn 500; ulimit -Hn 1000; exec "$@"', "sh", sys.executable, "-m", "awxfast"]
        server = start(command=[*limited, *words])
        admin = server.wait_for_line(r"Admin listener on TCP address (\S+)$")[1]
        line = r"INFO     Descriptors: at most 1000, raised from 500 \(hard limit 1000\); clients: at most (\d+)$"
        clients = server.wait_for_line(line)[1]
        _, metrics = ask(admin, "/metrics")
        assert 'awxfast_descriptors_limit{limit="soft"} 1000.0' in metrics
        assert 'awxfast_descriptors_limit{limit="hard"} 1000.0' in metrics
        assert f"awxfast_clients_limit {clients}.0" in metrics

    def test_private_redis_is_named_and_goes_with_main(self, start: Start) -> None:
        server = start("-p", "0", *LOOPBACK)
        folder = Path(server.wait_for_line(r"Private Redis at unix://(\S+)/redis.sock")[1])
        server.wait_until_serving()
        assert folder.stat().st_mode & 0o777 == 0o700
        assert server.stop() == 0
        assert not folder.exists()

    def test_ipv6(self, start: Start, redis_server: RedisServer) -> None:
        server = start("-b", "::1", "-p", "0", "--redis", redis_server.url, *LOOPBACK)
        server.wait_for_line(r"Starting server at tcp:port=0:interface=\\:\\:1$")
        port = int(server.wait_for_line(r"Listening on TCP address ::1:(\d+)$")[1])
        assert greet(port, "[::1]")

    def test_unix_socket_beside_a_port(self, start: Start, redis_server: RedisServer, tmp_path: Path) -> None:
        path = tmp_path / "browsers.sock"
        server = start("-p", "0", "-u", str(path), "--redis", redis_server.url, *LOOPBACK)
        server.wait_for_line(rf"Starting server at tcp:port=0:interface=127.0.0.1, unix:{path}$")
        server.wait_for_line(rf"Listening on UNIX address {path}$")
        assert greet(server.wait_until_serving())
        with unix_connect(str(path), "ws://localhost/websocket/") as browser:
            assert browser.recv(timeout=30)
        assert server.stop() == 0
        assert not path.exists()

    def test_inherited_descriptor(self, start: Start, redis_server: RedisServer) -> None:
        with socket.create_server(("127.0.0.1", 0)) as inherited:
            number = inherited.fileno()
            server = start("--fd", str(number), "--redis", redis_server.url, *LOOPBACK, pass_fds=[number])
            assert server.wait_until_serving() == inherited.getsockname()[1]
            assert greet(inherited.getsockname()[1])

    def test_connections_wait_while_the_child_starts(self, start: Start) -> None:
        with socket.create_server(("127.0.0.1", 0)) as inherited:
            port, number = inherited.getsockname()[1], inherited.fileno()
            start("--fd", str(number), *LOOPBACK, pass_fds=[number])
            assert greet(port)

    def test_verbosity_0_is_silent(self, start: Start, redis_server: RedisServer, tmp_path: Path) -> None:
        path = tmp_path / "browsers.sock"
        server = start("-v", "0", "-u", str(path), "--redis", redis_server.url, *LOOPBACK)
        wait_for(lambda: somebody_listens(path))  # the file is there a moment sooner
        with unix_connect(str(path), "ws://localhost/websocket/", open_timeout=30) as browser:
            assert browser.recv(timeout=30)
        assert server.stop() == 0
        assert server.err.read_text() == server.out.read_text() == ""

    def test_json_log(self, start: Start, redis_server: RedisServer) -> None:
        server = start("-p", "0", "--log-format", "json", "--redis", redis_server.url, *LOOPBACK)
        server.wait_for_line(r'"Listening on TCP address')
        assert server.stop() == 0
        messages = [json.loads(line)["message"] for line in server.err.read_text().splitlines()]
        assert messages[1] == "Starting server at tcp:port=0:interface=127.0.0.1"

    def test_variables_that_mean_nothing_are_told_once(self, start: Start, redis_server: RedisServer) -> None:
        server = start(*LOOPBACK, "-p", "0", "--redis", redis_server.url, environ={"AWXFAST_QUEUE_FRAME": "hidden"})
        server.wait_until_serving()
        said = "Environment variables that mean nothing: AWXFAST_QUEUE_FRAME (did you mean AWXFAST_QUEUE_FRAMES?)"
        assert server.err.read_text().count(said) == 1
        assert "hidden" not in server.err.read_text()

    def test_nobody_may_connect_unless_the_operator_says_who(self, start: Start, redis_server: RedisServer) -> None:
        server = start("-p", "0", "--redis", redis_server.url, "--admin", "off")
        port = server.wait_until_serving()
        server.wait_for_line("WARNING  Every browser is refused: --auth")
        assert json.loads(greet(port)) == {"close": True}


CLOSED = ["<&- >&-", "<&- 2>&-", ">&- 2>&-", "<&- >&- 2>&-"]


class TestClosedDescriptors:
    @pytest.mark.parametrize("closed", CLOSED)
    def test_it_serves_and_they_are_dev_null(
        self, start: Start, redis_server: RedisServer, tmp_path: Path, closed: str
    ) -> None:
        path = tmp_path / "s"
        words = ["-u", str(path), "--redis", redis_server.url, *LOOPBACK]
        server = start(command=["sh", "-c", f'exec "$@" {closed}', "sh", sys.executable, "-m", "awxfast", *words])
        wait_for(lambda: somebody_listens(path) and server.has_child())
        with unix_connect(str(path), "ws://x/websocket/") as browser:
            assert "accept" in str(browser.recv(timeout=30))
        for process in (server.process.pid, server.child()):
            open_files = [str(Path(f"/proc/{process}/fd/{number}").readlink()) for number in range(3)]
            assert open_files.count("/dev/null") >= closed.count("&-")
        assert server.stop() == 0


SENDS_CTRL_C = """
import os, signal, sys
if WHERE in sys.orig_argv:
    os.kill(os.getpid(), signal.SIGINT)
sys.path.remove(os.path.dirname(__file__)); del sys.modules[__name__]
import MODULE
"""


class TestCtrlCAtOnce:
    """A module that is imported early on sends it, in the place of the real one."""

    @pytest.mark.parametrize("module", ["argparse", "uvloop"])
    def test_main_ends_without_a_traceback(self, start: Start, tmp_path: Path, module: str) -> None:
        (tmp_path / f"{module}.py").write_text(SENDS_CTRL_C.replace("WHERE", "'awxfast'").replace("MODULE", module))
        server = start("-p", "0", *LOOPBACK, environ={"PYTHONPATH": str(tmp_path)})
        assert server.wait() != 0
        assert server.err.read_text() in ("", "awxfast: interrupted\n")

    def test_child_leaves_it_to_main(self, start: Start, redis_server: RedisServer, tmp_path: Path) -> None:
        program = SENDS_CTRL_C.replace("WHERE", "'awxfast.process'").replace("MODULE", "uvloop")
        (tmp_path / "uvloop.py").write_text(program)
        words = ("-p", "0", "--redis", redis_server.url, *LOOPBACK)
        server = start(*words, environ={"PYTHONPATH": str(tmp_path)})
        server.wait_until_serving()
        assert server.stop() == 0
        assert "unasked" not in server.err.read_text()


class TestStop:
    @pytest.mark.parametrize("number", [signal.SIGTERM, signal.SIGINT])
    def test_one_signal_ends_it_well(
        self, served: MainProcess, redis_server: RedisServer, number: signal.Signals
    ) -> None:
        with connect(f"ws://127.0.0.1:{served.wait_until_serving()}/websocket/") as browser:
            browser.recv(timeout=30)
            browser.send('{"groups": {"job_events": [42]}}')
            browser.recv(timeout=30)
            served.signal(number)
            assert served.wait() == 0
            with pytest.raises(Exception, match="1001"):
                browser.recv(timeout=30)
        with redis_server.client() as client:
            assert client.keys("*") == []

    def test_second_signal_ends_it_at_once(self, start: Start, redis_server: RedisServer) -> None:
        server = start("-p", "0", "--grace", "600", "--redis", redis_server.url, *LOOPBACK)
        port = server.wait_until_serving()
        child = server.child()
        silent = open_silent_browser(port)
        server.signal(signal.SIGTERM)
        wait_for(lambda: refuses(port))
        server.signal(signal.SIGTERM)
        assert server.wait() == 0
        assert not is_alive(child)
        silent.close()

    def test_signal_while_it_starts_ends_it_well(self, start: Start) -> None:
        server = start("-p", "0", *LOOPBACK)
        folder = Path(server.wait_for_line(r"Private Redis at unix://(\S+)/redis.sock")[1])
        server.signal(signal.SIGTERM)
        assert server.wait() == 0
        assert not folder.exists()

    def test_signal_while_the_private_redis_hangs_ends_it_well(self, start: Start, tmp_path: Path) -> None:
        hanging = tmp_path / "redis-server"
        hanging.write_text(f"#!/bin/sh\ntouch {tmp_path}/hangs\nexec sleep 600\n")
        hanging.chmod(0o755)
        server = start("-p", "0", *LOOPBACK, environ={"PATH": f"{tmp_path}:{os.environ['PATH']}"})
        wait_for((tmp_path / "hangs").exists)
        server.signal(signal.SIGTERM)
        assert server.wait() == 0
        assert "did not answer" not in server.err.read_text()

    def test_signals_to_the_whole_group_are_mains(self, start: Start, redis_server: RedisServer) -> None:
        """supervisord's `stopasgroup`."""
        server = start("-p", "0", "--redis", redis_server.url, *LOOPBACK, start_new_session=True)
        server.wait_until_serving()
        os.killpg(server.process.pid, signal.SIGTERM)
        assert server.wait() == 0
        assert "unasked" not in server.err.read_text()
        with redis_server.client() as client:
            assert client.keys("*") == []


def open_silent_browser(port: int) -> socket.socket:
    """A browser that answers nothing, not even a close."""
    sock = socket.create_connection(("127.0.0.1", port), timeout=30)
    sock.sendall(
        b"GET /websocket/ HTTP/1.1\r\nHost: localhost\r\nUpgrade: websocket\r\nConnection: Upgrade\r\n"
        b"Sec-WebSocket-Version: 13\r\nSec-WebSocket-Key: AAAAAAAAAAAAAAAAAAAAAA==\r\n\r\n"
    )
    assert sock.recv(12) == b"HTTP/1.1 101"
    return sock


def refuses(port: int) -> bool:
    try:
        socket.create_connection(("127.0.0.1", port), timeout=30).close()
    except ConnectionRefusedError:
        return True
    return False


class TestDeath:
    def test_child_ends_with_main(self, served: MainProcess) -> None:
        child = served.child()
        served.process.kill()
        served.process.wait()
        wait_for(lambda: not is_alive(child))

    def test_child_that_is_stopped_ends_with_main(self, served: MainProcess) -> None:
        port, child = served.wait_until_serving(), served.child()
        os.kill(child, signal.SIGSTOP)
        served.process.kill()
        served.process.wait()
        wait_for(lambda: refuses(port))

    def test_another_child_serves_on_the_same_port(self, served: MainProcess) -> None:
        port, child = served.wait_until_serving(), served.child()
        os.kill(child, signal.SIGKILL)
        served.wait_for_line(r"ERROR    The serving process ended unasked \(exit code -9\); another one starts in")
        assert served.wait_until_serving(count=2) == port
        assert served.child() != child
        assert greet(port)

    def test_names_of_the_dead_child_leave_redis(self, served: MainProcess, redis_server: RedisServer) -> None:
        with connect(f"ws://127.0.0.1:{served.wait_until_serving()}/websocket/") as browser:
            browser.recv(timeout=30)
            browser.send('{"groups": {"job_events": [42]}}')
            browser.recv(timeout=30)
            os.kill(served.child(), signal.SIGKILL)
        served.wait_until_serving(count=2)
        with redis_server.client() as client:
            wait_for(lambda: not client.exists("asgi:group:job_events-42"))
            wait_for(lambda: len(client.keys("awxfast:groups:*")) == 1)


class TestUsedSecretHeaders:
    def test_one_is_refused_after_hup_and_after_the_childs_death(
        self, start: Start, redis_server: RedisServer, tmp_path: Path
    ) -> None:
        (tmp_path / "secret").write_text("s3cret")
        words = ("--secret-file", f"{tmp_path}/secret", "--nonce-replay", "refuse", "--redis", redis_server.url)
        server = start("-p", "0", *words, *LOOPBACK)
        port = server.wait_until_serving()
        probes = (sign_secret("s3cret", int(time.time()) - number) for number in range(1, 299))
        wait_for(lambda: dial_as_node(port, next(probes)) == 101)  # until Redis is there
        header = sign_secret("s3cret", int(time.time()))
        assert dial_as_node(port, header) == 101
        assert dial_as_node(port, header) == 403
        server.signal(signal.SIGHUP)
        server.wait_for_line("Reading files again")
        server.signal(signal.SIGHUP)
        server.wait_for_line("Reading files again", count=2)
        assert dial_as_node(port, header) == 403
        os.kill(server.child(), signal.SIGKILL)
        server.wait_until_serving(count=2)
        assert dial_as_node(port, header) == 403
        wait_for(lambda: dial_as_node(port, next(probes)) == 101)


def dial_as_node(port: int, header: str) -> int:
    """The status that a node gets."""
    with socket.create_connection(("127.0.0.1", port), HANG) as sock:
        sock.sendall(
            b"GET /websocket/relay/ HTTP/1.1\r\nHost: x\r\nUpgrade: websocket\r\nConnection: Upgrade\r\n"
            b"Sec-WebSocket-Version: 13\r\nSec-WebSocket-Key: AAAAAAAAAAAAAAAAAAAAAA==\r\n"
            b"secret: " + header.encode() + b"\r\n\r\n"
        )
        return int(sock.recv(12)[9:12])


class TestUnreadOutput:
    """Pipes that somebody holds and nobody reads: a log shipper that hangs, a terminal that is stopped."""

    def test_it_goes_on_serving_and_ends_when_it_is_told_to(self, redis_server: RedisServer, tmp_path: Path) -> None:
        path = tmp_path / "s"
        command = [sys.executable, "-m", "awxfast", "-u", str(path), "--redis", redis_server.url, *LOOPBACK]
        with subprocess.Popen(
            command, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, env=clean_environment()
        ) as process:
            wait_for(lambda: somebody_listens(path))
            for _ in range(100):
                with socket.socket(socket.AF_UNIX) as visitor:
                    visitor.settimeout(HANG)
                    visitor.connect(str(path))
                    visitor.sendall(b"GET /" + b"x" * 30_000 + b" HTTP/1.1\r\nHost: x\r\nConnection: close\r\n\r\n")
                    assert visitor.recv(12) == b"HTTP/1.1 404"
            process.terminate()
            assert process.wait(HANG) == 0
            assert process.stdout is not None
            assert process.stdout.read().count(b"GET /xxx") >= 1


class TestFiles:
    @pytest.fixture
    def tokens(self, tmp_path: Path) -> Path:
        path = tmp_path / "tokens.json"
        path.write_text('{"old": {"user": 7}}')
        return path

    @pytest.fixture
    def guarded(self, start: Start, redis_server: RedisServer, tokens: Path, tmp_path: Path) -> MainProcess:
        options = ("--auth", f"tokens={tokens}", "--admin", "off", "--access-log", str(tmp_path / "access.log"))
        server = start("-p", "0", "--redis", redis_server.url, *options)
        server.wait_until_serving()
        return server

    def test_hup_reads_tokens_again(self, guarded: MainProcess, tokens: Path) -> None:
        port = guarded.wait_until_serving()
        assert json.loads(greet(port, query="?token=old")) == {"accept": True, "user": 7}
        tokens.write_text('{"new": {"user": 8}}')
        guarded.signal(signal.SIGHUP)
        wait_for(lambda: json.loads(greet(port, query="?token=new")) == {"accept": True, "user": 8})
        assert json.loads(greet(port, query="?token=old")) == {"close": True}

    def test_tokens_with_a_fault_change_nothing(self, guarded: MainProcess, tokens: Path) -> None:
        tokens.write_text("{")
        guarded.signal(signal.SIGHUP)
        guarded.wait_for_line(r"ERROR    tokens file \S+ is not JSON: .*the old one stays in force")
        assert json.loads(greet(guarded.wait_until_serving(), query="?token=old")) == {"accept": True, "user": 7}

    def test_hup_reopens_the_access_log(self, guarded: MainProcess, tmp_path: Path) -> None:
        port, log = guarded.wait_until_serving(), tmp_path / "access.log"
        greet(port, query="?token=old")
        rotated = log.rename(tmp_path / "access.log.1")
        wait_for(lambda: "WSCONNECT /websocket/" in rotated.read_text())
        guarded.signal(signal.SIGHUP)
        wait_for(log.exists)
        greet(port, query="?token=old")
        wait_for(lambda: "WSDISCONNECT /websocket/" in log.read_text())
        assert "token" not in rotated.read_text() + log.read_text() + guarded.err.read_text()

    def test_access_log_is_on_stdout_unless_told_otherwise(self, served: MainProcess) -> None:
        greet(served.wait_until_serving())
        pattern = r'127\.0\.0\.1:\d+ - - \[.*\] "WSCONNECT /websocket/" - -'
        wait_for(lambda: re.search(pattern, served.out.read_text()))

    def test_usr1_changes_nothing(self, served: MainProcess) -> None:
        for number in (served.process.pid, served.child()):
            os.kill(number, signal.SIGUSR1)
        assert greet(served.wait_until_serving())
        assert served.stop() == 0
        assert "unasked" not in served.err.read_text()

    def test_usr2_puts_a_new_process_in_the_old_ones_place(self, served: MainProcess) -> None:
        former = served.child()
        served.signal(signal.SIGUSR2)
        served.wait_for_line("reload: generation 1, 0 sockets kept, 0 drained, silence at most")
        assert served.child() != former
        assert greet(served.wait_until_serving())


class TestSystemd:
    def test_manager_hears_of_every_state(self, start: Start, redis_server: RedisServer, tmp_path: Path) -> None:
        with socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM) as manager:
            manager.bind(str(tmp_path / "notify.sock"))
            manager.settimeout(30)
            environ = {"NOTIFY_SOCKET": manager.getsockname(), "WATCHDOG_USEC": "200000"}
            server = start("-p", "0", "--redis", redis_server.url, *LOOPBACK, environ=environ)
            wait_for(lambda: manager.recv(100) == b"READY=1")  # a slow start may feed the watchdog first
            wait_for(lambda: manager.recv(100) == b"WATCHDOG=1")
            server.signal(signal.SIGTERM)
            wait_for(lambda: manager.recv(100) == b"STOPPING=1")
            assert server.wait() == 0

    def test_watchdog_is_not_fed_while_the_child_hangs(
        self, start: Start, redis_server: RedisServer, tmp_path: Path
    ) -> None:
        with socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM) as manager:
            manager.bind(str(tmp_path / "notify.sock"))
            environ = {"NOTIFY_SOCKET": manager.getsockname(), "WATCHDOG_USEC": "100000"}
            server = start("-p", "0", "--redis", redis_server.url, *LOOPBACK, environ=environ)
            server.wait_until_serving()
            child = server.child()
            os.kill(child, signal.SIGSTOP)
            manager.settimeout(1.0)
            with pytest.raises(TimeoutError):
                for _ in range(100):
                    manager.recv(100)
            os.kill(child, signal.SIGCONT)  # who hangs does not see that main ends


class TestRedisAway:
    def test_it_serves_and_is_ready_when_redis_is(
        self, start: Start, redis_server: RedisServer, tmp_path: Path
    ) -> None:
        redis_server.kill()
        options = ("--auth", "open", "--admin", "127.0.0.1:0")
        server = start("-p", "0", "--redis", redis_server.url, *options)
        assert greet(server.wait_until_serving())
        admin = server.wait_for_line(r"Admin listener on TCP address (\S+)$")[1]
        assert ask(admin, "/readyz") == (503, f"Redis at {redis_server.url} does not answer\n")
        assert ask(admin, "/healthz") == (200, "ok\n")
        redis_server.start()
        wait_for(lambda: ask(admin, "/readyz") == (200, "ok\n"))


class TestPrivateRedis:
    def test_one_that_dies_is_started_again_and_browsers_stay(self, start: Start) -> None:
        server = start("-p", "0", "--auth", "open", "--admin", "127.0.0.1:0")
        url = server.wait_for_line(r"Private Redis at (\S+)$")[1]
        port, admin = server.wait_until_serving(), server.wait_for_line(r"Admin listener on TCP address (\S+)$")[1]
        with connect(f"ws://127.0.0.1:{port}/websocket/") as browser, redis.Redis.from_url(url) as client:
            browser.recv(timeout=30)
            browser.send('{"groups": {"job_events": [42]}}')
            assert "job_events-42" in str(browser.recv(timeout=30))
            os.kill(client.info("server")["process_id"], signal.SIGKILL)
            server.wait_for_line(r"The private Redis ended unasked \(exit code -9\); another one starts in 0\.\d s$")
            wait_for(lambda: has_member(client, "asgi:group:job_events-42"))
            wait_for(lambda: ask(admin, "/readyz") == (200, "ok\n"))
            send_event(url, "job_events-42", "after the death")
            assert browser.recv(timeout=30) == "after the death"
        assert json.loads(ask(admin, "/ledger")[1])["gaps"]["wiped"]["times"] >= 1
        assert server.stop() == 0
        assert not Path(url.removeprefix("unix://")).parent.exists()


def has_member(client: redis.Redis, group: str) -> bool:
    """Whether somebody is registered there; not while the server is away."""
    try:
        return bool(client.exists(group))
    except redis.ConnectionError:
        return False


def send_event(url: str, group: str, text: str) -> None:
    """As AWX does it."""

    async def send() -> None:
        layer = RedisChannelLayer(hosts=[url])
        await layer.group_send(group, {"type": "internal.message", "text": text})
        await layer.close_pools()

    asyncio.run(send())


def ask(admin: str, path: str) -> tuple[int, str]:
    connection = http.client.HTTPConnection(admin, timeout=30)
    connection.request("GET", path)
    response = connection.getresponse()
    answer = response.status, response.read().decode()
    connection.close()
    return answer


class TestRefusals:
    """Exit code 2 for what the operator wrote, 1 for all else; the last line on stderr says what is wrong."""

    def check(self, exit_code: int, text: str, *words: str, **environ: str) -> None:
        done = run_to_its_end(*words, **environ)
        last = done.stderr.splitlines()[-1]
        assert (done.returncode, last.startswith("awxfast: "), text in last) == (exit_code, True, True), done.stderr
        assert "Traceback" not in done.stderr

    def test_port_in_use(self) -> None:
        with socket.create_server(("127.0.0.1", 0)) as taken:
            port = taken.getsockname()[1]
            self.check(1, f"port {port}: Address already in use; choose another", "-p", str(port), *LOOPBACK)

    def test_admin_port_in_use(self) -> None:
        with socket.create_server(("127.0.0.1", 0)) as taken:
            port = taken.getsockname()[1]
            self.check(1, f"port {port}", "-p", "0", "--admin", f"127.0.0.1:{port}")

    def test_open_is_for_this_machine_only(self) -> None:
        self.check(2, "--auth open is for loopback", "-b", "0.0.0.0", "-p", "0", *LOOPBACK)

    def test_admin_is_for_this_machine_only(self) -> None:
        self.check(2, "only a loopback address", "-p", "0", "--admin", "0.0.0.0:0")

    @pytest.mark.parametrize("auth", ["secret", "tokens=", "forward=ftp://x/", "tokens=/no/such/file"])
    def test_auth_with_a_fault(self, auth: str, redis_server: RedisServer) -> None:
        self.check(2, "", "-p", "0", "--redis", redis_server.url, "--admin", "off", "--auth", auth)

    def test_tokens_with_a_fault(self, redis_server: RedisServer, tmp_path: Path) -> None:
        tokens = tmp_path / "tokens.json"
        tokens.write_text('{"s3cret": {"user": "admin"}}')
        words = ("-p", "0", "--redis", redis_server.url, "--admin", "off", "--auth", f"tokens={tokens}")
        self.check(2, "entry 1: user has to be a number", *words)

    def test_redis_url_with_a_fault(self) -> None:
        self.check(2, "Redis URL", "-p", "0", "--redis", "http://localhost", *LOOPBACK)

    def test_something_else_answers_in_place_of_redis(self) -> None:
        with socket.create_server(("127.0.0.1", 0)) as other:

            def answer() -> None:
                connection, _ = other.accept()
                with connection:
                    connection.recv(100)
                    connection.sendall(b"HTTP/1.1 400 Bad Request\r\n\r\n")
                    connection.recv(100)

            thread = threading.Thread(target=answer)
            thread.start()
            url = f"redis://127.0.0.1:{other.getsockname()[1]}"
            self.check(2, "", "-p", "0", "--redis", url, *LOOPBACK)
            thread.join()

    def test_access_log_that_can_not_be_written(self, redis_server: RedisServer) -> None:
        words = ("-p", "0", "--redis", redis_server.url, *LOOPBACK, "--access-log", "/no/such/folder/log")
        self.check(2, "--access-log /no/such/folder/log", *words)

    def test_no_redis_server_to_run(self, tmp_path: Path) -> None:
        self.check(1, "no redis-server or valkey-server on the PATH", "-p", "0", *LOOPBACK, PATH=str(tmp_path))

    def test_variable_with_a_fault(self) -> None:
        self.check(2, "AWXFAST_CAPACITY", "-p", "0", AWXFAST_CAPACITY="many")

    def test_traceback_for_those_who_debug(self) -> None:
        done = run_to_its_end("-v", "2", "-p", "0", "--admin", "0.0.0.0:0")
        assert "Traceback" in done.stderr
        assert done.stderr.splitlines()[-1].startswith("awxfast: --admin 0.0.0.0:0")
