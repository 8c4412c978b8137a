"""TLS to a Redis as redis-py's options `ssl_*` describe it."""

import dataclasses
import ssl
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any

from awxfast.errors import ConfigurationError
from awxfast.redis.option_values import read_flag, read_text
from awxfast.redis.wrong_option import WrongOption

CERT_REQS = {"none": ssl.CERT_NONE, "optional": ssl.CERT_OPTIONAL, "required": ssl.CERT_REQUIRED}

OCSP = ("ssl_validate_ocsp", "ssl_validate_ocsp_stapled", "ssl_ocsp_context", "ssl_ocsp_expected_cert")
"""Of redis-py's synchronous client; Python's own TLS knows nothing of it."""


@dataclasses.dataclass(frozen=True, slots=True, kw_only=True)
class TlsOptions:
    """Beside the authorities that the machine trusts those of `ca_*` are trusted; files are PEM and read at each use.

    `own`: a context that the site has made itself; the rest means nothing then.
    """

    cert_reqs: ssl.VerifyMode = ssl.CERT_REQUIRED
    check_hostname: bool = True
    ca_certs: str | None = None
    ca_path: str | None = None
    ca_data: str | bytes | None = dataclasses.field(default=None, repr=False)
    certfile: str | None = None
    keyfile: str | None = None
    password: str | bytes | None = dataclasses.field(default=None, repr=False)
    min_version: ssl.TLSVersion | None = None
    ciphers: str | None = None
    include_verify_flags: tuple[ssl.VerifyFlags, ...] = ()
    exclude_verify_flags: tuple[ssl.VerifyFlags, ...] = ()
    own: ssl.SSLContext | None = None

    def context(self) -> ssl.SSLContext:
        """For one connection. Raises `ConfigurationError`, which names the option whose file can't be used."""
        if self.own is not None:
            return self.own
        context = ssl.create_default_context()
        context.check_hostname = self.check_hostname and self.cert_reqs != ssl.CERT_NONE
        context.verify_mode = self.cert_reqs
        for flag in self.include_verify_flags:
            context.verify_flags |= flag
        for flag in self.exclude_verify_flags:
            context.verify_flags &= ~flag
        self._show_certificate(context)
        self._trust(context)
        if self.min_version is not None:
            context.minimum_version = self.min_version
        if self.ciphers is not None:
            attempt("ssl_ciphers", "no cipher of that list is known here", context.set_ciphers, self.ciphers)
        return context

    def _show_certificate(self, context: ssl.SSLContext) -> None:
        if self.certfile is None:
            return
        check_readable("ssl_certfile", self.certfile)
        if self.keyfile is not None:
            check_readable("ssl_keyfile", self.keyfile)
        attempt(
            f"ssl_certfile={self.certfile}, ssl_keyfile={self.keyfile or self.certfile}",
            "they are no certificate and its key in PEM, or ssl_password is not the key's",
            context.load_cert_chain,
            self.certfile,
            self.keyfile,
            self.password or no_password,
        )

    def _trust(self, context: ssl.SSLContext) -> None:
        if self.ca_certs is not None:
            check_readable("ssl_ca_certs", self.ca_certs)
            wrong = "is not a readable PEM file"
            attempt(f"ssl_ca_certs={self.ca_certs}", wrong, context.load_verify_locations, self.ca_certs)
        if self.ca_path is not None:
            if not Path(self.ca_path).is_dir():
                raise ConfigurationError(f"ssl_ca_path={self.ca_path} is not a folder")
            context.load_verify_locations(capath=self.ca_path)
        if self.ca_data is not None:
            attempt("ssl_ca_data", "it is no certificate", context.load_verify_locations, None, None, self.ca_data)


def no_password() -> bytes:
    """For an encrypted key: without this OpenSSL would ask at the terminal."""
    return b""


def check_readable(name: str, path: str) -> None:
    """OpenSSL's errors do not say which file is meant."""
    try:
        Path(path).open("rb").close()
    except (OSError, ValueError) as error:
        reason = error.strerror if isinstance(error, OSError) else "no path"
        raise ConfigurationError(f"{name}={path} is not a readable PEM file: {reason}") from error


def attempt(name: str, wrong: str, step: Callable[..., object], *arguments: object) -> None:
    """Does one step. Raises `ConfigurationError`."""
    try:
        step(*arguments)
    except (ssl.SSLError, ValueError, TypeError) as error:
        raise ConfigurationError(f"{name}: {wrong}") from error


def read_tls(options: Mapping[str, Any]) -> TlsOptions:
    """From the options `ssl_*` of a host. Raises `WrongOption`."""
    if asked := [name for name in OCSP if options.get(name)]:
        raise WrongOption(f"{asked[0]}: OCSP is not built; leave it out")
    given = {name: value for name, value in options.items() if name not in OCSP and value is not None}
    if "ssl_cert_reqs" in options and options["ssl_cert_reqs"] is None:
        given["ssl_cert_reqs"] = ssl.CERT_NONE
    tls = TlsOptions(**{name.removeprefix("ssl_"): READERS[name](name, value) for name, value in given.items()})
    if tls.keyfile is not None and tls.certfile is None:
        raise WrongOption("ssl_keyfile is the key of an ssl_certfile; give that, too")
    return tls


def read_cert_reqs(name: str, value: Any) -> ssl.VerifyMode:
    """A word, or Python's constant."""
    if isinstance(value, str) and value in CERT_REQS:
        return CERT_REQS[value]
    if isinstance(value, ssl.VerifyMode):
        return value
    raise WrongOption(f"{name} is required, optional or none")


def read_version(name: str, value: Any) -> ssl.TLSVersion:
    """Python's constant, or its number."""
    try:
        return ssl.TLSVersion(int(value))
    except (TypeError, ValueError) as error:
        raise WrongOption(f"{name} is one of ssl.TLSVersion, such as 771 for TLS 1.2 and 772 for 1.3") from error


def read_verify_flags(name: str, value: Any) -> tuple[ssl.VerifyFlags, ...]:
    """A list of Python's constants, or their names with commas between, in brackets or not."""
    if isinstance(value, str):
        value = [part.strip() for part in value.strip("[]").split(",")]
    try:
        return tuple(ssl.VerifyFlags[one] if isinstance(one, str) else ssl.VerifyFlags(one) for one in value)
    except (KeyError, TypeError, ValueError) as error:
        raise WrongOption(f"{name} is a list of ssl.VerifyFlags, such as VERIFY_X509_STRICT") from error


def read_bytes_or_text(name: str, value: Any) -> str | bytes:
    """As Python's `ssl` takes it."""
    if isinstance(value, bytes):
        return value
    return read_text(name, value)


def read_path(name: str, value: Any) -> str:
    """The path of a file or folder."""
    return read_text(name, str(value) if isinstance(value, Path) else value)


READERS: Mapping[str, Callable[[str, Any], Any]] = {
    "ssl_cert_reqs": read_cert_reqs,
    "ssl_check_hostname": read_flag,
    "ssl_ca_certs": read_path,
    "ssl_ca_path": read_path,
    "ssl_ca_data": read_bytes_or_text,
    "ssl_certfile": read_path,
    "ssl_keyfile": read_path,
    "ssl_password": read_bytes_or_text,
    "ssl_min_version": read_version,
    "ssl_ciphers": read_text,
    "ssl_include_verify_flags": read_verify_flags,
    "ssl_exclude_verify_flags": read_verify_flags,
}
"""Every option about TLS that is obeyed, by its reader."""

TLS_NAMES = frozenset((*READERS, *OCSP))
