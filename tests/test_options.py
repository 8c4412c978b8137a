"""The command line and the environment become settings, or one line that names what is wrong."""

import contextlib
import io

import pytest
from awxfast.broadcast import options as dialler_options
from awxfast.daphne_options import DAPHNE_LONG_OPTIONS
from awxfast.environment_variables import variable_of
from awxfast.errors import ConfigurationError
from awxfast.option_parser import seconds
from awxfast.options import (
    COMMANDS,
    NOT_BUILT,
    OWN_OPTIONS,
    WITH_VARIABLES,
    build_parser,
    name_ignored_variables,
    parse_settings,
)
from awxfast.settings import SECRET_VARIABLE, Settings
from daphne.cli import CommandLineInterface


def parse(*words: str, **environ: str) -> Settings:
    return parse_settings(words, environ)


def refusal(*words: str, **environ: str) -> str:
    with pytest.raises(ConfigurationError) as caught:
        parse_settings(words, environ)
    text = str(caught.value)
    assert "\n" not in text
    return text


class TestDaphneOptions:
    """Same names, same short names, same defaults as daphne's."""

    def test_every_long_option_of_daphne_is_known(self) -> None:
        parser = CommandLineInterface().parser
        names = {name for action in parser._actions for name in action.option_strings if name.startswith("--")}
        assert names == set(DAPHNE_LONG_OPTIONS)

    def test_defaults_are_those_of_daphne(self) -> None:
        theirs = vars(CommandLineInterface().parser.parse_args(["a:b"]))
        ours = Settings()
        same = set(theirs) - {"application", "socket_strings", "proxy_headers_host", "proxy_headers_port"}
        assert {name: theirs[name] for name in same} == {name: getattr(ours, name) for name in same}

    def test_short_names(self) -> None:
        settings = parse("-p", "8051", "-b", "::1", "-u/run/a.sock", "-etcp:1", "-v2", "-t", "7", "-s", "x")
        assert (settings.port, settings.host, settings.unix_socket) == (8051, "::1", "/run/a.sock")
        assert (settings.endpoints, settings.verbosity, settings.http_timeout) == (("tcp:1",), 2, 7)
        assert settings.server_name == "x"

    def test_awx_own_command_line(self) -> None:
        settings = parse("-b", "127.0.0.1", "-p", "8051", "--websocket_timeout", "-1")
        assert (settings.host, settings.port, settings.websocket_timeout) == ("127.0.0.1", 8051, -1)

    def test_no_server_name_empties_it(self) -> None:
        assert parse("--no-server-name").server_name == ""

    @pytest.mark.parametrize(
        ("words", "field", "value"),
        [
            (["--proxy-headers", "--proxy-headers-h", "X-Real-IP"], "proxy_headers_host", "X-Real-IP"),
            (["--acc", "-"], "access_log", "-"),  # would also fit --accept-rate
            (["--ro=/awx"], "root_path", "/awx"),
            (["--se", "x"], "server_name", "x"),  # would also fit --send-buffer and --secret-file
            (["--end", "tcp:1"], "endpoints", ("tcp:1",)),
            (["--websocket_c", "9"], "websocket_connect_timeout", 9),
        ],
    )
    def test_daphne_abbreviations_keep_their_meaning(self, words: list[str], field: str, value: object) -> None:
        assert getattr(parse(*words), field) == value

    def test_abbreviation_that_daphne_finds_ambiguous_is_refused(self) -> None:
        assert "ambiguous" in refusal("--websocket-max", "1")

    def test_proxy_header_name_needs_proxy_headers(self) -> None:
        assert refusal("--proxy-headers-host", "X-Real-IP").startswith("--proxy-headers-host needs --proxy-headers")


