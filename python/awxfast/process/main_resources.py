"""What main has as long as it lives: listening sockets, and a private Redis where none was given."""

import contextlib
import dataclasses
import logging
import os
from collections.abc import Mapping, Sequence
from typing import Any

from awxfast.errors import ConfigurationError
from awxfast.process.activation import ActivatedSockets
from awxfast.process.addresses import list_endpoints
from awxfast.process.listeners import Listener, open_admin, open_listener
from awxfast.redis.private import PrivateRedis
from awxfast.settings import Settings

log = logging.getLogger(__name__)


STOP_MARGIN = 5.0
"""Seconds that a child gets beyond grace and spread: to take its names out of Redis, and to leave."""


@dataclasses.dataclass(frozen=True, slots=True)
class Limits:
    """Seconds that a serving process gets to leave, beyond that to drain; for which nodes' headers are remembered.

    `workers`: how many serve at once.
    """

    stop: float
    drain: float
    nonces: int = 0
    workers: int = 1


@dataclasses.dataclass(frozen=True, slots=True)
class MainResources:
    """`settings` name the private Redis, if there is one."""

    settings: Settings
    listeners: Sequence[Listener]
    admin: Listener | None = None
    private: PrivateRedis | None = None

    @classmethod
    def open(cls, settings: Settings) -> "MainResources":
        """All that the settings ask for. Raises `AwxfastError`, and leaves nothing open then."""
        endpoints = list_endpoints(settings)
        with contextlib.ExitStack() as resources:
            activated = ActivatedSockets(os.environ)
            listeners = [enter_listener(resources, open_listener(endpoint, activated)) for endpoint in endpoints]
            refuse_open_to_strangers(settings, listeners)
            admin = open_admin(settings.admin)
            if admin is not None:
                enter_listener(resources, admin)
            log.info("Starting server at %s", ", ".join(endpoint.description for endpoint in endpoints))
            settings, private = start_private_redis(resources, settings)
            if private is not None:
                log.info("Private Redis at %s", private.url)
            resources.pop_all()
        return cls(settings, listeners, admin, private)

    @classmethod
    def adopt(cls, settings: Settings, frozen: Mapping[str, Any]) -> "MainResources":
        """What this process's former program had."""
        listeners = [Listener.adopt(one) for one in frozen["listeners"]]
        admin = Listener.adopt(frozen["admin"]) if frozen["admin"] is not None else None
        private = PrivateRedis.adopt(frozen["private"]) if frozen["private"] is not None else None
        if private is not None:
            settings = dataclasses.replace(settings, redis=(private.url,))
        return cls(settings, listeners, admin, private)

    def freeze(self, kept: list[int]) -> dict[str, Any]:
        """What `adopt` needs, as JSON has it; `kept` gets the descriptors."""
        kept += [one.sock.fileno() for one in (*self.listeners, self.admin) if one is not None]
        return {
            "listeners": [listener.freeze() for listener in self.listeners],
            "admin": self.admin.freeze() if self.admin is not None else None,
            "private": self.private.freeze() if self.private is not None else None,
        }

    @property
    def descriptors(self) -> Sequence[int]:
        """The numbers of the sockets that serving processes listen on."""
        return [one.sock.fileno() for one in self.listeners]

    @property
    def limits(self) -> Limits:
        """As the options say."""
        settings = self.settings
        stop = settings.grace + settings.close_spread + STOP_MARGIN
        return Limits(stop, settings.reload_drain, settings.nonce_tolerance, settings.workers)

    def describe(self) -> dict[str, Any]:
        """What a serving process is told of them at its start."""
        return {
            "settings": self.settings.to_json(),
            "listeners": [(one.sock.fileno(), one.backlog, one.tls_files) for one in self.listeners],
        }

    def close(self) -> None:
        """Removes socket files and the private Redis, too."""
        for listener in (*self.listeners, self.admin):
            if listener is not None:
                listener.close()
        if self.private is not None:
            self.private.stop()


def enter_listener(resources: contextlib.ExitStack, listener: Listener) -> Listener:
    """Closes the listener with the rest."""
    resources.callback(listener.close)
    return listener


def refuse_open_to_strangers(settings: Settings, listeners: Sequence[Listener]) -> None:
    """`--auth open` lets everybody in, so only programs of this machine may get as far."""
    if settings.auth == "open" and not all(listener.is_local for listener in listeners):
        raise ConfigurationError("--auth open is for loopback addresses and unix sockets; bind to 127.0.0.1")


def start_private_redis(resources: contextlib.ExitStack, settings: Settings) -> tuple[Settings, PrivateRedis | None]:
    """Starts a Redis when none was given; the settings name it from then on."""
    if settings.redis != ("private",):
        return settings, None
    private = PrivateRedis()
    resources.callback(private.stop)
    return dataclasses.replace(settings, redis=(private.url,)), private
