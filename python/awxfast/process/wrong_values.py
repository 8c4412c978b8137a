"""What an option says that no server can do: found before anything is started, and by `--check` all at once."""

import os

from awxfast.engine.open_carrier import open_carrier
from awxfast.http.access_log import check_log_file
from awxfast.native.auth_option import check_auth
from awxfast.redis.address import RedisAddress
from awxfast.settings import Settings
from awxfast.wire.encryption_keys import read_key_files
from awxfast.wire.forwarded import read_networks
from awxfast.wire.secret_sources import find_secrets


def refuse_wrong_values(settings: Settings) -> None:
    """Raises `ConfigurationError` for the first."""
    for check in VALUE_CHECKS:
        check(settings)


def check_redis_urls(settings: Settings) -> None:
    """Whether each could be a server's address."""
    for url in settings.redis:
        if url != "private":
            RedisAddress.parse(url)


def check_trusted_proxies(settings: Settings) -> None:
    """Whether they are addresses and networks."""
    read_networks(settings.trusted_proxies)


def check_secret_files(settings: Settings) -> None:
    """Whether each can be read and holds a secret."""
    find_secrets(settings.secret_files, os.environ)


def check_key_files(settings: Settings) -> None:
    """Whether each can be read and holds a key."""
    read_key_files(settings.encryption_key_files)


def check_engine(settings: Settings) -> None:
    """Whether its options can be obeyed, and its client is installed."""
    if settings.engine is not None:
        open_carrier(settings.engine)


VALUE_CHECKS = (
    check_redis_urls,
    check_trusted_proxies,
    check_secret_files,
    check_key_files,
    check_auth,
    check_engine,
    check_log_file,
)
"""Each raises `ConfigurationError` for its own option."""
