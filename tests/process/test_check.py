"""`awxfast --check` as an operator runs it: words, and exit codes."""

import http.server
import os
import socket
import ssl
import subprocess
import threading
from collections.abc import Callable, Iterator, Mapping
from pathlib import Path
from typing import Any, Self

import pytest
from certificates import SelfSigned
from main_process import LOOPBACK, run_to_its_end
from nats_servers import NatsServer
from redis_servers import RedisServer, free_port
from servers import HANG

SITE = """
from django.conf import settings
layer = {"BACKEND": "channels_redis.core.RedisChannelLayer", "CONFIG": {"hosts": [HOST]}}
settings.configure(SECRET_KEY="x", BROADCAST_WEBSOCKET_SECRET=SECRET, CHANNEL_LAYERS={"default": layer})
async def application(scope, receive, send): raise ValueError
"""

NEEDS_REDIS = """
import redis
redis.Redis(unix_socket_path=HOST).delete("x")
async def application(scope, receive, send): raise ValueError
"""


class Api(http.server.ThreadingHTTPServer):
    """Answers 401 to whatever it is asked, by TLS if it has a certificate."""

    def __init__(self, certificate: SelfSigned | None = None) -> None:
        super().__init__(("0.0.0.0", 0), Unauthorized)  # 127.0.0.2 is a name of its own
        self.port = self.server_address[1]
        if certificate is not None:
            context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
            context.load_cert_chain(*certificate.files)
            self.socket = context.wrap_socket(self.socket, server_side=True, do_handshake_on_connect=False)
            self.ca_file = str(certificate.certificate)
        self._thread = threading.Thread(target=self.serve_forever, args=(0.05,))

    def handle_error(self, request: Any, client_address: Any) -> None:
        """A client that does not trust us says so."""

    def __enter__(self) -> Self:
        self._thread.start()
        return self

    def __exit__(self, *_: object) -> None:
        self.shutdown()
        self._thread.join(HANG)
        self.server_close()


class Unauthorized(http.server.BaseHTTPRequestHandler):
    def do_GET(self) -> None:
        self.send_error(401)

    def log_message(self, *_: object) -> None:
        """Tests look at the client."""


@pytest.fixture
def https_api(tmp_path: Path) -> Iterator[Api]:
    with Api(SelfSigned(tmp_path)) as api:
        yield api


def check(*words: str, **environ: str) -> subprocess.CompletedProcess[str]:
    return run_to_its_end("--check", "-v", "0", *words, **environ)


def check_site(
    folder: Path, text: str, environ: Mapping[str, str] | None = None, **names: str
) -> subprocess.CompletedProcess[str]:
    assignments = "".join(f"{name} = {value!r}\n" for name, value in names.items())
    (folder / "site_of_test.py").write_text(assignments + text)
    python_path = os.pathsep.join([str(folder), os.environ.get("PYTHONPATH", "")])
    return check("-p", "0", "site_of_test:application", PYTHONPATH=python_path, **(environ or {}))


