"""What `deploy/` ships: AWX's image, nginx's locations with a websocket through them, supervisord's program, units."""

import configparser
import dataclasses
import json
import re
import shlex
import shutil
import subprocess
import sys
import urllib.error
import urllib.request
from collections.abc import Iterator
from pathlib import Path

import pytest
from awxfast.broadcast import options as dialler_options
from awxfast.broadcast.awx_settings import AwxSettings
from awxfast.broadcast.dialled_link import CLOSE_TIMEOUT
from awxfast.broadcast.program import DRAIN_TIMEOUT
from awxfast.deploy import FOLDER
from awxfast.environment_variables import variable_of
from awxfast.intake.intake_shared import STOP_TIMEOUT
from awxfast.options import WITH_VARIABLES, parse_settings
from awxfast.process.addresses import list_endpoints
from awxfast.process.main_resources import STOP_MARGIN
from awxfast.settings import Settings
from nginx import Nginx
from programs import require_program
from redis_servers import RedisServer
from servers import HANG, AwxfastServer, wait_for
from websockets.sync.client import connect

DEPLOY = FOLDER
DOCS = Path(__file__).resolve().parents[1] / "docs"


@pytest.fixture(scope="module")
def server() -> Iterator[AwxfastServer]:
    redis = RedisServer()
    server = AwxfastServer(redis.url, "--proxy-headers")
    yield server
    server.close()
    redis.close()


@pytest.fixture(scope="module")
def nginx(server: AwxfastServer, tmp_path_factory: pytest.TempPathFactory) -> Iterator[str]:
    """HOST:PORT of an nginx with the server of the test behind it."""
    one = Nginx(tmp_path_factory.mktemp("nginx"), server.port)
    yield one.address
    one.close()


def status_of(url: str) -> int:
    """Of a plain GET."""
    try:
        with urllib.request.urlopen(url, timeout=HANG) as response:
            return int(response.status)
    except urllib.error.HTTPError as error:
        error.close()
        return error.code


class TestNginx:
    @pytest.mark.parametrize("path", ["/websocket/", "/api/websocket/", "/api/controller/v2/websocket/"])
    def test_browser_subscribes_through_it(self, nginx: str, path: str) -> None:
        with connect(f"ws://{nginx}{path}") as browser:
            assert browser.recv(HANG) == '{"accept": true, "user": 0}'
            browser.send('{"groups": {"job_events": [42]}}')
            assert str(browser.recv(HANG)).startswith('{"groups_current": ["job_events-42"]')

    def test_relay_sees_the_browsers_address_and_not_what_it_claims(self, nginx: str, server: AwxfastServer) -> None:
        with connect(f"ws://{nginx}/websocket/", additional_headers={"X-Forwarded-For": "198.51.100.7"}) as browser:
            port = browser.socket.getsockname()[1]
        wait_for(lambda: f"127.0.0.1:{port} - - " in (server.folder / "access").read_text())
        assert "198.51.100.7" not in (server.folder / "access").read_text()

    def test_plain_request_gets_its_answer_from_the_relay(self, nginx: str) -> None:
        assert status_of(f"http://{nginx}/websocket/") == 426

    @pytest.mark.parametrize("path", ["/websocket/relay/", "/websocket/broadcast/", "/api/v2/jobs/"])
    def test_paths_of_nodes_and_of_the_api_are_left_alone(self, nginx: str, server: AwxfastServer, path: str) -> None:
        assert status_of(f"http://{nginx}{path}") == 404  # this nginx has nothing else
        assert path not in (server.folder / "access").read_text()


def read_ini(name: str) -> configparser.ConfigParser:
    parser = configparser.ConfigParser(interpolation=None, comment_prefixes=("#", ";"), strict=False)
    parser.optionxform = str  # type: ignore[assignment,method-assign]
    parser.read(DEPLOY / name)
    return parser


def settings_of(command: str, **environ: str) -> Settings:
    """What a service's command line asks for."""
    program, *options = shlex.split(command)
    assert program == "/opt/awxfast/bin/awxfast"
    return parse_settings(options, environ)


def longest_stop(settings: Settings) -> float:
    """Seconds after which awxfast has ended by itself, with a little for leaving."""
    return settings.grace + settings.close_spread + STOP_MARGIN + 1


AWX_DAPHNE = """
[program:daphne]
command = /var/lib/awx/venv/awx/bin/daphne -b 127.0.0.1 -p 8051 --websocket_timeout -1 awx.asgi:channel_layer
directory = /var/lib/awx
autorestart = true

[program:ws-heartbeat]
command = awx-manage run_ws_heartbeat
directory = /var/lib/awx
"""
"""Of AWX's supervisor_web.conf, 22 to 24."""

