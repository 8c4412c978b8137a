"""The keys of a channel layer whose entries are encrypted, and where they come from.

Sources in this order: `--encryption-key-file` (one key a line), `symmetric_encryption_keys` of CHANNEL_LAYERS.
"""

from collections.abc import Iterable, Mapping, Sequence
from typing import Any

from awxfast.errors import ConfigurationError
from awxfast.system.plain_file import read_plain_file

SETTING = "symmetric_encryption_keys"
"""The name of the keys among channels_redis' options."""


class EncryptionKeys:
    """A process's keys, the one to encrypt with first; none: nothing is encrypted. They are never printed."""

    def __init__(self, files: Sequence[str], of_layer: Sequence[bytes] = ()) -> None:
        """`of_layer`: those of CHANNEL_LAYERS, which count where there are no files. Raises `ConfigurationError`."""
        self._files = tuple(files)
        self.values = read_key_files(files) or tuple(of_layer)

    def reload(self) -> bool:
        """Reads the files again; whether they have other keys now. Raises `ConfigurationError`."""
        if not self._files:
            return False
        former, self.values = self.values, read_key_files(self._files)
        return self.values != former


def read_key_files(files: Iterable[str]) -> tuple[bytes, ...]:
    """The keys of all files, in their order. Raises `ConfigurationError`, which never repeats a key."""
    return tuple(key for file in files for key in read_key_file(file))


def read_key_file(file: str) -> list[bytes]:
    """One key a line; lines of nothing but blanks are none."""
    try:
        data = read_plain_file(file)
    except OSError as error:
        raise ConfigurationError(f"--encryption-key-file {file}: {error.strerror}") from error
    keys = [line for line in data.replace(b"\r\n", b"\n").split(b"\n") if line.strip()]
    if not keys:
        raise ConfigurationError(f"--encryption-key-file {file}: there is no key in it; put one on a line")
    return keys


def read_configured_keys(alias: str, configuration: Mapping[str, Any]) -> tuple[bytes, ...]:
    """Those of one layer of CHANNEL_LAYERS. Raises `ConfigurationError` for what channels_redis would refuse."""
    keys = configuration.get(SETTING) or ()
    if isinstance(keys, str | bytes) or not all(isinstance(key, str | bytes) for key in keys):
        raise ConfigurationError(f"CHANNEL_LAYERS: {SETTING} of {alias} must be a list of texts")
    return tuple(key.encode() if isinstance(key, str) else key for key in keys)
