"""systemd's socket activation (sd_listen_fds(3)): listening sockets that the process was started with."""

import os
from collections.abc import MutableMapping

from awxfast.errors import ConfigurationError

FIRST_DESCRIPTOR = 3


class ActivatedSockets:
    """Their descriptors by index and by name. The variables are taken out of `environ`: they are not the children's."""

    def __init__(self, environ: MutableMapping[str, str]) -> None:
        count = environ.pop("LISTEN_FDS", "")
        names = environ.pop("LISTEN_FDNAMES", "").split(":")
        is_meant = environ.pop("LISTEN_PID", "") == str(os.getpid()) and count.isdigit()
        self._count = int(count) if is_meant else 0
        self._names = names[: self._count]

    def find(self, index: int | None, name: str) -> int:
        """The descriptor of one. Raises `ConfigurationError` when it is not there."""
        if index is None and name in self._names:
            index = self._names.index(name)
        if index is None or index >= self._count:
            wanted = f"named {name}" if index is None else f"with index {index}"
            raise ConfigurationError(
                f"systemd has passed {self._count} sockets, none {wanted}; start the .socket unit, or mend its entries"
            )
        return FIRST_DESCRIPTOR + index
