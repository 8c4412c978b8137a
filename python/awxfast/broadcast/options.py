"""The dialler's options: command line, environment and AWX's settings in, `DiallerSettings` out (docs/dialler.md)."""

import argparse
import dataclasses
import json
import socket
from collections.abc import Mapping, Sequence
from typing import Any

from awxfast import __version__
from awxfast import options as server_options
from awxfast.broadcast.awx_settings import AwxSettings
from awxfast.broadcast.era import Era
from awxfast.broadcast.target import Member, read_peer
from awxfast.engine.address import EngineAddress
from awxfast.environment_variables import describe_ignored_variables, read_environment, variable_of
from awxfast.errors import ConfigurationError
from awxfast.option_parser import (
    OptionParser,
    OwnOption,
    RefuseNotBuilt,
    check_log_format,
    non_empty,
    one_of,
    positive,
    whole_number,
)
from awxfast.redis.hosts import read_hosts
from awxfast.settings import (
    LAYER_DEFAULTS,
    LAYER_FIELDS,
    SECRET_VARIABLE,
    SERIALIZERS,
    LayerSettings,
    LogSettings,
)
from awxfast.wire.groups import BACKPLANE_GROUP

ERAS = {"broadcast": Era.BROADCAST, "relay": Era.RELAY, "auto": None}

OPTIONS = (
    OwnOption("--era", "era", one_of(*ERAS), "which wire: broadcast (AWX 10 to 21), relay (22 on), or auto"),
    OwnOption("--peer", "peers", non_empty, "HOST[:PORT] of another node, IPv6 in brackets", many=True),
    OwnOption(
        "--engine",
        "engine",
        non_empty,
        "what carries events as well: redis-cluster://, rediss-cluster://, nats://, tls://",
    ),
    OwnOption("--peers-file", "peers_file", non_empty, "one peer a line; read again when it changes"),
    OwnOption("--postgres", "postgres", non_empty, "AWX's database, whose instances and heartbeats are peers"),
    OwnOption("--name", "name", non_empty, "this node's name, which is never dialled"),
    OwnOption("--port", "port", whole_number(1, 65535), "the port of peers that have none of their own"),
    OwnOption("--protocol", "protocol", one_of("http", "https"), "http or https"),
    OwnOption("--ca-file", "ca_file", non_empty, "certificates to trust"),
    OwnOption("--redis", "redis", non_empty, "redis://, rediss:// or unix:///path: this node's own", many=True),
    server_options.LAYER_OPTION,
    OwnOption("--prefix", "prefix", str, "the channel layer's prefix"),
    OwnOption("--capacity", "capacity", positive, "the channel layer's capacity"),
    OwnOption("--expiry", "expiry", positive, "the channel layer's expiry, seconds"),
    OwnOption("--group-expiry", "group_expiry", positive, "the channel layer's group expiry, seconds"),
    *server_options.ENTRY_OPTIONS,
    OwnOption(
        "--secret-file",
        "secret_files",
        non_empty,
        "the nodes' secret; the first is sent; with --engine and --no-mesh none is needed",
        many=True,
    ),
    OwnOption("--admin", "admin", non_empty, "the admin listener: HOST:PORT, a socket's path, or off"),
    OwnOption("--log-format", "log_format", one_of("text", "json"), "text or json"),
)
DEFAULTS = {
    "era": "auto",
    "port": 443,
    "protocol": "https",
    "admin": "off",
    **dataclasses.asdict(LayerSettings()),
    **dataclasses.asdict(LogSettings()),
}
"""By field; what AWX's settings say wins over it."""
WITH_VARIABLES = (*(option.name for option in OPTIONS), "--verbosity", "--log-fmt")
"""Options that are environment variables too."""
NOT_BUILT = ("--compress-links",)
LOG_FIELDS = tuple(field.name for field in dataclasses.fields(LogSettings))


@dataclasses.dataclass(frozen=True, kw_only=True)
class DiallerSettings(LogSettings):
    """What the dialler works with."""

    era: Era | None
    peers: tuple[Member, ...]
    peers_file: str | None
    postgres: str | None = dataclasses.field(repr=False)
    name: str
    port: int
    protocol: str
    verify_cert: bool
    ca_file: str | None
    redis: tuple[str, ...]
    """URLs; empty: what AWX's layer says (`node_redis`)."""
    backplane_group: str
    secret_files: tuple[str, ...]
    admin: str
    status: bool
    layer: LayerSettings
    encryption_key_files: tuple[str, ...] = ()
    has_keys_of_awx: bool = False
    engine: str | None = dataclasses.field(default=None, repr=False)
    mesh: bool = True
    check: bool = False
    """Says what is wrong instead of dialling."""
    secret_of_awx: str = dataclasses.field(default="", repr=False)

    @property
    def dials(self) -> bool:
        """Whether there may be anybody to dial."""
        return self.mesh and bool(self.peers or self.peers_file or self.postgres)

    @property
    def named_in_vain(self) -> str:
        """Options that name peers though nobody is dialled; AWX's own database is none."""
        named = {"--peer": self.peers, "--peers-file": self.peers_file}
        return "" if self.mesh else " and ".join(option for option, value in named.items() if value)

    def to_json(self) -> str:
        """For the child process, with all secrets that are not in files; never to be logged."""
        values = dataclasses.asdict(self)
        return json.dumps({**values, "era": self.era.name if self.era is not None else None})

    @classmethod
    def from_json(cls, text: str) -> "DiallerSettings":
        """The inverse of `to_json`."""
        values = json.loads(text)
        return cls(
            **{
                **values,
                "era": Era[values["era"]] if values["era"] is not None else None,
                "peers": tuple(Member(**one) for one in values["peers"]),
                "redis": tuple(values["redis"]),
                "secret_files": tuple(values["secret_files"]),
                "encryption_key_files": tuple(values["encryption_key_files"]),
                "layer": LayerSettings(**values["layer"]),
            }
        )


