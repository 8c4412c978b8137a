"""The server's options: command line and environment in, `Settings` out (docs/options.md).

Defaults are those of `Settings`; nothing here repeats one.
"""

import argparse
import dataclasses
import difflib
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any, NoReturn

from awxfast import __version__
from awxfast.daphne_options import (
    DAPHNE_LONG_OPTIONS,
    add_daphne_connections,
    add_daphne_listeners,
    add_daphne_output,
    expand_daphne_abbreviations,
)
from awxfast.environment_variables import describe_ignored_variables, read_environment, variable_of
from awxfast.errors import ConfigurationError
from awxfast.option_parser import (
    OptionParser,
    OwnOption,
    RefuseNotBuilt,
    check_log_format,
    host_name,
    non_empty,
    one_of,
    positive,
    seconds,
    whole_number,
    workers,
)
from awxfast.settings import (
    DEFAULT_HOST,
    DEFAULT_PORT,
    LAYER_DEFAULTS,
    LAYER_FIELDS,
    LAYERS,
    SECRET_VARIABLE,
    SERIALIZERS,
    Settings,
)

NOT_BUILT = (
    "--notify-gaps",
    "--compress",
    "--compress-links",
    "--keep",
    "--keep-memory",
    "--replay",
    "--command-rate",
)
"""Planned options that this version refuses by name rather than accept and ignore."""

DIALLER_ONLY = ("--era", "--peer", "--peers-file", "--postgres", "--name", "--protocol", "--ca-file")
"""Options of `python -m awxfast.broadcast` whose names mean nothing here."""

COMMANDS = ("demo", "status", "reload")
LIKE_OPTIONS = {"broadcast": "awxfast-broadcast", "check": "--check", "help": "--help", "version": "--version"}
"""What is typed for a command, and is an option here, or a program of its own."""

NATIVE_ONLY = ("--auth", "--auth-ca-file")
HOSTED_ONLY = {
    "direct": "native mode has no consumers",
    "workers": "native mode has --threads, which use all cores from one process",
}
"""What is only for an application, and why."""
LAYER_OPTIONS = ("redis", "layer", *LAYER_FIELDS, "encryption_key_files")
"""What an application's CHANNEL_LAYERS says unless an option does."""

LAYER_OPTION = OwnOption(
    "--layer",
    "layer",
    one_of(*LAYERS),
    f"the form of the producers' channel layer: {', '.join(LAYERS)}",
)

ENTRY_OPTIONS = (
    OwnOption("--serializer-format", "serializer_format", one_of(*SERIALIZERS), "the channel layer's: msgpack, json"),
    OwnOption(
        "--random-prefix-length", "random_prefix_length", whole_number(least=0), "bytes before the layer's messages"
    ),
    OwnOption(
        "--encryption-key-file",
        "encryption_key_files",
        non_empty,
        "keys of an encrypted channel layer, one a line; the first encrypts",
        many=True,
    ),
)
"""How the layer's messages are written."""