class TestNativeMode:
    def test_nothing_is_wrong_beside_a_server_that_runs(self, redis_server: RedisServer) -> None:
        with socket.create_server(("127.0.0.1", 0)) as running:
            port = running.getsockname()[1]
            done = check("--redis", redis_server.url, "-p", str(port), "--auth", "open", "--admin", "off")
        assert (done.returncode, done.stderr) == (0, "")
        taken, *others = done.stdout.splitlines()
        assert taken.startswith("taken, by the server that runs or a start will fail: can't listen on 127.0.0.1 port")
        assert f" {port}: Address already in use" in taken
        assert others == [
            f"Redis: {redis_server.address} answers",
            "the nodes' secret: not set (only AWX nodes need one)",
            "not looked at: whether a proxy leads browsers here",
            "nothing else is wrong",
        ]
        assert redis_server.client().keys("*") == []

    def test_private_redis(self) -> None:
        done = check(*LOOPBACK)
        assert (done.returncode, done.stderr) == (0, "")

    def test_every_problem_has_its_line(self, tmp_path: Path) -> None:
        tokens, redis = f"tokens={tmp_path}/none", f"unix://{tmp_path}/none.sock"
        done = check("-e", "tcp:port=x", "-e", "foo:1", "--admin", "192.0.2.1:1", "--auth", tokens, "--redis", redis)
        assert done.returncode == 2
        lines = done.stderr.splitlines()
        assert [line.removeprefix("awxfast: ").partition(":")[0] for line in lines] == [
            "endpoint 'foo",
            "endpoint 'tcp",
            "can't listen on 192.0.2.1 port 1",
            f"tokens file {tmp_path}/none",
            "Redis at unix",
        ]

    def test_a_wrong_value_hides_no_other(self, tmp_path: Path) -> None:
        done = check(*LOOPBACK, "--redis", "http://x", "--auth", "x", "--access-log", f"{tmp_path}/none/log")
        assert done.returncode == 2
        assert [line.removeprefix("awxfast: ").partition(":")[0] for line in done.stderr.splitlines()] == [
            "Redis URL",
            "--auth",
            f"--access-log {tmp_path}/none/log",
        ]

    def test_no_private_redis_is_started_for_wrong_values(self, tmp_path: Path) -> None:
        done = run_to_its_end("--check", *LOOPBACK, "--auth", f"tokens={tmp_path}/none")
        assert (done.returncode, done.stderr.count("\n")) == (2, 1)
        assert "Redis" not in done.stdout + done.stderr

    def test_private_redis_is_no_line_of_the_log(self) -> None:
        done = run_to_its_end("--check", *LOOPBACK)
        assert (done.returncode, done.stderr) == (0, "")
        assert done.stdout.splitlines()[-1] == "nothing is wrong"

    def test_problem_that_is_found_twice_is_told_once(self) -> None:
        done = check(*LOOPBACK, "--redis", "http://x")
        assert done.returncode == 2
        assert done.stderr == "awxfast: Redis URL: it must begin with redis://, rediss:// or unix:///\n"

    def test_wrong_option_is_told_as_ever(self) -> None:
        done = check("--grace", "long")
        assert done.returncode == 2
        assert done.stderr.startswith("awxfast: argument --grace: a number of seconds is needed")

    def test_open_to_strangers(self, redis_server: RedisServer) -> None:
        done = check("-b", "0.0.0.0", "--auth", "open", "--redis", redis_server.url)
        assert (done.returncode, done.stderr.count("\n")) == (2, 1)
        assert "--auth open is for loopback addresses" in done.stderr


