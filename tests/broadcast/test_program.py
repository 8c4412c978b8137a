"""The dialler's rooms wired together, in the test's own loop; as a process it is in broadcast/test_main.py."""

import asyncio
import logging
import socket
from collections.abc import AsyncIterator
from pathlib import Path

import pytest
from awxfast.broadcast import statistics_writer
from awxfast.broadcast.awx_settings import AwxSettings
from awxfast.broadcast.credentials import find_keys, find_secret
from awxfast.broadcast.options import DiallerSettings, parse_settings
from awxfast.broadcast.program import NodeDialler
from awxfast.errors import ConfigurationError, HandOverFailed
from channels_redis.core import RedisChannelLayer
from loops import pytest_asyncio_loop_factories  # noqa: F401  a hook
from peer_server import until
from redis_servers import RedisServer, group_on


def settings_of(redis_url: str, *words: str, secret: str = "secret") -> DiallerSettings:
    return parse_settings(("--redis", redis_url, "--protocol", "http", *words), {}, AwxSettings(secret=secret))


@pytest.fixture
async def node(redis_server: RedisServer) -> AsyncIterator[NodeDialler]:
    node = NodeDialler(settings_of(redis_server.url))
    await node.start()
    yield node
    await node.stop()


class TestStatistics:
    async def test_failure_is_said_once_counted_each_time_and_ends_nothing(
        self, node: NodeDialler, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
    ) -> None:
        monkeypatch.setattr(statistics_writer, "INTERVAL", 0.01)

        def fail(_: object) -> str:
            raise ValueError("two names collide")

        monkeypatch.setattr(node._statistics._statistics, "text", fail)
        node._run(node._statistics.run(), "statistics, sooner")
        await until(lambda: node._statistics.failures >= 3)
        (line,) = [record.getMessage() for record in caplog.records if record.levelno >= logging.ERROR]
        assert "two names collide" in line


class TestMembers:
    async def test_node_that_can_never_have_peers_says_so(
        self, redis_server: RedisServer, tmp_path: Path, caplog: pytest.LogCaptureFixture
    ) -> None:
        file = tmp_path / "peers"
        file.write_text("")
        for words, warnings in ((("--peers-file", str(file)), 0), ((), 1)):
            node = NodeDialler(settings_of(redis_server.url, *words))
            await node.start()
            await node.stop()
            assert caplog.text.count("nobody will ever be dialled") == warnings


class TestCertificates:
    @pytest.mark.parametrize(
        ("words", "warnings"),
        [
            (("--protocol", "https", "--no-verify-cert"), 1),
            (("--protocol", "https"), 0),
            (("--no-verify-cert",), 0),
        ],
    )
    async def test_unchecked_ones_are_warned_of_at_start(
        self, redis_server: RedisServer, caplog: pytest.LogCaptureFixture, words: tuple[str, ...], warnings: int
    ) -> None:
        node = NodeDialler(settings_of(redis_server.url, *words))
        await node.start()
        await node.stop()
        assert len([record for record in caplog.records if "--no-verify-cert" in record.getMessage()]) == warnings