AWX_20_DAPHNE = """
[program:daphne]
command = /var/lib/awx/venv/awx/bin/daphne -b 127.0.0.1 -p 8051 --websocket_timeout -1 awx.asgi:channel_layer
directory = /var/lib/awx
autostart = true
stopsignal=KILL
autorestart = true
stopwaitsecs = 5
stopasgroup=true

[program:ws-heartbeat]
command = awx-manage run_ws_heartbeat
directory = /var/lib/awx
stopsignal=KILL
stopwaitsecs = 5
"""
"""As the supervisor.conf of AWX 20.0 ends its daphne; from 20.1 on it is as above."""

AWX_RELAY = """
[program:wsrelay]
command = awx-manage run_wsrelay
directory = /var/lib/awx
"""
"""Of AWX's supervisor_task.conf."""

AWX_BROADCAST = """
[program:wsbroadcast]
command = awx-manage run_wsbroadcast
directory = /var/lib/awx
"""
"""Of the supervisor.conf of AWX 10 to 21."""

AWX_20_BROADCAST = f"{AWX_BROADCAST}stopwaitsecs = 5\n"
"""Of that of AWX 20.0."""


def change(script: str, text: str) -> configparser.ConfigParser:
    """A configuration as one of AWX's scripts leaves it."""
    done = subprocess.run(
        ["sed", "-f", DEPLOY / "awx" / script], input=text, capture_output=True, text=True, check=True, timeout=HANG
    )
    parser = configparser.ConfigParser(interpolation=None)
    parser.read_string(done.stdout)
    return parser