class TestEngine:
    def test_one_that_answers(self, redis_server: RedisServer, tmp_path: Path) -> None:
        nats = NatsServer(tmp_path, "nats")
        nats.start()
        words = ("--redis", redis_server.url, "--engine", f"nats://{nats.place}")
        done = check(*LOOPBACK, *words)
        nats.kill()
        assert (done.returncode, done.stderr) == (0, "")
        answer = f"--engine: nats at {nats.place} answers, and lets us publish and subscribe"
        assert answer in done.stdout.splitlines()
        assert "each address" not in done.stdout

    def test_one_of_two_servers_was_asked(self, redis_server: RedisServer, tmp_path: Path) -> None:
        nats = NatsServer(tmp_path, "nats")
        nats.start()
        done = check(*LOOPBACK, "--redis", redis_server.url, "--engine", f"nats://{nats.place},127.0.0.1:{free_port()}")
        nats.kill()
        assert (done.returncode, done.stderr) == (0, "")
        assert "not looked at: whether each address of --engine answers; whether a proxy" in done.stdout

    def test_user_who_may_not_subscribe(self, redis_server: RedisServer, tmp_path: Path) -> None:
        rights = 'permissions: { publish: "awxfast.>", subscribe: "other.>" }'
        nats = NatsServer(tmp_path, "nats", f"authorization {{ users: [{{ user: a, password: b, {rights} }}] }}")
        nats.start()
        done = check(*LOOPBACK, "--redis", redis_server.url, "--engine", f"nats://a:b@{nats.place}")
        nats.kill()
        assert (done.returncode, done.stderr.count("\n")) == (2, 1)
        assert "does not let us subscribe to awxfast." in done.stderr
        assert 'our user needs permissions: { publish: "awxfast.>", subscribe: "awxfast.>" }' in done.stderr

    def test_password_that_is_refused(self, redis_server: RedisServer, tmp_path: Path) -> None:
        nats = NatsServer(tmp_path, "nats", "authorization { user: a, password: b }")
        nats.start()
        done = check(*LOOPBACK, "--redis", redis_server.url, "--engine", f"nats://a:wrong-one@{nats.place}")
        nats.kill()
        assert (done.returncode, done.stderr.count("\n")) == (2, 1)
        assert "it refuses the user, token or key of --engine" in done.stderr and "wrong-one" not in done.stderr

    def test_redis_that_is_no_cluster(self, redis_server: RedisServer, start_redis: Callable[..., RedisServer]) -> None:
        port = free_port()
        start_redis("--port", str(port))
        done = check(*LOOPBACK, "--redis", redis_server.url, "--engine", f"redis-cluster://127.0.0.1:{port}")
        assert (done.returncode, done.stderr.count("\n")) == (2, 1)
        assert "ERR This instance has cluster support disabled" in done.stderr

    def test_client_that_is_not_installed_is_told_before_anything_is_started(
        self, redis_server: RedisServer, tmp_path: Path
    ) -> None:
        (tmp_path / "nats.py").write_text("raise ModuleNotFoundError(name='nats')")
        words = (*LOOPBACK, "-p", "0", "--redis", redis_server.url, "--engine", "nats://127.0.0.1")
        for done in (run_to_its_end(*words, PYTHONPATH=str(tmp_path)), check(*words, PYTHONPATH=str(tmp_path))):
            assert done.returncode == 2
            assert "pip install 'awxfast[nats]'" in done.stderr.splitlines()[-1]
            assert "Starting server" not in done.stderr

    def test_nobody_listens(self, redis_server: RedisServer) -> None:
        url = f"nats://user:of-nobody@127.0.0.1:{free_port()}"
        done = check(*LOOPBACK, "--redis", redis_server.url, "--engine", url)
        assert (done.returncode, done.stderr.count("\n")) == (1, 1)
        assert done.stderr.startswith("awxfast: the engine nats at 127.0.0.1:")
        assert "of-nobody" not in done.stdout + done.stderr

    def test_url_that_is_none(self, redis_server: RedisServer) -> None:
        done = check(*LOOPBACK, "--redis", redis_server.url, "--engine", "redis://127.0.0.1")
        assert (done.returncode, len(done.stderr.splitlines())) == (2, 1)
        assert "--engine: it must begin with redis-cluster://" in done.stderr

    def test_application_without_a_layer_has_nobody_to_take_events_for(self, tmp_path: Path) -> None:
        done = check_site(tmp_path, "async def application(*_): ...", {"AWXFAST_ENGINE": "nats://127.0.0.1"})
        assert done.returncode == 2
        assert "--engine: the application has no channel layer of channels_redis; leave it out" in done.stderr


