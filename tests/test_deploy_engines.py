"""What `deploy/engine` ships: servers of engines that let awxfast in, and let it do what it has to and nothing else."""

import asyncio
import re
import shlex
import subprocess
from collections.abc import Callable, Collection, Iterator, Sequence
from pathlib import Path

import pytest
import redis
from awxfast.broadcast import options as dialler_options
from awxfast.broadcast.awx_settings import AwxSettings
from awxfast.demo.engine_servers import accepts_connections, free_ports
from awxfast.deploy import FOLDER
from awxfast.engine.address import EngineAddress
from awxfast.engine.open_carrier import open_carrier
from awxfast.environment_variables import variable_of
from awxfast.options import WITH_VARIABLES, parse_settings
from certificates import SelfSigned
from programs import require_program
from servers import HANG, wait_for

ENGINE = FOLDER / "engine"
GROUP = "job_events-42"
FILES_WITH_URLS = ("systemd/environment", "supervisord/awxfast.conf", "supervisord/awxfast-broadcast.conf")


class Program:
    """A server of an engine with a configuration as it is shipped, but for the places of this machine."""

    def __init__(self, command: Sequence[str], port: int, folder: Path, **environ: str) -> None:
        with (folder / "log").open("wb") as log:
            self.process = subprocess.Popen(command, stdout=log, stderr=log, cwd=folder, env=environ)
        try:
            wait_for(lambda: accepts_connections(port))
        except BaseException:
            self.close()
            raise

    def close(self) -> None:
        self.process.terminate()
        self.process.wait(HANG)


class Listener:
    """Keeps what comes."""

    def __init__(self) -> None:
        self.messages: list[tuple[str, bytes]] = []

    def receive(self, messages: Sequence[tuple[str, bytes]]) -> None:
        self.messages += messages

    def note_lost(self, events: int, reason: str) -> None:
        raise AssertionError(f"{events} events were lost: {reason}")

    def note_cut(self, channels: Collection[str] | None) -> None:
        """Before the first message."""


async def until(condition: Callable[[], bool]) -> None:
    """Looks now and then."""
    while not condition():  # noqa: ASYNC110  carriers tell by attributes
        await asyncio.sleep(0.01)


async def carry(url: str) -> list[tuple[str, bytes]]:
    """What is heard of one message that is published, by one client, in a group's channel and that of wants."""
    carrier = open_carrier(url)
    listener = Listener()
    channels = [carrier.names.of(GROUP), carrier.names.wants]
    await carrier.start(listener)
    try:
        async with asyncio.timeout(HANG):
            await carrier.subscribe(channels)
            for channel in channels:
                carrier.publish(channel, b"hello", 1)
            await until(lambda: len(listener.messages) == len(channels))
    finally:
        await carrier.stop()
    return sorted(listener.messages)


@pytest.fixture(scope="module")
def redis_port(tmp_path_factory: pytest.TempPathFactory) -> Iterator[int]:
    """One node that has all slots."""
    folder = tmp_path_factory.mktemp("redis")
    port, bus = free_ports(2)
    places = {"port": str(port), "cluster-port": str(bus), "bind": "127.0.0.1", "dir": str(folder)}
    command = [require_program("redis-server"), str(ENGINE / "redis-node.conf")]
    program = Program(
        [*command, *(word for name, value in places.items() for word in (f"--{name}", value))], port, folder
    )
    with redis.Redis(port=port, password="CHANGE-ME", socket_timeout=HANG) as operator:
        operator.execute_command("CLUSTER", "ADDSLOTSRANGE", 0, 16383)
        wait_for(lambda: b"cluster_state:ok" in operator.execute_command("CLUSTER", "INFO"))
    yield port
    program.close()