class TestAwx:
    """What is changed in AWX's image, and nothing else."""

    STOCK = configparser.ConfigParser(interpolation=None)
    STOCK.read_string(AWX_DAPHNE)

    def test_one_word_of_daphnes_line_changes(self) -> None:
        changed = change("supervisord.sed", AWX_DAPHNE)
        program, *options = shlex.split(changed["program:daphne"]["command"])
        assert program == "/var/lib/awx/venv/awx/bin/awxfast"
        assert options == shlex.split(self.STOCK["program:daphne"]["command"])[1:]
        settings = parse_settings(options, {})
        assert (settings.application, settings.port, settings.admin) == ("awx.asgi:channel_layer", 8051, "off")
        assert float(changed["program:daphne"]["stopwaitsecs"]) >= longest_stop(settings)

    def test_native_line_is_understood_on_daphnes_port(self) -> None:
        changed = change("native.sed", AWX_DAPHNE)
        settings = settings_of(changed["program:daphne"]["command"], AWXFAST_ADMIN="/var/run/supervisor/awxfast.sock")
        assert (settings.application, settings.host, settings.port) == (None, "127.0.0.1", 8051)
        assert settings.auth == "forward=http://127.0.0.1:8052/api/v2/me/"
        assert settings.redis == ("unix:///var/run/redis/redis.sock",)
        assert float(changed["program:daphne"]["stopwaitsecs"]) >= longest_stop(settings)

    @pytest.mark.parametrize("stock", [AWX_DAPHNE, AWX_20_DAPHNE])
    def test_native_program_is_given_the_time_that_it_needs(self, stock: str) -> None:
        changed = change("native.sed", stock)
        program = changed["program:daphne"]
        assert float(program["stopwaitsecs"]) >= longest_stop(settings_of(program["command"]))
        assert (program["startsecs"], program.get("stopsignal", "TERM")) == ("30", "TERM")
        untouched = configparser.ConfigParser(interpolation=None)
        untouched.read_string(stock)
        assert dict(changed["program:ws-heartbeat"]) == dict(untouched["program:ws-heartbeat"])

    def test_native_dialler_is_given_the_time_that_it_needs(self) -> None:
        program = change("native-dialler.sed", AWX_20_BROADCAST)["program:wsbroadcast"]
        assert float(program.get("stopwaitsecs", "10")) > CLOSE_TIMEOUT + DRAIN_TIMEOUT + STOP_TIMEOUT + 1

    @pytest.mark.parametrize("script", ["supervisord.sed", "native.sed"])
    def test_all_other_lines_stay(self, script: str) -> None:
        changed = change(script, AWX_DAPHNE)
        assert dict(changed["program:ws-heartbeat"]) == dict(self.STOCK["program:ws-heartbeat"])
        assert changed["program:daphne"]["directory"] == "/var/lib/awx"

    def test_dialler_takes_the_relays_place(self) -> None:
        command = change("dialler.sed", AWX_RELAY)["program:wsrelay"]["command"]
        assert command == "/var/lib/awx/venv/awx/bin/awxfast-broadcast"

    @pytest.mark.parametrize(("text", "section"), [(AWX_RELAY, "wsrelay"), (AWX_BROADCAST, "wsbroadcast")])
    def test_native_dialler_takes_the_place_of_either_of_awxs(self, text: str, section: str) -> None:
        program, *options = shlex.split(change("native-dialler.sed", text)[f"program:{section}"]["command"])
        assert program == "/opt/awxfast/bin/awxfast-broadcast"
        # The server's admin socket may stand in the same container's variables.
        environ = {"AWXFAST_ADMIN": "/var/run/supervisor/awxfast.sock", "AWXFAST_SECRET": "s"}
        settings = dialler_options.parse_settings(options, environ, AwxSettings())
        assert settings.redis == ("unix:///var/run/redis/redis.sock",)
        assert (settings.protocol, settings.port) == ("http", 8052)
        assert (settings.postgres, settings.admin) == ("application_name=awxfast", "off")

    def test_native_image_gets_the_driver_for_the_database(self) -> None:
        """The driver brings libpq along, which is nowhere to be counted on."""
        assert '[postgres]" "psycopg[binary]"' in (DEPLOY / "awx" / "Containerfile.native").read_text()

    @pytest.mark.parametrize("name", ["Containerfile", "Containerfile.native", "awxfast.Containerfile"])
    def test_containerfile_copies_what_is_there_and_runs_shell(self, name: str) -> None:
        text = (DEPLOY / "awx" / name).read_text().replace("\\\n", " ")
        instructions = [line.split(" ", 1) for line in text.splitlines() if line and not line.startswith("#")]
        assert {word for word, _ in instructions} <= {"ARG", "FROM", "USER", "COPY", "RUN", "ENTRYPOINT"}
        for word, rest in instructions:
            if word == "COPY":
                *sources, target = rest.split()
                assert target.endswith("/")
                missing = [source for source in sources if not (DEPLOY / "awx" / source).exists()]
                assert missing == ["awxfast-*.whl"]
            if word == "RUN":
                subprocess.run(["sh", "-n", "-c", rest], check=True, timeout=HANG)
        if "USER root" in text:
            assert instructions[-1] == ["USER", "1000"]

    def test_container_beside_awx_is_started_with_options_that_are_understood(self) -> None:
        text = (DEPLOY / "awx" / "docker-compose.override.yml").read_text()
        settings = parse_settings(re.findall(r"^ +- (--\S+)$", text, re.MULTILINE), {})
        assert (settings.host, settings.port, settings.proxy_headers) == ("127.0.0.1", 8055, True)
        assert settings.auth == "forward=http://127.0.0.1:8052/api/v2/me/"

    def test_way_back_takes_out_all_that_the_custom_resource_sets(self) -> None:
        page = (DOCS / "awx.md").read_text()
        (patch,) = re.findall(r"--type json -p '(.*?)'", page, re.DOTALL)
        named = re.findall(r"^  (\w+):", (DEPLOY / "awx" / "awx.yaml").read_text(), re.MULTILINE)
        assert json.loads(patch) == [{"op": "remove", "path": f"/spec/{name}"} for name in named]

    def test_custom_resource_sets_variables_that_exist(self) -> None:
        text = (DEPLOY / "awx" / "awx.yaml").read_text()
        known = {*map(variable_of, WITH_VARIABLES)} | {"AWXFAST_SECRET"}
        names = set(re.findall(r"name: (AWXFAST_\w+)", text))
        assert names == {"AWXFAST_ADMIN", "AWXFAST_ENGINE", "AWXFAST_SECRET"} and names <= known


class TestWhereItIs:
    def test_module_prints_the_folder(self) -> None:
        done = subprocess.run(
            [sys.executable, "-m", "awxfast.deploy"], cwd="/", capture_output=True, text=True, check=True, timeout=HANG
        )
        assert (Path(done.stdout.strip()) / "nginx" / "server.conf").is_file()


@pytest.mark.parametrize(
    "path", ["supervisord/awxfast.conf", "supervisord/awxfast-broadcast.conf", "channels/supervisord.conf"]
)
def test_supervisord_calls_nothing_running_before_it_can_serve(path: str) -> None:
    """With the second that is supervisord's default, a site that never serves is RUNNING and started again for ever."""
    for name, program in read_ini(path).items():
        assert name == "DEFAULT" or float(program["startsecs"]) >= 30