class TestSocketFiles:
    """They are made and removed where there is none; one that is there stays."""

    @pytest.mark.parametrize("option", ["-u", "--admin"])
    def test_folder_that_is_not_there(self, redis_server: RedisServer, tmp_path: Path, option: str) -> None:
        options = ("--redis", redis_server.url, "--auth", "open", "--admin", "off", option, f"{tmp_path}/no/x")
        done, started = check(*options), run_to_its_end("-v", "0", *options)
        assert done.returncode == started.returncode == 1
        assert f"can't listen on {tmp_path}/no/x: No such file or directory; choose another path" in done.stderr
        assert started.stderr.splitlines()[-1] in done.stderr.splitlines()

    def test_nothing_stays(self, redis_server: RedisServer, tmp_path: Path) -> None:
        done = check("--redis", redis_server.url, "-u", f"{tmp_path}/x", "--admin", f"{tmp_path}/y", "--auth", "open")
        assert (done.returncode, done.stderr, list(tmp_path.iterdir())) == (0, "", [])

    def test_file_that_is_no_socket(self, redis_server: RedisServer, tmp_path: Path) -> None:
        (tmp_path / "x").write_text("kept")
        done = check("--redis", redis_server.url, "-u", f"{tmp_path}/x", *LOOPBACK)
        assert (done.returncode, (tmp_path / "x").read_text()) == (1, "kept")
        assert "exists and is no socket" in done.stderr

    def test_living_servers_is_a_remark_and_a_dead_ones_stays(self, redis_server: RedisServer, tmp_path: Path) -> None:
        path = tmp_path / "x"
        with socket.socket(socket.AF_UNIX) as server:
            server.bind(str(path))
            server.listen()
            living = check("--redis", redis_server.url, "-u", str(path), *LOOPBACK)
        dead = check("--redis", redis_server.url, "-u", str(path), *LOOPBACK)
        assert living.stdout.startswith(
            f"taken, by the server that runs or a start will fail: another process serves {path}"
        )
        assert "taken" not in dead.stdout
        assert (living.returncode, dead.returncode, path.is_socket()) == (0, 0, True)


class TestLogFile:
    def test_folder_that_is_not_there(self, redis_server: RedisServer, tmp_path: Path) -> None:
        options = ("-p", "0", "--redis", redis_server.url, *LOOPBACK, "--access-log", f"{tmp_path}/no/log")
        done, started = check(*options), run_to_its_end("-v", "0", *options)
        assert (done.returncode, done.stderr) == (started.returncode, started.stderr)
        assert done.stderr == (
            f"awxfast: --access-log {tmp_path}/no/log: No such file or directory; choose a file that can be written\n"
        )

    def test_it_is_not_made(self, redis_server: RedisServer, tmp_path: Path) -> None:
        done = check("-p", "0", "--redis", redis_server.url, *LOOPBACK, "--access-log", f"{tmp_path}/log")
        assert (done.returncode, done.stderr, list(tmp_path.iterdir())) == (0, "", [])


class TestForward:
    def check_url(self, redis_server: RedisServer, url: str, *more: str) -> subprocess.CompletedProcess[str]:
        return check("-p", "0", "--redis", redis_server.url, "--admin", "off", "--auth", f"forward={url}", *more)

    def test_nobody_listens(self, redis_server: RedisServer) -> None:
        with socket.socket() as unused:
            unused.bind(("127.0.0.1", 0))
            url = f"http://127.0.0.1:{unused.getsockname()[1]}/api/v2/me/"
            done = self.check_url(redis_server, url)
        assert done.returncode == 1
        assert (
            done.stderr == f"awxfast: {url} can't be asked: connection refused (does anything listen on this port?)\n"
        )

    def test_name_that_is_not_known(self, redis_server: RedisServer) -> None:
        done = self.check_url(redis_server, "http://nobody.invalid/api/v2/me/")
        assert done.stderr.endswith("can't be asked: the host's name is not known\n")

    def test_certificate_of_nobody_who_is_trusted(self, redis_server: RedisServer, https_api: Api) -> None:
        done = self.check_url(redis_server, f"https://localhost:{https_api.port}/api/v2/me/")
        assert done.returncode == 1
        assert "its certificate is refused: " in done.stderr
        assert "--auth-ca-file names whom to trust" in done.stderr
        assert "mismatch" not in done.stderr

    def test_certificate_of_another_name(self, redis_server: RedisServer, https_api: Api) -> None:
        url = f"https://127.0.0.2:{https_api.port}/api/v2/me/"
        done = self.check_url(redis_server, url, "--auth-ca-file", https_api.ca_file)
        assert done.returncode == 1
        assert "its certificate is refused: IP address mismatch" in done.stderr

    def test_server_that_speaks_no_tls(self, redis_server: RedisServer) -> None:
        with Api() as api:
            done = self.check_url(redis_server, f"https://127.0.0.1:{api.port}/api/v2/me/")
        assert "can't be asked: it does not speak TLS as we do; is it https:// there?" in done.stderr

    def test_api_that_is_there(self, redis_server: RedisServer, https_api: Api) -> None:
        url = f"https://localhost:{https_api.port}/api/v2/me/"
        done = self.check_url(redis_server, url, "--auth-ca-file", https_api.ca_file)
        assert (done.returncode, done.stderr) == (0, "")
        assert f"--auth forward: {url} answers 401 without credentials" in done.stdout.splitlines()


