"""The way in to one Redis whose place is known, in code that may block: a socket, TLS around it, and who we are."""

import contextlib
import socket
from collections.abc import Callable
from typing import Any

import hiredis

from awxfast.redis.address import RedisAddress
from awxfast.redis.credentials import find_credentials_blocking
from awxfast.redis.dialling import keep_alive, list_choices, list_courtesies, wants_password_alone

PATIENCE = 5.0
"""Seconds that Redis may take to connect, or to answer, unless its address says otherwise."""

Ask = Callable[..., Any]
"""Takes the words of a command, gives the reply, raises `hiredis.ReplyError`."""


def open_socket(address: RedisAddress) -> socket.socket:
    """Connects. Raises `OSError`, and `ConfigurationError` for files of TLS that can't be used."""
    seconds = address.connect_seconds or PATIENCE
    if address.path is not None:
        return open_unix(address.path, seconds)
    connected = socket.create_connection((address.host, address.port), seconds)
    try:
        connected.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        keep_alive(connected, address)
        context = address.ssl_context()
        return context.wrap_socket(connected, server_hostname=address.host) if context is not None else connected
    except BaseException:
        connected.close()
        raise


def open_unix(path: str, seconds: float) -> socket.socket:
    """Connects to a socket file. Raises `OSError`."""
    connected = socket.socket(socket.AF_UNIX)
    connected.settimeout(seconds)
    try:
        connected.connect(path)
    except OSError:
        connected.close()
        raise
    return connected


def get_in(ask: Ask, address: RedisAddress) -> None:
    """Says who we are, and which database is meant. Raises `RedisUnavailable` when a provider fails."""
    log_in(ask, find_credentials_blocking(address))
    for words in list_choices(address):
        ask(*words)
    for words in list_courtesies(address):
        with contextlib.suppress(hiredis.ReplyError):
            ask(*words)


def log_in(ask: Ask, credentials: tuple[str, ...]) -> None:
    """By name and password, or the password alone."""
    if not credentials:
        return
    try:
        ask("AUTH", *credentials)
    except hiredis.ReplyError as error:
        if not wants_password_alone(credentials, error):
            raise
        ask("AUTH", credentials[-1])