class TestOwnOptions:
    def test_several_values_replace_the_default(self) -> None:
        assert parse("--keep-group", "a-*", "--keep-group", "b").keep_groups == ("a-*", "b")

    def test_every_own_option_is_a_setting(self) -> None:
        known = set(Settings.__dataclass_fields__)
        assert {option.field for option in OWN_OPTIONS} <= known

    def test_numbers_and_seconds(self) -> None:
        settings = parse("--capacity", "5", "--grace", "0.5", "--max-clients", "7", "--max-groups", "9")
        assert (settings.capacity, settings.grace, settings.max_clients, settings.max_groups) == (5, 0.5, 7, 9)

    @pytest.mark.parametrize(
        "words",
        [
            ["--capacity", "0"],
            ["--capacity", "many"],
            ["--threads", "-1"],
            ["--workers", "0"],
            ["--workers", "65"],
            ["--workers", "many"],
            ["--grace", "-1"],
            ["--grace", "nan"],
            ["--grace", "inf"],
            ["--slow-client", "kill"],
            ["--log-format", "xml"],
            ["--port", "65536"],
            ["--port", "http"],
            ["--verbosity", "4"],
            ["--websocket-max-frame-size", "-1"],
            ["--redis", ""],
            ["--log-fmt", "%(message"],
            ["--no-such-option"],
            ["--port"],
        ],
    )
    def test_wrong_value_is_named(self, words: list[str]) -> None:
        assert words[0].lstrip("-") in refusal(*words)


class TestOrigin:
    @pytest.mark.parametrize("host", ["awx.example", "awx.example:8443", "10.0.0.5", "[fd00::5]", "[fd00::5]:443"])
    def test_a_host_with_or_without_its_port_is_taken(self, host: str) -> None:
        assert parse("--origin", host).origins == (host,)

    def test_case_plays_no_part(self) -> None:
        assert parse("--origin", "AWX.example").origins == ("awx.example",)

    @pytest.mark.parametrize(
        "text",
        [
            "https://awx.example",
            "https://awx.example/",
            "awx.example/",
            "//awx.example",
            "awx .example",
            " awx.example",
            "a.example,b.example",
            "*.example",
            "*",
            "user@awx.example",
            "awx.example:",
            "awx.example:https",
            "fd00::5",
            "",
        ],
    )
    def test_what_no_origin_can_equal_is_refused_with_the_right_form(self, text: str) -> None:
        said = refusal("--origin", text)
        assert "--origin" in said
        assert "awx.example or awx.example:8443" in said

    def test_the_variable_is_refused_by_name(self) -> None:
        assert refusal(AWXFAST_ORIGIN="awx.example https://b").startswith("AWXFAST_ORIGIN: ")


class TestWorkers:
    def test_there_is_one_unless_more_are_asked_for(self) -> None:
        assert parse("site:application").workers == 1
        assert parse("--workers", "3", "site:application").workers == 3
        assert parse("site:application", AWXFAST_WORKERS="64").workers == 64

    def test_auto_is_one_for_each_core_that_may_be_used(self, monkeypatch: pytest.MonkeyPatch) -> None:
        for cores, workers in ((1, 1), (7, 7), (200, 64)):
            monkeypatch.setattr("awxfast.option_parser.count_usable_cores", lambda cores=cores: cores)
            assert parse("--workers", "auto", "site:application").workers == workers

    def test_they_share_the_threads_that_one_would_have(self, monkeypatch: pytest.MonkeyPatch) -> None:
        monkeypatch.setattr("os.cpu_count", lambda: 9)
        threads = [parse("--workers", workers, "site:application").threads for workers in ("1", "2", "8", "20")]
        assert threads == [8, 4, 1, 1]
        assert parse("--workers", "2", "--threads", "6", "site:application").threads == 6

    @pytest.mark.parametrize("workers", ["1", "2", "auto"])
    def test_native_mode_refuses_them_by_name(self, workers: str) -> None:
        said = refusal("--workers", workers)
        assert said.startswith("--workers is for an application")
        assert "--threads" in said
        assert refusal(AWXFAST_WORKERS=workers).startswith("--workers is for an application")

    def test_what_may_be_asked_for_is_said(self) -> None:
        assert "from 1 to 64 is needed, not 65; or auto" in refusal("--workers", "65", "site:application")