class TestRedisNode:
    def test_awxfast_publishes_and_hears_with_the_rights_that_it_has(self, redis_port: int) -> None:
        heard = asyncio.run(carry(f"redis-cluster://awxfast:CHANGE-ME-TOO@127.0.0.1:{redis_port}"))
        assert heard == [(f"awxfast:group:{GROUP}", b"hello"), ("awxfast:wants", b"hello")]

    @pytest.mark.parametrize("command", ["GET key", "SPUBLISH others:wants x", "CONFIG GET port", "CLUSTER RESET"])
    def test_it_has_no_other_rights(self, redis_port: int, command: str) -> None:
        login = {"username": "awxfast", "password": "CHANGE-ME-TOO"}
        with redis.Redis(port=redis_port, **login) as connection, pytest.raises(redis.exceptions.NoPermissionError):
            connection.execute_command(*command.split())

    def test_nobody_comes_in_without_a_password(self, redis_port: int) -> None:
        with redis.Redis(port=redis_port) as connection, pytest.raises(redis.exceptions.AuthenticationError):
            connection.ping()

    def test_lines_for_tls_are_options_that_there_are(self, tmp_path: Path) -> None:
        """An unknown one ends Redis before it looks for the files."""
        text = (ENGINE / "redis-node.conf").read_text()
        own = SelfSigned(tmp_path)
        port, bus = free_ports(2)
        lines = re.sub(r"^# (?=(port|tls-))", "", text, flags=re.MULTILINE).replace("port 6379\n", "", 1)
        lines = lines.replace("tls-port 6379", f"tls-port {port}\ncluster-port {bus}")
        for name, path in (("node.crt", own.certificate), ("ca.crt", own.certificate), ("node.key", own.private_key)):
            lines = lines.replace(f"/etc/redis/{name}", str(path))
        (tmp_path / "redis.conf").write_text(lines)
        program = Program([require_program("redis-server"), str(tmp_path / "redis.conf")], port, tmp_path)
        try:
            options = {"ssl": True, "ssl_ca_certs": str(own.certificate), "password": "CHANGE-ME"}
            with redis.Redis(port=port, **options) as connection:
                assert connection.ping()
        finally:
            program.close()


@pytest.fixture(scope="module")
def nats_url(tmp_path_factory: pytest.TempPathFactory) -> Iterator[str]:
    """One server of three, which looks for the others in vain."""
    folder = tmp_path_factory.mktemp("nats")
    own = SelfSigned(folder)
    port, routes = free_ports(2)
    text = (ENGINE / "nats-server.conf").read_text()
    for name, place in (
        ("/etc/nats/server.crt", own.certificate),
        ("/etc/nats/ca.crt", own.certificate),
        ("/etc/nats/server.key", own.private_key),
        ("0.0.0.0:4222", f"127.0.0.1:{port}"),
        ("0.0.0.0:6222", f"127.0.0.1:{routes}"),
        ("nats-2.example.org", "127.0.0.1"),
        ("nats-3.example.org", "127.0.0.1"),
    ):
        assert name in text
        text = text.replace(name, str(place))
    (folder / "nats-server.conf").write_text(text)
    command = [require_program("nats-server"), "-c", str(folder / "nats-server.conf")]
    program = Program(command, port, folder, AWXFAST_PASSWORD="secret-of-the-test")
    yield f"127.0.0.1:{port}?ssl_ca_certs={own.certificate}"
    program.close()


class TestNatsServer:
    def test_awxfast_publishes_and_hears_with_the_rights_that_it_has(self, nats_url: str) -> None:
        pytest.importorskip("nats")
        heard = asyncio.run(carry(f"tls://awxfast:secret-of-the-test@{nats_url}"))
        assert heard == [(f"awxfast.group.{GROUP}", b"hello"), ("awxfast.wants", b"hello")]

    def test_another_prefix_is_none_of_its_business(self, nats_url: str) -> None:
        pytest.importorskip("nats")
        url = f"tls://awxfast:secret-of-the-test@{nats_url}&prefix=others"

        async def publish() -> str:
            carrier = open_carrier(url)
            await carrier.start(Listener())
            try:
                async with asyncio.timeout(HANG):
                    await until(lambda: carrier.up)
                    carrier.publish("others.wants", b"hello", 0)
                    await until(lambda: bool(carrier.trouble))
                return carrier.trouble
            finally:
                await carrier.stop()

        assert "others.wants" in asyncio.run(publish())


class TestUrls:
    def list_urls(self, path: str) -> list[str]:
        """Those that stand in remarks."""
        return re.findall(r"^[#;] .*?AWXFAST_ENGINE=\"?([^\"\n]+)", (FOLDER / path).read_text(), re.MULTILINE)

    @pytest.mark.parametrize("path", FILES_WITH_URLS)
    def test_they_are_understood_by_the_server_and_the_dialler(self, path: str) -> None:
        urls = self.list_urls(path)
        assert urls
        for url in urls:
            environ = {"AWXFAST_ENGINE": url, "AWXFAST_SECRET": "s"}
            assert EngineAddress.parse(url).username == "awxfast"
            assert parse_settings([], environ).engine == url
            settings = dialler_options.parse_settings(shlex.split("--redis redis://localhost"), environ, AwxSettings())
            assert settings.engine == url

    def test_custom_resource_names_the_variable(self) -> None:
        names = re.findall(r"name: (AWXFAST_\w+)", (FOLDER / "awx" / "awx.yaml").read_text())
        assert "AWXFAST_ENGINE" in names and "AWXFAST_ENGINE" in {*map(variable_of, WITH_VARIABLES)}