class TestNotLookedAt:
    def test_what_a_supervisor_passes(self, redis_server: RedisServer) -> None:
        done = check("--fd", "7", "--redis", redis_server.url, *LOOPBACK)
        assert done.returncode == 0
        assert "not looked at: fd:fileno=7, which is there when a supervisor passes it; whether a proxy" in done.stdout

    def test_what_an_application_does(self, tmp_path: Path) -> None:
        done = check_site(tmp_path, "async def application(scope, receive, send): raise ValueError")
        assert "not looked at: what the application does at its start (lifespan) and when it is asked" in done.stdout


class TestAddressOfAnotherMachine:
    @pytest.mark.parametrize("words", [("-b", "192.0.2.1", "-p", "18950"), ("-p", "0", "--admin", "192.0.2.1:18950")])
    def test_port_is_named_as_a_start_names_it(self, redis_server: RedisServer, words: tuple[str, ...]) -> None:
        options = ("--redis", redis_server.url, "--auth", "open", *words)
        done, started = check(*options), run_to_its_end("-v", "0", *options)
        assert "can't listen on 192.0.2.1 port 18950: " in done.stderr
        assert started.stderr.splitlines()[-1] in done.stderr.splitlines()


class TestSecret:
    """What a start would use: files before the environment before the application's settings."""

    def check_file(self, file: Path, redis_server: RedisServer) -> subprocess.CompletedProcess[str]:
        words = ("--redis", redis_server.url, "--auth", "open", "--secret-file", str(file))
        return check(*LOOPBACK, *words, AWXFAST_SECRET="another")

    def test_of_a_file(self, tmp_path: Path, redis_server: RedisServer) -> None:
        (tmp_path / "secret").write_text("hush\n")
        done = self.check_file(tmp_path / "secret", redis_server)
        assert (done.returncode, done.stderr) == (0, "")
        assert "the nodes' secret: set\n" in done.stdout

    @pytest.mark.parametrize("content", ["\n", "\n\n"])
    def test_file_that_holds_none(self, tmp_path: Path, redis_server: RedisServer, content: str) -> None:
        (tmp_path / "secret").write_text(content)
        done = self.check_file(tmp_path / "secret", redis_server)
        assert done.returncode == 2
        assert done.stderr.startswith(f"awxfast: --secret-file {tmp_path}/secret: the secret is empty")

    def test_of_the_environment(self, redis_server: RedisServer) -> None:
        done = check(*LOOPBACK, "--redis", redis_server.url, "--auth", "open", AWXFAST_SECRET="hush")
        assert (done.returncode, done.stderr) == (0, "")
        assert "the nodes' secret: set\n" in done.stdout

    def test_of_a_file_beside_an_application(self, tmp_path: Path, redis_server: RedisServer) -> None:
        (tmp_path / "secret").write_text("hush")
        names = {"HOST": redis_server.url, "SECRET": ""}
        assert "the nodes' secret: not set (only AWX nodes need one)\n" in check_site(tmp_path, SITE, **names).stdout
        done = check_site(tmp_path, SITE, **names, environ={"AWXFAST_SECRET_FILE": str(tmp_path / "secret")})
        assert "the nodes' secret: set\n" in done.stdout

    def test_file_that_is_not_there(self, tmp_path: Path, redis_server: RedisServer) -> None:
        done = check(*LOOPBACK, "--redis", redis_server.url, "--auth", "open", "--secret-file", f"{tmp_path}/none")
        assert done.returncode == 2
        assert done.stderr == f"awxfast: --secret-file {tmp_path}/none: No such file or directory\n"