class TestSupervisord:
    PROGRAM = read_ini("supervisord/awxfast.conf")["program:awxfast"]

    def test_its_options_are_understood(self) -> None:
        settings = settings_of(self.PROGRAM["command"])
        assert (settings.host, settings.port, settings.websocket_timeout) == ("127.0.0.1", 8055, -1)
        assert settings.proxy_headers

    def test_its_patience_outlasts_an_orderly_end(self) -> None:
        assert float(self.PROGRAM["stopwaitsecs"]) >= longest_stop(settings_of(self.PROGRAM["command"]))


class TestChannelsSite:
    PROGRAM = read_ini("channels/supervisord.conf")["fcgi-program:mysite"]

    def test_only_the_name_of_the_program_differs_from_channels_recipe(self) -> None:
        program, *options = shlex.split(self.PROGRAM["command"] % {"process_num": 0})
        assert program == "/opt/mysite/venv/bin/awxfast"
        settings = parse_settings(options, {})
        assert (settings.unix_socket, settings.file_descriptor) == ("/run/mysite/asgi0.sock", 0)
        assert (settings.application, settings.proxy_headers) == ("mysite.asgi:application", True)
        assert float(self.PROGRAM["stopwaitsecs"]) >= longest_stop(settings)

    def test_nginx_understands_its_locations(self, tmp_path: Path) -> None:
        site = DEPLOY / "channels"
        one = Nginx(tmp_path, 1, http=f"include {site}/http.conf; server {{ include {site}/server.conf; }}")
        one.close()


class TestSupervisordOfTheDialler:
    PROGRAM = read_ini("supervisord/awxfast-broadcast.conf")["program:awxfast-broadcast"]

    def test_its_options_are_understood(self) -> None:
        program, *options = shlex.split(self.PROGRAM["command"])
        assert program == "/opt/awxfast/bin/awxfast-broadcast"
        settings = dialler_options.parse_settings(options, {}, AwxSettings())
        assert settings.postgres == "host=db user=awx dbname=awx"
        assert settings.secret_files == ("/etc/awxfast/secret",)

    def test_its_patience_outlasts_an_orderly_end(self) -> None:
        assert float(self.PROGRAM["stopwaitsecs"]) > CLOSE_TIMEOUT + DRAIN_TIMEOUT + STOP_TIMEOUT + 1


class TestSystemd:
    SERVICE = read_ini("systemd/awxfast.service")["Service"]

    def read_environment(self) -> dict[str, str]:
        lines = (DEPLOY / "systemd" / "environment").read_text().splitlines()
        return dict(line.split("=", 1) for line in lines if line and not line.startswith("#"))

    def test_its_options_and_variables_are_understood(self) -> None:
        settings = settings_of(self.SERVICE["ExecStart"], **self.read_environment())
        assert settings.auth == "tokens=/etc/awxfast/tokens.json"
        assert settings.redis == ("unix:///var/run/redis/redis.sock",)

    def test_its_patience_outlasts_an_orderly_end(self) -> None:
        assert float(self.SERVICE["TimeoutStopSec"]) >= longest_stop(settings_of(self.SERVICE["ExecStart"]))

    def test_socket_in_place_of_the_port_is_understood(self) -> None:
        # The empty line before it takes the unit's own command away, as systemd.service(5) has it.
        drop_in = read_ini("systemd/awxfast.service.d/socket.conf")["Service"]
        settings = settings_of(drop_in["ExecStart"], **self.read_environment())
        (endpoint,) = list_endpoints(settings)
        assert (endpoint.kind, endpoint.domain, endpoint.index) == ("systemd", "INET", 0)
        ordinary = settings_of(self.SERVICE["ExecStart"], **self.read_environment())
        listen = read_ini("systemd/awxfast.socket")["Socket"]["ListenStream"]
        assert listen == f"{ordinary.host}:{ordinary.port}"
        assert settings == dataclasses.replace(ordinary, host=None, port=None, endpoints=settings.endpoints)

    def test_systemd_understands_the_units(self, tmp_path: Path) -> None:
        program = require_program("systemd-analyze")
        unit = tmp_path / "awxfast.service"
        text = (DEPLOY / "systemd" / "awxfast.service").read_text()
        unit.write_text(text.replace("/opt/awxfast/bin/awxfast", "/bin/true"))
        shutil.copy(DEPLOY / "systemd" / "awxfast.socket", tmp_path)
        units = [unit, tmp_path / "awxfast.socket"]
        done = subprocess.run([program, "verify", *units], capture_output=True, text=True, timeout=HANG, check=False)
        assert (done.returncode, done.stderr) == (0, "")
