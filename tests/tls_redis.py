"""A Redis that is reached by TLS alone, and what makes a client trust it."""

from collections.abc import Callable
from pathlib import Path
from typing import Any

from certificates import SelfSigned
from redis_servers import RedisServer, free_port


class TlsRedis:
    """One that does not ask for a client's certificate."""

    def __init__(self, start: Callable[..., RedisServer], folder: Path) -> None:
        self.certificate, key = SelfSigned(folder).files
        self.port = free_port()
        self.server = start(
            *("--tls-port", str(self.port), "--tls-cert-file", self.certificate, "--tls-key-file", key),
            *("--tls-auth-clients", "no"),
        )

    @property
    def url(self) -> str:
        return f"rediss://localhost:{self.port}?ssl_ca_certs={self.certificate}"

    @property
    def host(self) -> dict[str, Any]:
        """As an entry of `hosts`."""
        return {"address": f"rediss://localhost:{self.port}", "ssl_ca_certs": self.certificate}