def parse_settings(arguments: Sequence[str], environ: Mapping[str, str], awx: AwxSettings) -> DiallerSettings:
    """The command line wins over the environment, that over AWX's settings.

    Raises `ConfigurationError`, and `SystemExit` with 0 after `--help` and `--version`.
    """
    parser = build_parser()
    given = vars(parser.parse_args(arguments))
    values = {**awx.values(), **read_environment(parser, environ, WITH_VARIABLES, NOT_BUILT), **given}
    check_log_format(values.get("log_fmt"))
    if "redis" not in values and awx.hosts:
        read_hosts("default", awx.hosts)
        values["redis"] = ()
    if "redis" not in values:
        raise ConfigurationError("--redis: give this node's Redis, the one that AWX's producers on it use")
    return make_settings(values, awx)


def name_ignored_variables(environ: Mapping[str, str]) -> str:
    """Variables AWXFAST_<NAME> that mean nothing to the dialler; the server's may stand in the same file."""
    options = (*WITH_VARIABLES, *server_options.WITH_VARIABLES, *server_options.NOT_BUILT)
    known = {*map(variable_of, options), SECRET_VARIABLE}
    return describe_ignored_variables(environ, known, ("--verify-cert", "--mesh", "--status", "--check"))


def make_settings(values: Mapping[str, Any], awx: AwxSettings) -> DiallerSettings:
    """Defaults, and what several options make together."""
    values = {**DEFAULTS, **LAYER_DEFAULTS[values.get("layer", LayerSettings.layer)], **values}
    if values.get("ca_file") and not values.get("verify_cert", True):
        raise ConfigurationError("--ca-file means nothing with --no-verify-cert; leave one out")
    if values.get("engine"):
        EngineAddress.parse(values["engine"])
    elif not values.get("mesh", True):
        raise ConfigurationError("--no-mesh means that events go by an engine alone: --engine is missing")
    if values["serializer_format"] not in SERIALIZERS:
        raise ConfigurationError(
            f"AWX's channel layer has a serializer of its own: only {' and '.join(SERIALIZERS)} are read"
        )
    return DiallerSettings(
        era=ERAS[values["era"]],
        peers=tuple(read_peer(text, values["port"]) for text in values.get("peers", ())),
        peers_file=values.get("peers_file"),
        postgres=values.get("postgres"),
        name=values.get("name") or socket.gethostname(),
        port=values["port"],
        protocol=values["protocol"],
        verify_cert=values.get("verify_cert", True),
        ca_file=values.get("ca_file"),
        redis=tuple(values["redis"]),
        backplane_group=awx.backplane_group or BACKPLANE_GROUP,
        secret_files=tuple(values.get("secret_files", ())),
        admin=values["admin"],
        status=values.get("status", False),
        check=values.get("check", False),
        layer=LayerSettings(layer=values["layer"], **{name: values[name] for name in LAYER_FIELDS}),
        encryption_key_files=tuple(values.get("encryption_key_files", ())),
        has_keys_of_awx=bool(awx.encryption_keys),
        secret_of_awx=awx.secret,
        engine=values.get("engine"),
        mesh=values.get("mesh", True),
        **{name: values[name] for name in LOG_FIELDS},
    )


def build_parser() -> OptionParser:
    """The dialler's parser; what is not given is absent from its namespace."""
    parser = OptionParser(
        prog="awxfast-broadcast",
        usage="python -m awxfast.broadcast [options]",
        description="Links this node to the others, in place of awx-manage run_wsbroadcast and run_wsrelay.",
        epilog="Options are also environment variables AWXFAST_<NAME> (upper case, _ for -; several values with "
        "spaces between); the command line wins. The secret may also stand in AWXFAST_SECRET. Where AWX can be "
        "imported, its settings take the place of defaults.",
        argument_default=argparse.SUPPRESS,
        allow_abbrev=False,  # --secret is no --secret-file: what follows would be a secret, and be named as a file
    )
    parser.add_argument("--version", action="version", version=f"awxfast {__version__}")
    for option in OPTIONS:
        option.add_to(parser)
    parser.add_argument(
        "--verify-cert", dest="verify_cert", action=argparse.BooleanOptionalAction, help="check certificates (default)"
    )
    parser.add_argument(
        "--mesh",
        dest="mesh",
        action=argparse.BooleanOptionalAction,
        help="dial other nodes (default); without, --engine carries all",
    )
    parser.add_argument("-v", "--verbosity", type=whole_number(0, 3), help="0 warnings, 1 links, 2 debugging")
    parser.add_argument("--log-fmt", help="the log's format, in Python's %% style")
    parser.add_argument("--check", action="store_true", help="say what would keep it from working, and exit")
    parser.add_argument("--status", action="store_true", help="print the peers' statistics from Redis, and exit")
    for name in NOT_BUILT:
        parser.add_argument(name, action=RefuseNotBuilt, nargs="?", help=argparse.SUPPRESS)
    parser.show_defaults(DEFAULTS)
    return parser