class TestRedisThatIsAway:
    """ansible/awx#8696: in the words of the start."""

    def test_no_socket_file(self, tmp_path: Path) -> None:
        done = check(*LOOPBACK, "--redis", f"unix://{tmp_path}/none")
        assert done.returncode == 1
        assert done.stderr.startswith(
            f"awxfast: Redis at unix://{tmp_path}/none: no such socket (is Redis running?), as "
        )

    def test_socket_that_nobody_listens_on(self, tmp_path: Path) -> None:
        with socket.socket(socket.AF_UNIX) as deaf:
            deaf.bind(str(tmp_path / "deaf"))
        done = check(*LOOPBACK, "--redis", f"unix://{tmp_path}/deaf")
        assert done.returncode == 1
        assert ": connection refused (is Redis running?), as user " in done.stderr

    @pytest.mark.skipif(os.geteuid() == 0, reason="root may open everything")
    def test_socket_that_may_not_be_opened(self, redis_server: RedisServer) -> None:
        redis_server.socket.chmod(0)
        done = check(*LOOPBACK, "--redis", redis_server.url)
        assert done.returncode == 1
        assert ": no permission to open the socket, as user " in done.stderr

    def test_user_who_may_not_do_all_is_a_problem_and_the_line_says_what_to_allow(
        self, redis_server: RedisServer
    ) -> None:
        with redis_server.client() as client:
            client.execute_command("ACL", "SETUSER", "relay", "on", ">pw", "~asgi*", "~awxfast:*", "+@all", "-zadd")
        done = check(*LOOPBACK, "--redis", f"unix://relay:pw@{redis_server.socket}")
        assert done.returncode == 2
        assert done.stderr.endswith(": the user relay lacks rights: ACL SETUSER relay ~asgi* +zadd\n")
        assert done.stderr.count("\n") == 1

    def test_application_whose_import_needs_it(self, tmp_path: Path) -> None:
        done = check_site(tmp_path, NEEDS_REDIS, HOST=f"{tmp_path}/none")
        assert done.returncode == 1
        begin = "awxfast: Redis does not answer while site_of_test:application is imported, as user "
        assert done.stderr.startswith(begin)
        assert done.stderr.count("\n") == 1


class TestApplication:
    def test_its_redis_is_asked_and_its_secret_is_known(self, tmp_path: Path, redis_server: RedisServer) -> None:
        done = check_site(tmp_path, SITE, HOST=redis_server.url, SECRET="hidden-from-everybody")
        assert (done.returncode, done.stderr) == (0, "")
        assert done.stdout.splitlines() == [
            f"Redis: {redis_server.address} answers",
            "the nodes' secret: set",
            "not looked at: what the application does at its start (lifespan) and when it is asked; "
            "whether a proxy leads browsers here",
            "nothing is wrong",
        ]
        assert redis_server.client().keys("*") == []

    def test_application_without_a_layer_needs_no_redis(self, tmp_path: Path) -> None:
        done = check_site(tmp_path, "async def application(scope, receive, send): raise ValueError")
        assert (done.returncode, done.stderr) == (0, "")
        assert "there is no channel layer of channels_redis\n" in done.stdout

    def test_import_that_fails(self, tmp_path: Path) -> None:
        done = check_site(tmp_path, "import no_such_module")
        assert done.returncode == 1
        assert done.stderr.startswith("awxfast: site_of_test:application can't be imported: ModuleNotFoundError")
        assert f" ({tmp_path}/site_of_test.py, line " in done.stderr

    def test_attribute_that_does_not_exist(self, tmp_path: Path) -> None:
        done = check_site(tmp_path, "aplication = 1")
        assert done.returncode == 2
        assert done.stderr == (
            "awxfast: APPLICATION site_of_test:application: there is no 'application' in module 'site_of_test'; "
            "did you mean 'aplication'?\n"
        )