class TestNotBuilt:
    @pytest.mark.parametrize("name", NOT_BUILT)
    def test_option_is_refused_by_name(self, name: str) -> None:
        assert f"{name} is not built yet" in refusal(name)
        assert f"{name} is not built yet" in refusal(name, "value")

    @pytest.mark.parametrize("name", NOT_BUILT)
    def test_variable_is_refused_by_name(self, name: str) -> None:
        variable = "AWXFAST_" + name[2:].replace("-", "_").upper()
        assert variable in refusal(**{variable: "x"})

    @pytest.mark.parametrize("words", [["--reload"], ["--reload", "a:b"], ["a:b", "--reload"]])
    def test_reload_leads_to_runserver(self, words: list[str]) -> None:
        assert "`manage.py runserver` starts again when a file changes" in refusal(*words)

    def test_layer_core_is_what_there_is(self) -> None:
        assert parse("--layer", "core") == Settings()

    def test_layer_pubsub_has_no_random_prefix(self) -> None:
        assert parse("--layer", "pubsub") == Settings(layer="pubsub", random_prefix_length=0)

    def test_private_redis_stands_alone(self) -> None:
        assert parse("--redis", "redis://a", "--redis", "redis://b").redis == ("redis://a", "redis://b")
        assert "--redis private" in refusal("--redis", "redis://a", "--redis", "private")

    def test_layer_of_lists_has_its_own_defaults(self) -> None:
        settings = parse("--layer", "lists")
        assert (settings.layer, settings.prefix, settings.random_prefix_length) == ("lists", "asgi:", 0)
        assert parse("--layer", "lists", "--prefix", "p").prefix == "p"

    def test_unknown_command_is_refused(self) -> None:
        assert "there is no command 'serve'" in refusal("serve")

    @pytest.mark.parametrize("word", ["stat", "stats", "staus", "demos"])
    def test_command_with_a_typing_error_is_offered(self, word: str) -> None:
        meant = "demo" if word == "demos" else "status"
        assert refusal(word) == f"there is no command {word!r}; did you mean {meant}?"

    @pytest.mark.parametrize(
        ("word", "meant"),
        [("help", "--help"), ("version", "--version"), ("check", "--check"), ("broadcast", "awxfast-broadcast")],
    )
    def test_what_is_no_command_but_an_option_or_a_program_is_told_so(self, word: str, meant: str) -> None:
        assert refusal(word) == f"there is no command '{word}'; did you mean {meant}?"

    def test_command_behind_options_is_told_its_place(self) -> None:
        assert refusal("-v", "0", "status") == "status is a command, and comes first: awxfast status [options]"

    @pytest.mark.parametrize(
        ("word", "meant"),
        [
            ("app", "app:application"),
            ("site.asgi.app", "site.asgi:app"),
            ("mysite.asgi", "mysite.asgi:application"),
            ("mysite/asgi.py", "mysite.asgi:application"),
            ("./mysite/asgi.py", "mysite.asgi:application"),
            ("asgi.py", "asgi:application"),
        ],
    )
    def test_application_without_its_colon_is_told_how_it_is_written(self, word: str, meant: str) -> None:
        assert f"an APPLICATION is module:attribute, such as {meant!r}" in refusal(word)