class TestEnd:
    async def test_part_that_fails_ends_the_whole(self, node: NodeDialler, caplog: pytest.LogCaptureFixture) -> None:
        async def fail() -> None:
            raise ValueError("a fault of ours")

        node._run(fail(), "something")
        async with asyncio.timeout(20):
            await node.failed.wait()
        assert "something ended" in caplog.text

    async def test_order_to_stop_is_no_failure(self, node: NodeDialler) -> None:
        await node.stop()
        assert not node.failed.is_set()

    async def test_reload_of_a_node_that_dials_nobody_leaves_nobody_behind(
        self, node: NodeDialler, caplog: pytest.LogCaptureFixture
    ) -> None:
        await node.drain()
        assert "peers that do not read" not in caplog.text

    async def test_process_that_can_not_go_on_after_a_reload_says_so_and_can_be_stopped(
        self, node: NodeDialler, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        """Else it would count as one that goes on, and would dial, pop or read no more."""

        async def refuse(heir: int, sock: socket.socket) -> None:
            raise HandOverFailed("the new process ended")

        async def fail() -> None:
            raise ValueError("a fault of ours")

        monkeypatch.setattr(node._estate, "leave", refuse)
        monkeypatch.setattr(node._estate, "go_on", fail)
        with socket.socket() as sock:
            with pytest.raises(HandOverFailed, match="the new process ended"):
                await node.leave(1, sock, lambda: None)
            with pytest.raises(ValueError, match="a fault of ours"):
                await node.go_on()
            await asyncio.wait_for(node.stop(), 20)

    async def test_wrong_peers_file_leaves_nothing_behind(self, redis_server: RedisServer) -> None:
        node = NodeDialler(settings_of(redis_server.url, "--peers-file", "/nowhere"))
        with pytest.raises(ConfigurationError):
            await node.start()
        await node.stop()
        with redis_server.client() as client:
            assert client.keys() == []


class TestKeys:
    def test_awx_keys_are_read_by_the_process_itself_and_told_to_nobody(self, monkeypatch: pytest.MonkeyPatch) -> None:
        awx = AwxSettings(secret="secret", redis=("redis://h",), encryption_keys=(b"sesame",), serializer_format="json")
        settings = parse_settings((), {}, awx)
        assert "sesame" not in settings.to_json() + repr(settings) + repr(awx)
        monkeypatch.setattr("awxfast.broadcast.credentials.load_awx_settings", lambda: awx)
        child = DiallerSettings.from_json(settings.to_json())
        assert (find_keys(child).values, child.layer.serializer_format) == ((b"sesame",), "json")

    def test_files_take_their_place(self, tmp_path: Path) -> None:
        (tmp_path / "keys").write_text("from a file\n")
        awx = AwxSettings(secret="secret", redis=("redis://h",), encryption_keys=(b"sesame",))
        settings = parse_settings(("--encryption-key-file", f"{tmp_path}/keys"), {}, awx)
        assert find_keys(DiallerSettings.from_json(settings.to_json())).values == (b"from a file",)

    def test_layer_without_keys_is_not_encrypted(self) -> None:
        assert find_keys(settings_of("redis://h")).values == ()

    def test_serializer_of_a_sites_own_is_refused(self) -> None:
        with pytest.raises(ConfigurationError, match="a serializer of its own: only msgpack and json are read"):
            parse_settings((), {}, AwxSettings(secret="secret", redis=("redis://h",), serializer_format="site"))


class TestSecret:
    def test_first_file_is_sent(self, tmp_path: Path) -> None:
        files = [tmp_path / name for name in ("new", "old")]
        for file in files:
            file.write_text(file.name + "\n")
        words = [word for file in files for word in ("--secret-file", str(file))]
        assert find_secret(settings_of("unix:///r", *words)) == "new"

    def test_awxs_own_is_the_last_resort(self) -> None:
        assert find_secret(settings_of("unix:///r", secret="of AWX")) == "of AWX"

    def test_none_is_a_wrong_configuration(self) -> None:
        with pytest.raises(ConfigurationError, match="--secret-file"):
            find_secret(settings_of("unix:///r", secret=""))


class TestSeveralRedis:
    async def test_events_of_peers_reach_groups_on_each(self, three_redis: list[RedisServer]) -> None:
        first, *others = (server.url for server in three_redis)
        node = NodeDialler(settings_of(first, *(word for url in others for word in ("--redis", url))))
        await node.start()
        layer = RedisChannelLayer(hosts=[server.url for server in three_redis])
        channel = await layer.new_channel()
        for host in range(3):
            await layer.group_add(group_on(host), channel)
            node.sender.send(group_on(host), b"{}")
            assert (await asyncio.wait_for(layer.receive(channel), 20))["text"] == "{}"
        figures = node.figures.intake()
        assert figures is not None
        assert [host.up for host in figures.hosts.values()] == [True] * 3
        three_redis[1].kill()
        await until(lambda: not node.intake.ready)
        assert [str(three_redis[1].address) in reason for reason in node.figures.unready_reasons()] == [True]
        await layer.close_pools()
        await node.stop()