HOST_SITE = """
import redis, redis.asyncio.connection as redis_py
class Provider(redis.CredentialProvider):
    def get_credentials(self): return "relay", "pw"
layer = {"BACKEND": "channels_redis.core.RedisChannelLayer", "CONFIG": {"hosts": [{}]}}
from django.conf import settings
settings.configure(SECRET_KEY="x", CHANNEL_LAYERS={"default": layer})
async def application(scope, receive, send): raise ValueError
"""


class TestHosts:
    """What an application's `hosts` say with objects of redis-py's, which no URL has."""

    def check_host(self, folder: Path, entry: str, **names: str) -> subprocess.CompletedProcess[str]:
        return check_site(folder, HOST_SITE.replace("[{}]", f"[{entry}]"), **names)

    def test_unix_socket_by_its_class(self, tmp_path: Path, redis_server: RedisServer) -> None:
        entry = '{"connection_class": redis_py.UnixDomainSocketConnection, "path": SOCKET, "health_check_interval": 9}'
        done = self.check_host(tmp_path, entry, SOCKET=str(redis_server.socket))
        assert (done.returncode, done.stderr) == (0, "")
        assert f"Redis: {redis_server.address} answers" in done.stdout

    def test_provider_of_credentials(self, tmp_path: Path, redis_server: RedisServer) -> None:
        with redis_server.client() as client:
            client.execute_command("ACL", "SETUSER", "relay", "on", ">pw", "~*", "&*", "+@all")
            client.execute_command("ACL", "SETUSER", "default", "off")
        done = self.check_host(tmp_path, '{"address": URL, "credential_provider": Provider()}', URL=redis_server.url)
        assert (done.returncode, done.stderr) == (0, "")

    def test_certificate_of_ours(self, tmp_path: Path, start_redis: Callable[..., RedisServer]) -> None:
        files, port = SelfSigned(tmp_path), free_port()
        certificate, key = files.files
        start_redis(
            *("--tls-port", str(port), "--tls-cert-file", certificate, "--tls-key-file", key),
            *("--tls-ca-cert-file", certificate, "--tls-auth-clients", "yes"),
        )
        place = f'{{"host": "127.0.0.1", "port": {port}, "connection_class": redis_py.SSLConnection, '
        trust = '"ssl_ca_certs": CERTIFICATE, "ssl_check_hostname": False'
        without = self.check_host(tmp_path, f"{place}{trust}}}", CERTIFICATE=certificate)
        assert without.returncode == 2
        assert "it wants a certificate of ours: ssl_certfile and ssl_keyfile" in without.stderr
        entry = f'{place}{trust}, "ssl_certfile": CERTIFICATE, "ssl_keyfile": KEY}}'
        done = self.check_host(tmp_path, entry, CERTIFICATE=certificate, KEY=key)
        assert (done.returncode, done.stderr) == (0, "")

    def test_option_that_nobody_knows_is_named(self, tmp_path: Path) -> None:
        done = self.check_host(tmp_path, '{"host": "h", "hots": "secret"}')
        assert done.returncode == 2
        line = "awxfast: CHANNEL_LAYERS: hosts of default: hots: there is no such option of a Redis connection\n"
        assert done.stderr == line


class TestSeveralRedis:
    def test_each_is_asked(self, three_redis: list[RedisServer]) -> None:
        three_redis[1].kill()
        urls = [word for server in three_redis for word in ("--redis", server.url)]
        done = check(*urls, "-p", "0", "--auth", "open", "--admin", "off")
        asked = [line for line in done.stdout.splitlines() if line.startswith("Redis:")]
        assert asked == [f"Redis: {server.address} answers" for server in (three_redis[0], three_redis[2])]
        assert (done.returncode, len(done.stderr.splitlines())) == (1, 1)
        assert f"Redis at {three_redis[1].address}" in done.stderr