class TestApplication:
    def test_awx_own_command_line(self) -> None:
        words = ["-b", "127.0.0.1", "-p", "8051", "--websocket_timeout", "-1", "awx.asgi:channel_layer"]
        settings = parse(*words)
        assert (settings.application, settings.port) == ("awx.asgi:channel_layer", 8051)

    def test_it_has_its_own_redis_and_no_admin_listener_unless_asked_for(self) -> None:
        assert (parse("a:b").redis, parse("a:b").admin) == ((), "off")
        assert parse("--admin", "127.0.0.1:9", "a:b").admin == "127.0.0.1:9"

    @pytest.mark.parametrize("word", ["a:", ":b", ":"])
    def test_half_a_name_is_refused(self, word: str) -> None:
        assert "module:attribute" in refusal(word)

    @pytest.mark.parametrize("name", ["--auth", "--auth-ca-file"])
    def test_options_of_native_mode_are_refused_by_name(self, name: str) -> None:
        assert refusal(name, "open", "a:b").startswith(f"{name} or {variable_of(name)} is for native mode")

    def test_options_of_the_layer_are_told_from_defaults(self) -> None:
        assert parse("a:b").layer_options == ()
        settings = parse("--redis", "redis://r", "--capacity", "5", "a:b")
        assert (settings.redis, settings.capacity) == (("redis://r",), 5)
        assert settings.layer_options == ("redis", "capacity")

    def test_awx_messages_are_direct_for_awx_alone(self) -> None:
        assert parse("awx.asgi:channel_layer").direct == ("internal.message",)
        assert parse("awxsite.asgi:application").direct == ()
        assert parse("--direct", "a.b", "--direct", "c", "awx.asgi:x").direct == ("a.b", "c")

    def test_direct_types_are_for_applications(self) -> None:
        assert refusal("--direct", "a.b").startswith("--direct is for an application")


class TestEnvironment:
    def test_variable_sets_the_option(self) -> None:
        assert parse(AWXFAST_REDIS="unix:///r.sock", AWXFAST_GRACE="1.5").redis == ("unix:///r.sock",)

    def test_several_values_stand_between_spaces(self) -> None:
        assert parse(AWXFAST_ORIGIN="a  b:8443").origins == ("a", "b:8443")

    def test_command_line_wins(self) -> None:
        assert parse("--origin", "c", AWXFAST_ORIGIN="a b").origins == ("c",)

    def test_empty_variable_counts_as_absent(self) -> None:
        assert parse(AWXFAST_REDIS="", AWXFAST_SECRET_FILE="") == Settings()

    def test_wrong_value_names_the_variable(self) -> None:
        assert refusal(AWXFAST_CAPACITY="many").startswith("AWXFAST_CAPACITY: ")

    @pytest.mark.parametrize(
        ("variable", "text", "field", "value"),
        [
            ("AWXFAST_BIND", "::1", "host", "::1"),
            ("AWXFAST_PORT", "8055", "port", 8055),
            ("AWXFAST_UNIX_SOCKET", "/run/a b", "unix_socket", "/run/a b"),
            ("AWXFAST_FD", "3", "file_descriptor", 3),
            ("AWXFAST_ENDPOINT", "tcp:1 tcp:2", "endpoints", ("tcp:1", "tcp:2")),
            ("AWXFAST_WEBSOCKET_TIMEOUT", "-1", "websocket_timeout", -1),
            ("AWXFAST_LOG_FMT", "%(levelname)s %(message)s", "log_fmt", "%(levelname)s %(message)s"),
            ("AWXFAST_PROXY_HEADERS", "1", "proxy_headers", True),
            ("AWXFAST_PROXY_HEADERS", "0", "proxy_headers", False),
            ("AWXFAST_NO_SERVER_NAME", "yes", "server_name", ""),
        ],
    )
    def test_daphnes_options_have_variables_too(self, variable: str, text: str, field: str, value: object) -> None:
        assert getattr(parse(**{variable: text}), field) == value

    def test_each_of_daphnes_options_is_one_but_help(self) -> None:
        assert set(DAPHNE_LONG_OPTIONS) - set(WITH_VARIABLES) == {"--help"}

    def test_service_of_kubernetes_is_no_port(self) -> None:
        link = {"AWXFAST_PORT": "tcp://10.0.0.1:80"}
        assert parse(**link).port is None
        assert name_ignored_variables(link) == "AWXFAST_PORT (Kubernetes' word for a service of that name)"

    def test_all_variables_and_the_diallers_are_known(self) -> None:
        names = {*map(variable_of, (*WITH_VARIABLES, *dialler_options.WITH_VARIABLES)), SECRET_VARIABLE}
        assert name_ignored_variables(dict.fromkeys(names, "x")) == ""

    def test_a_typing_error_is_named(self) -> None:
        assert name_ignored_variables({"AWXFAST_KEEP_GROUPS": "x"}) == (
            "AWXFAST_KEEP_GROUPS (did you mean AWXFAST_KEEP_GROUP?)"
        )