OWN_OPTIONS = (
    OwnOption(
        "--redis", "redis", non_empty, "redis://, rediss://, unix:///path, or private: one of its own", many=True
    ),
    LAYER_OPTION,
    OwnOption("--prefix", "prefix", str, "the channel layer's prefix"),
    OwnOption("--capacity", "capacity", positive, "the channel layer's capacity"),
    OwnOption("--expiry", "expiry", positive, "the channel layer's expiry, seconds"),
    OwnOption("--group-expiry", "group_expiry", positive, "the channel layer's group expiry, seconds"),
    *ENTRY_OPTIONS,
    OwnOption("--direct", "direct", non_empty, "messages whose text bypasses the application's consumer", many=True),
    OwnOption("--auth", "auth", non_empty, "who may connect: tokens=FILE, forward=URL or open; without it nobody"),
    OwnOption("--auth-ca-file", "auth_ca_file", non_empty, "certificates to trust for forward=https://..."),
    OwnOption("--origin", "origins", host_name, "a host that pages may come from, as awx.example", many=True),
    OwnOption("--trusted-proxy", "trusted_proxies", non_empty, "whose forwarded headers count", many=True),
    OwnOption("--secret-file", "secret_files", non_empty, "the nodes' shared secret; the first is sent", many=True),
    OwnOption(
        "--node-endpoints",
        "node_endpoints",
        one_of("native", "application", "off"),
        "who answers other nodes: native, application, off",
    ),
    OwnOption("--nonce-tolerance", "nonce_tolerance", positive, "seconds that nodes' clocks may differ"),
    OwnOption(
        "--nonce-replay", "nonce_replay", one_of("count", "refuse"), "a secret header seen before: count, refuse"
    ),
    OwnOption(
        "--backplane-max-message-size",
        "backplane_max_message_size",
        whole_number(least=0),
        "bytes of one message of another node; 0: no limit",
    ),
    OwnOption(
        "--engine",
        "engine",
        non_empty,
        "what carries events between nodes, too: redis-cluster://, rediss-cluster://, nats:// or tls://",
    ),
    OwnOption("--max-clients", "max_clients", positive, "more get 503"),
    OwnOption("--max-groups", "max_groups", positive, "groups of a client; more close it with 1008"),
    OwnOption("--accept-rate", "accept_rate", positive, "handshakes a second; more get 503"),
    OwnOption("--workers", "workers", workers, "serving processes of an application; auto: one a core"),
    OwnOption("--threads", "threads", positive, "fan-out threads"),
    OwnOption("--queue-frames", "queue_frames", positive, "a client's bound for event frames"),
    OwnOption("--queue-bytes", "queue_bytes", positive, "a client's bound for queued bytes"),
    OwnOption("--queue-memory", "queue_memory", positive, "the process's bound for queued bytes"),
    OwnOption("--send-buffer", "send_buffer", positive, "SO_SNDBUF of every client"),
    OwnOption(
        "--slow-client", "slow_client", one_of("shed", "close"), "what a client past its bound gets: shed, close"
    ),
    OwnOption("--keep-group", "keep_groups", non_empty, "groups that are shed last (glob)", many=True),
    OwnOption("--max-event-size", "max_event_size", positive, "larger events are rejected"),
    OwnOption("--max-head", "max_head", positive, "the limit of a request's head; above it 431"),
    OwnOption("--admin", "admin", non_empty, "the admin listener: HOST:PORT, a path, or off; with APPLICATION off"),
    OwnOption("--grace", "grace", seconds, "seconds that queues may drain at shutdown"),
    OwnOption("--close-spread", "close_spread", seconds, "seconds over which closes are spread at shutdown"),
    OwnOption(
        "--reload-consumers",
        "reload_consumers",
        one_of("drain", "replay"),
        "what becomes of an application's clients when it is reloaded: drain, replay",
    ),
    OwnOption("--reload-drain", "reload_drain", seconds, "seconds that an old process may serve them"),
    OwnOption("--log-format", "log_format", one_of("text", "json"), "text or json"),
)


LISTENING = ("--port", "--bind", "--unix-socket", "--fd", "--endpoint")
WITH_VARIABLES = (
    *(option for option in DAPHNE_LONG_OPTIONS if option != "--help"),
    *(option.name for option in OWN_OPTIONS),
)
"""Options that are environment variables too."""


def parse_settings(arguments: Sequence[str], environ: Mapping[str, str]) -> Settings:
    """The settings that a command line and an environment ask for; the command line wins.

    Raises `ConfigurationError` for anything wrong, and `SystemExit` with 0 after `--help` and `--version`.
    """
    parser = build_parser()
    given = vars(parser.parse_args(expand_daphne_abbreviations(arguments)))
    values = {**read_environment(parser, environ, WITH_VARIABLES, NOT_BUILT), **given}
    return check_values(values)


def name_ignored_variables(environ: Mapping[str, str]) -> str:
    """Variables AWXFAST_<NAME> that mean nothing to the server; those of the dialler may stand in the same file."""
    known = {*map(variable_of, (*WITH_VARIABLES, *DIALLER_ONLY, *NOT_BUILT)), SECRET_VARIABLE}
    return describe_ignored_variables(environ, known, ("--help", "--check", "--version"))


def build_parser() -> OptionParser:
    """The server's parser; what is not given is absent from its namespace."""
    parser = OptionParser(
        prog="awxfast",
        usage=f"awxfast [options] [APPLICATION]\n       awxfast {'|'.join(COMMANDS)} [options]",
        description="Hosts an ASGI application in daphne's place. Without one it relays live events from Redis to "
        "browsers, speaking AWX's protocol.",
        epilog="Options but --check are also environment variables AWXFAST_<NAME> (the long name in upper case, _ for "
        "-; several values with spaces between; 1 for one without a value); the command line wins. Each command has a "
        "--help of its own.",
        argument_default=argparse.SUPPRESS,
    )
    parser.add_argument("--version", action="version", version=f"awxfast {__version__}")
    parser.add_argument("application", nargs="?", metavar="APPLICATION", help="module:attribute of what to host")
    add_daphne_listeners(parser.add_argument_group("where to listen (as in daphne)"))
    add_daphne_connections(parser.add_argument_group("connections (as in daphne)"))
    add_daphne_output(parser.add_argument_group("output (as in daphne)"))
    add_own_options(parser.add_argument_group("awxfast's own"))
    for name in NOT_BUILT:
        parser.add_argument(name, action=RefuseNotBuilt, nargs="?", help=argparse.SUPPRESS)
    parser.add_argument("--reload", action=RefuseReload, nargs=0, help=argparse.SUPPRESS)
    parser.show_defaults({**dataclasses.asdict(Settings()), "host": DEFAULT_HOST, "port": DEFAULT_PORT})
    return parser


