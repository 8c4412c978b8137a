"""The certificate and key of a TLS listener."""

import ssl
from pathlib import Path

from awxfast.errors import ConfigurationError


class Certificate:
    """`context` is what connections are accepted with; files are PEM, the certificate's with its chain behind it.

    Raises `ConfigurationError`, which names the file that can't be used.
    """

    def __init__(self, certificate: str, private_key: str) -> None:
        self._files = (certificate, private_key)
        self.context = load_context(certificate, private_key)

    def reload(self) -> None:
        """Reads the files again, for connections from now on; what has a fault changes nothing."""
        load_context(*self._files)
        self.context.load_cert_chain(*self._files, password=no_password)


def load_context(certificate: str, private_key: str) -> ssl.SSLContext:
    """TLS 1.2 and later, and HTTP/1.1 for those who ask for it by ALPN (RFC 7301)."""
    for name, path in (("certKey", certificate), ("privateKey", private_key)):
        check_readable(name, path)
    context = ssl.create_default_context(ssl.Purpose.CLIENT_AUTH)
    context.minimum_version = ssl.TLSVersion.TLSv1_2
    context.options |= ssl.OP_NO_RENEGOTIATION
    context.set_alpn_protocols(["http/1.1"])
    try:
        context.load_cert_chain(certificate, private_key, password=no_password)
    except (ssl.SSLError, ValueError) as error:
        raise ConfigurationError(describe_wrong_files(certificate, private_key, error)) from error
    return context


def no_password() -> bytes:
    """For an encrypted key: without this OpenSSL would ask at the terminal."""
    return b""


def check_readable(name: str, path: str) -> None:
    """OpenSSL's errors do not say which file is meant."""
    try:
        Path(path).open("rb").close()
    except OSError as error:
        raise ConfigurationError(f"{name}={path}: {error.strerror}; give a PEM file that can be read") from error


def describe_wrong_files(certificate: str, private_key: str, error: Exception) -> str:
    """Which of the two is to blame. OpenSSL reads certificates to trust as it reads those to show."""
    try:
        ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT).load_verify_locations(certificate)
    except ssl.SSLError:
        return f"certKey={certificate}: there is no certificate in it; give a PEM file"
    if isinstance(error, ssl.SSLError) and error.reason == "KEY_VALUES_MISMATCH":
        return f"privateKey={private_key}: it is not the key of {certificate}; give the one that is"
    return f"privateKey={private_key}: there is no key in it, or one with a password; give a PEM file without"