class TestUnknownOptions:
    """What is blamed is the option, not what stands behind it."""

    @pytest.mark.parametrize(
        ("words", "said"),
        [
            (["--host", "0.0.0.0", "mysite.asgi:application"], "there is no option --host; did you mean --bind?"),
            (["--uds=/run/secret", "mysite.asgi:application"], "there is no option --uds; did you mean --unix-socket?"),
            (["--porrt", "4"], "there is no option --porrt; did you mean --port?"),
            (["--bnd", "::1", "mysite.asgi:application"], "there is no option --bnd; did you mean --bind?"),
            (["--log-level", "debug"], "there is no option --log-level; did you mean --verbosity?"),
            (
                ["--websocket-timeout", "-1"],
                "there is no option --websocket-timeout; did you mean --websocket_timeout?",
            ),
            (["--queue_frames=5"], "there is no option --queue_frames; did you mean --queue-frames?"),
            (["--grase", "4"], "there is no option --grase; did you mean --grace?"),
            (["-w", "4", "mysite.asgi:application"], "there is no option -w"),
        ],
    )
    def test_it_is_named_with_what_was_meant(self, words: list[str], said: str) -> None:
        assert refusal(*words) == f"{said}; see awxfast --help"

    @pytest.mark.parametrize(
        ("words", "said"),
        [
            (["check", "mysite.asgi:application"], "mysite.asgi:application; did you mean --check?"),
            (["mysite.asgi:application", "check"], "check; did you mean --check?"),
            (["mysite.asgi:application", "1234"], "1234"),
        ],
    )
    def test_word_without_its_dashes_is_named(self, words: list[str], said: str) -> None:
        assert refusal(*words) == f"unrecognized arguments: {said}; see awxfast --help"

    @pytest.mark.parametrize(
        "words", [["--websocket_timeout", "-1"], ["--log-fmt", "- %(message)s"], ["-b127.0.0.1"], ["--proxy-headers"]]
    )
    def test_numbers_texts_and_short_ones_with_their_value_are_none(self, words: list[str]) -> None:
        parse(*words)


class TestHelp:
    @pytest.mark.parametrize("word", ["--help", "--version", "-h"])
    def test_it_prints_and_ends_well(self, word: str) -> None:
        output = io.StringIO()
        with pytest.raises(SystemExit) as caught, contextlib.redirect_stdout(output):
            parse_settings([word], {})
        assert caught.value.code == 0
        assert "awxfast" in output.getvalue()

    def test_options_that_are_not_built_are_not_shown(self) -> None:
        output = io.StringIO()
        with pytest.raises(SystemExit), contextlib.redirect_stdout(output):
            parse_settings(["--help"], {})
        assert "--compress" not in output.getvalue()
        assert "--queue-frames" in output.getvalue()

    def read_help(self) -> str:
        return " ".join(build_parser().format_help().split())

    def test_defaults_are_those_of_the_settings(self) -> None:
        assert "(default: 86400)" in self.read_help()
        assert "TCP port; 0 picks a free one (default: 8000)" in self.read_help()
        assert "address to bind to, IPv4 or IPv6 (default: 127.0.0.1)" in self.read_help()
        assert f"(default: {' '.join(Settings().keep_groups)})" in self.read_help()

    def test_it_names_every_command(self) -> None:
        usage = self.read_help().partition("Hosts an ASGI")[0]
        assert [command for command in COMMANDS if command not in usage] == []

    def test_durations_say_their_unit(self) -> None:
        durations = [option for option in OWN_OPTIONS if option.parse is seconds]
        assert [option.name for option in durations if not option.help.startswith("seconds ")] == []

    def test_it_says_that_without_auth_nobody_gets_in(self) -> None:
        assert "who may connect: tokens=FILE, forward=URL or open; without it nobody" in self.read_help()