class RefuseReload(argparse.Action):
    """uvicorn's option; as an abbreviation it would be taken for something else of ours."""

    def __call__(self, parser: argparse.ArgumentParser, *_: object) -> NoReturn:
        raise ConfigurationError(
            "there is no --reload; `manage.py runserver` starts again when a file changes (docs/django.md)"
        )


def add_own_options(group: Any) -> None:
    """The options that daphne does not have."""
    group.add_argument("--check", action="store_true", help="say what would keep it from serving, and exit")
    for option in OWN_OPTIONS:
        option.add_to(group)


def check_values(values: dict[str, Any]) -> Settings:
    """What no single option can check, then the settings."""
    if "application" in values:
        check_application(values)
    elif values.get("node_endpoints") == "application":
        raise ConfigurationError("--node-endpoints application: there is no APPLICATION; use native or off")
    elif foreign := [field for field in HOSTED_ONLY if field in values]:
        raise ConfigurationError(f"--{foreign[0]} is for an application, {HOSTED_ONLY[foreign[0]]}; leave it out")
    for name in ("host", "port"):
        if f"proxy_headers_{name}" in values and not values.get("proxy_headers"):
            raise ConfigurationError(f"--proxy-headers-{name} needs --proxy-headers; add it")
    if len(values.get("redis", ())) > 1 and "private" in values["redis"]:
        raise ConfigurationError("--redis private is a Redis of its own, and stands alone; leave it or the others out")
    check_log_format(values.get("log_fmt"))
    return Settings.from_values({**LAYER_DEFAULTS[values.get("layer", Settings.layer)], **values})


def refuse_word(word: str) -> NoReturn:
    """One that is neither a command in its place nor `module:attribute`."""
    if word in COMMANDS:
        raise ConfigurationError(f"{word} is a command, and comes first: awxfast {word} [options]")
    if word in LIKE_OPTIONS:
        raise ConfigurationError(f"there is no command {word!r}; did you mean {LIKE_OPTIONS[word]}?")
    if near := difflib.get_close_matches(word, COMMANDS, 1):
        raise ConfigurationError(f"there is no command {word!r}; did you mean {near[0]}?")
    raise ConfigurationError(
        f"there is no command {word!r}, and an APPLICATION is module:attribute, such as {guess_application(word)!r}; "
        "see awxfast --help"
    )


def guess_application(word: str) -> str:
    """`module:attribute` for a module's name or file, or for one whose colon is a dot."""
    name = word.removesuffix(".py").removeprefix("./").strip("/").replace("/", ".")
    is_module = "/" in word or word.endswith(".py") or Path(name.replace(".", "/") + ".py").exists()
    module, dot, attribute = name.rpartition(".")
    return f"{name}:application" if is_module or not dot or attribute == "asgi" else f"{module}:{attribute}"


def check_application(values: dict[str, Any]) -> None:
    """What means something else, or nothing, when an application is hosted. A word without a colon is a command."""
    module, colon, attribute = values["application"].partition(":")
    if not colon:
        refuse_word(module)
    if not module or not attribute:
        raise ConfigurationError(f"APPLICATION {values['application']!r}: give module:attribute")
    for option in OWN_OPTIONS:
        if option.field in values and option.name in NATIVE_ONLY:
            names = f"{option.name} or {variable_of(option.name)}"
            raise ConfigurationError(f"{names} is for native mode, an application decides itself; leave it out")
    values.setdefault("admin", "off")
    values.setdefault("direct", Settings.direct if module.startswith("awx.") else ())
    if values.get("workers", 1) > 1:
        values.setdefault("threads", max(1, Settings().threads // values["workers"]))
    values["layer_options"] = tuple(field for field in LAYER_OPTIONS if field in values)
    values.setdefault("redis", ())
