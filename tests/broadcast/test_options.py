"""The dialler's command line, environment and AWX's settings, in this order of weight."""

import socket

import pytest
from awxfast.broadcast.awx_settings import AwxSettings
from awxfast.broadcast.era import Era
from awxfast.broadcast.options import DiallerSettings, build_parser, parse_settings
from awxfast.broadcast.target import Member
from awxfast.errors import ConfigurationError

REDIS = ("--redis", "unix:///run/redis.sock")


def parse(*words: str, awx: AwxSettings | None = None, **environ: str) -> DiallerSettings:
    return parse_settings(words, environ, awx or AwxSettings())


class TestDefaults:
    def test_they_are_awxs_but_for_certificates(self) -> None:
        settings = parse(*REDIS)
        assert (settings.era, settings.port, settings.protocol, settings.verify_cert) == (None, 443, "https", True)
        assert (settings.name, settings.admin, settings.peers) == (socket.gethostname(), "off", ())
        assert (settings.layer.prefix, settings.layer.capacity) == ("asgi", 10_000)
        assert settings.backplane_group == "broadcast-group_send"

    def test_redis_must_be_given(self) -> None:
        with pytest.raises(ConfigurationError, match="--redis"):
            parse()


class TestValues:
    def test_command_line(self) -> None:
        words = "--era broadcast --peer a --peer b:81 --port 80 --protocol http --name me --prefix p --no-verify-cert"
        settings = parse(*REDIS, *words.split())
        assert settings.era is Era.BROADCAST
        assert settings.peers == (Member("a", "a", 80), Member("b", "b", 81))
        assert (settings.protocol, settings.name, settings.verify_cert) == ("http", "me", False)
        assert settings.layer.prefix == "p"

    def test_environment(self) -> None:
        settings = parse(AWXFAST_REDIS="redis://r", AWXFAST_PEER="a b", AWXFAST_ERA="relay", AWXFAST_PORT="")
        assert settings.redis == ("redis://r",)
        assert [member.host for member in settings.peers] == ["a", "b"]
        assert settings.era is Era.RELAY
        assert settings.port == 443

    def test_command_line_wins_over_environment_wins_over_awx(self) -> None:
        awx = AwxSettings(name="awx", port=1, protocol="http", redis=("redis://awx",), secret="s", backplane_group="g")
        settings = parse("--name", "me", awx=awx, AWXFAST_PORT="2")
        assert (settings.name, settings.port, settings.protocol, settings.redis) == ("me", 2, "http", ("redis://awx",))
        assert (settings.secret_of_awx, settings.backplane_group) == ("s", "g")

    def test_secret_is_not_in_the_repr(self) -> None:
        assert "hush" not in repr(parse(*REDIS, awx=AwxSettings(secret="hush", postgres="password=hush")))


class TestLayer:
    def test_of_lists_has_its_own_defaults(self) -> None:
        layer = parse(*REDIS, "--layer", "lists").layer
        assert (layer.layer, layer.prefix, layer.random_prefix_length) == ("lists", "asgi:", 0)

    def test_is_that_of_awx_unless_an_option_says_another(self) -> None:
        awx = AwxSettings(layer="lists")
        assert parse(*REDIS, awx=awx).layer.layer == "lists"
        assert parse(*REDIS, "--layer", "core", awx=awx).layer.prefix == "asgi"


class TestPeersInVain:
    @pytest.mark.parametrize(
        ("words", "named"),
        [
            ("--no-mesh --peer web-2 --peer web-3", "--peer"),
            ("--no-mesh --peer web-2 --peers-file f", "--peer and --peers-file"),
            ("--no-mesh", ""),
            ("--peer web-2", ""),
        ],
    )
    def test_those_beside_no_mesh_are_named(self, words: str, named: str) -> None:
        assert parse(*REDIS, "--engine", "nats://h", *words.split()).named_in_vain == named

    def test_database_of_awx_is_not_given_by_anybody(self) -> None:
        awx = AwxSettings(postgres="host=db")
        assert parse(*REDIS, "--engine", "nats://h", "--no-mesh", awx=awx).named_in_vain == ""


class TestRefusals:
    @pytest.mark.parametrize(
        ("words", "named"),
        [
            ("--era both", "--era"),
            ("--peer a:0", "port"),
            ("--port 0", "--port"),
            ("--protocol ws", "--protocol"),
            ("--layer stream", "core or pubsub or lists is needed"),
            ("--engine f", "--engine: it must begin"),
            ("--no-mesh", "--engine is missing"),
            ("--log-fmt %(", "--log-fmt"),
            ("--ca-file f --no-verify-cert", "--ca-file"),
            ("--threads 3", "--threads"),
            ("--secret s", "--secret"),
        ],
    )
    def test_wrong_options_are_named(self, words: str, named: str) -> None:
        with pytest.raises(ConfigurationError, match=named):
            parse(*REDIS, *words.split())

    def test_variable_of_what_is_not_built_is_named(self) -> None:
        with pytest.raises(ConfigurationError, match="AWXFAST_COMPRESS_LINKS"):
            parse(*REDIS, AWXFAST_COMPRESS_LINKS="f")

    def test_help_ends_well(self) -> None:
        with pytest.raises(SystemExit) as end:
            parse("--help")
        assert end.value.code == 0

    def test_help_shows_defaults(self) -> None:
        text = " ".join(build_parser().format_help().split())
        assert "or auto (default: auto)" in text
        assert "(default: 443)" in text
        assert "http or https (default: https)" in text
        assert "seconds (default: 60)" in text
        assert "or off (default: off)" in text
        assert "% style (default: %(asctime)-15s" in text


class TestChildsSettings:
    def test_child_gets_what_main_has_read(self) -> None:
        words = "--era relay --peer a --peer [::1]:81 --secret-file /s --prefix p --no-verify-cert -v 2 --name me"
        settings = parse(*REDIS, *words.split(), awx=AwxSettings(secret="s", postgres="dbname=awx"))
        assert DiallerSettings.from_json(settings.to_json()) == settings
        settings = parse(*REDIS)
        assert DiallerSettings.from_json(settings.to_json()) == settings
