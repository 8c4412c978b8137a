"""Every setting of the server, its default and its unit, in one place (docs/options.md)."""

import dataclasses
import json
import os
from collections.abc import Mapping
from typing import Any

DEFAULT_HOST = "127.0.0.1"
DEFAULT_PORT = 8000
"""As in daphne; a listener of another kind takes their place."""
STATUS_GROUPS = ("jobs-*", "control-*", "schedules-*", "inventories-*", "workflow_events-*")
MAX_GROUPS = 1000
REPLY_BYTES = 262_144
"""Of replies that a client may leave unread, where one reply names at most so many groups."""
MAX_EVENT_SIZE = 16_777_216
SECRET_VARIABLE = "AWXFAST_SECRET"
"""The nodes' secret itself, which has no option: others could read it in the list of processes."""


LAYERS = ("core", "pubsub", "lists")
SERIALIZERS = ("msgpack", "json")
"""How channels_redis writes messages, unless an application has a way of its own."""
LAYER_DEFAULTS: Mapping[str, Mapping[str, Any]] = {
    "core": {},
    "lists": {"prefix": "asgi:", "random_prefix_length": 0},
    "pubsub": {"random_prefix_length": 0, "capacity": 10_000},
}
"""By form: what its constructor takes for granted other than `LayerSettings` does."""


@dataclasses.dataclass(frozen=True, kw_only=True)
class LayerSettings:
    """How the producers' channel layer is configured, in channels_redis' own words. Times in seconds.

    The defaults are AWX's (awx/settings/defaults.py).
    """

    layer: str = "core"
    """Its form: `core` as in channels_redis 3 and 4, `lists` as in version 2, `pubsub` as `channels_redis.pubsub`."""
    prefix: str = "asgi"
    capacity: int = 10_000
    expiry: int = 60
    group_expiry: int = 157_784_760
    random_prefix_length: int = 12
    serializer_format: str = "msgpack"


LAYER_FIELDS = tuple(field.name for field in dataclasses.fields(LayerSettings) if field.name != "layer")
"""Those that its constructor takes."""


def default_layer(layer: str) -> LayerSettings:
    """What is so in a layer of this form unless somebody says otherwise."""
    return LayerSettings(layer=layer, **LAYER_DEFAULTS[layer])


@dataclasses.dataclass(frozen=True, kw_only=True)
class LogSettings:
    """What is logged, and how."""

    verbosity: int = 1
    log_fmt: str = "%(asctime)-15s %(levelname)-8s %(message)s"
    log_format: str = "text"


@dataclasses.dataclass(frozen=True, kw_only=True)
class Settings(LayerSettings, LogSettings):
    """The server's settings. Times in seconds, sizes in bytes, None where a value is worked out later."""

    # What is hosted, as `module:attribute`; None: native mode.
    application: str | None = None
    workers: int = 1
    """Serving processes; native mode has threads."""

    # Where to listen; empty: 127.0.0.1:8000, as daphne. `port` 0 picks one.
    host: str | None = None
    port: int | None = None
    unix_socket: str | None = None
    file_descriptor: int | None = None
    endpoints: tuple[str, ...] = ()
    admin: str = "127.0.0.1:8058"

    # Redis and, with the layer's settings, what comes through it.
    redis: tuple[str, ...] = ("private",)
    encryption_key_files: tuple[str, ...] = ()
    """The keys themselves are no settings."""
    layer_options: tuple[str, ...] = ()
    """Which of Redis and the layer's settings options gave; an application's CHANNEL_LAYERS has the others."""
    direct: tuple[str, ...] = ("internal.message",)

    # Who may connect and subscribe.
    auth: str | None = None
    auth_ca_file: str | None = None
    origins: tuple[str, ...] = ()
    trusted_proxies: tuple[str, ...] = ()
    proxy_headers: bool = False
    proxy_headers_host: str = "X-Forwarded-For"
    proxy_headers_port: str = "X-Forwarded-Port"
    root_path: str = ""
    server_name: str = "daphne"
    max_clients: int | None = None
    max_groups: int = MAX_GROUPS
    accept_rate: int | None = None
    path_prefix: str = ""

    # Other nodes. The secrets themselves are no settings.
    secret_files: tuple[str, ...] = ()
    node_endpoints: str | None = None
    """Who answers them: native, application, off; None: native when a secret is known, else the application."""
    nonce_tolerance: int = 300
    nonce_replay: str = "count"
    backplane_max_message_size: int = 4_194_304
    engine: str | None = None
    """What carries events between nodes, as a URL; None: their links alone."""

    # One connection.
    websocket_timeout: int = 86_400
    websocket_connect_timeout: int = 5
    http_timeout: int | None = None
    ping_interval: int = 20
    ping_timeout: int = 30
    websocket_max_message_size: int = 1_048_576
    websocket_max_frame_size: int = 1_048_576
    max_head: int = 65_536
    close_timeout: float = 10.0
    application_close_timeout: int = 10

    # The fan-out.
    threads: int = dataclasses.field(default_factory=lambda: max(1, (os.cpu_count() or 1) - 1))
    queue_frames: int = 10_000
    queue_bytes: int = 67_108_864
    queue_memory: int = 536_870_912
    send_buffer: int = 262_144
    slow_client: str = "shed"
    keep_groups: tuple[str, ...] = STATUS_GROUPS
    max_event_size: int = MAX_EVENT_SIZE

    # Operation.
    grace: float = 5.0
    close_spread: float = 0.0
    reload_consumers: str | None = None
    """What becomes of them: drain or replay; None: replay for AWX's application, else drain."""
    reload_drain: float = 300.0
    access_log: str | None = None
    check: bool = False
    """Says what is wrong instead of serving."""

    @property
    def replays_consumers(self) -> bool:
        """Whether a reload hands an application's websockets over, to new consumers."""
        is_awx = (self.application or "").startswith("awx.")
        return (self.reload_consumers or ("replay" if is_awx else "drain")) == "replay"

    def to_json(self) -> str:
        """For the child process; secrets are not in it."""
        return json.dumps(dataclasses.asdict(self))

    @classmethod
    def from_json(cls, text: str) -> "Settings":
        """The inverse of `to_json`."""
        return cls.from_values(json.loads(text))

    @classmethod
    def from_values(cls, given: Mapping[str, Any]) -> "Settings":
        """Settings by name; what is not given has its default, and lists become tuples."""
        values: dict[str, Any] = dict(given)
        for name, value in given.items():
            if isinstance(value, list):
                values[name] = tuple(value)
        return cls(**values)
