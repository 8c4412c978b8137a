"""Who we are for NATS, and its TLS: what an address says of it."""

import dataclasses
import ssl
from pathlib import Path
from typing import Any

import nkeys
from nats.aio.client import RawCredentials

from awxfast.engine.address import EngineAddress
from awxfast.errors import ConfigurationError
from awxfast.redis.tls import TLS_NAMES, TlsOptions, read_tls
from awxfast.redis.wrong_option import WrongOption

SECRETS = ("creds", "nkey", "token_file")
"""Options that name a file with what proves who we are."""
LARGEST_SECRET = 65_536
"""Bytes of such a file."""
CREDS_PARTS = ("BEGIN NATS USER JWT", "BEGIN USER NKEY SEED")


@dataclasses.dataclass(frozen=True, slots=True, kw_only=True)
class NatsOptions:
    """Files are read anew for each connection. `tls` None: what the server asks for, by the machine's authorities."""

    username: str | None = dataclasses.field(default=None, repr=False)
    password: str | None = dataclasses.field(default=None, repr=False)
    secret: tuple[str, Path] | None = None
    """One of `SECRETS` and its file."""
    tls: TlsOptions | None = None

    @classmethod
    def of(cls, address: EngineAddress) -> "NatsOptions":
        """Raises `ConfigurationError`, also for a file that can't be used now."""
        given = dict(address.options)
        secrets = {name: given.pop(name) for name in SECRETS if name in given}
        if unknown := sorted(given.keys() - TLS_NAMES):
            known = ", ".join((*SECRETS, "prefix"))
            raise ConfigurationError(f"--engine: NATS has no option {unknown[0]!r:.50}; it has {known} and ssl_*")
        if len(secrets) + (address.username is not None) > 1:
            raise ConfigurationError(f"--engine: a user, {', '.join(SECRETS)}: one of them says who we are")
        options = cls(
            username=address.username,
            password=address.password,
            secret=next(((name, Path(file)) for name, file in secrets.items()), None),
            tls=_read_tls(given) if given or address.tls else None,
        )
        options.read_login()
        options.make_tls()
        return options

    def read_login(self) -> dict[str, Any]:
        """As nats-py's `connect` takes it. Raises `ConfigurationError`, whose text has nothing out of the file."""
        if self.secret is not None:
            name, file = self.secret
            return READERS[name](name, _read_file(name, file))
        if self.username is not None and self.password is None:
            return {"token": self.username}
        return {"user": self.username, "password": self.password} if self.username is not None else {}

    def make_tls(self) -> ssl.SSLContext | None:
        """For one connection; None: as the server asks. Raises `ConfigurationError`."""
        return None if self.tls is None else self.tls.context()


def _read_tls(options: dict[str, str]) -> TlsOptions:
    try:
        return read_tls(options)
    except WrongOption as error:
        raise ConfigurationError(f"--engine: {error}") from error


def _read_file(name: str, file: Path) -> str:
    try:
        with file.open("rb") as opened:
            return opened.read(LARGEST_SECRET).decode("ascii").strip().replace("\r\n", "\n")
    except (OSError, ValueError) as error:
        reason = error.strerror if isinstance(error, OSError) else "it is no text"
        raise ConfigurationError(f"--engine: {name}={file} can't be read: {reason}") from error


def _read_token(name: str, text: str) -> dict[str, Any]:
    if not text:
        raise ConfigurationError(f"--engine: the file of {name} is empty")
    return {"token": text}


def _read_creds(name: str, text: str) -> dict[str, Any]:
    """nats-py would look for a missing part of it for ever."""
    if not all(part in text for part in CREDS_PARTS):
        raise ConfigurationError(f"--engine: the file of {name} is none of NATS' credentials: it has {CREDS_PARTS}")
    _check_seed(name, text.partition(CREDS_PARTS[1])[2].partition("\n")[2].partition("\n")[0])
    return {"user_credentials": RawCredentials(text)}


def _read_nkey(name: str, text: str) -> dict[str, Any]:
    _check_seed(name, text)
    return {"nkeys_seed_str": text}


def _check_seed(name: str, seed: str) -> None:
    try:
        nkeys.from_seed(bytearray(seed.strip().encode())).wipe()
    except Exception as error:
        raise ConfigurationError(
            f"--engine: the file of {name} has no seed of an nkey, which begins with SU"
        ) from error


READERS = {"creds": _read_creds, "nkey": _read_nkey, "token_file": _read_token}
