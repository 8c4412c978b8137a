"""Where the nodes' shared secret comes from. Who checks what is signed with it is `nodes/secret_gate`.

Sources in this order: `--secret-file` (several while it is changed), AWXFAST_SECRET, the application's own settings.
"""

from collections.abc import Iterable, Mapping

from awxfast.errors import ConfigurationError
from awxfast.settings import SECRET_VARIABLE
from awxfast.system.plain_file import read_plain_file

SETTING = "BROADCAST_WEBSOCKET_SECRET"
"""The name of the secret in AWX's settings."""


def find_secrets(files: Iterable[str], environ: Mapping[str, str], of_application: str = "") -> tuple[str, ...]:
    """All secrets that are accepted, the one to send first. An empty variable or setting is none.

    Raises `ConfigurationError`, which never repeats a secret.
    """
    from_files = tuple(read_secret_file(file) for file in files)
    if from_files:
        return from_files
    if environ.get(SECRET_VARIABLE):
        return (refuse_blank(SECRET_VARIABLE, environ[SECRET_VARIABLE]),)
    return (refuse_blank(SETTING, of_application),) if of_application else ()


def read_secret_file(file: str) -> str:
    """The file's bytes, less one line end, which editors add."""
    try:
        return refuse_blank(f"--secret-file {file}", strip_line_end(read_plain_file(file)).decode())
    except OSError as error:
        raise ConfigurationError(f"--secret-file {file}: {error.strerror}") from error
    except UnicodeDecodeError:
        raise ConfigurationError(f"--secret-file {file}: it is not UTF-8") from None


def refuse_blank(place: str, secret: str) -> str:
    """The secret. One that anybody could guess is a file that went wrong."""
    if not secret.strip():
        raise ConfigurationError(f"{place}: the secret is empty, or nothing but blanks and line ends; put one in")
    return secret


def strip_line_end(data: bytes) -> bytes:
    """Without the line end at the end, if there is one; of several all but the last are the secret's."""
    return data.removesuffix(b"\n").removesuffix(b"\r") if data.endswith(b"\n") else data
