"""Who answers other nodes: awxfast, the application, or nobody; and with which secrets."""

import dataclasses
import os

from awxfast.errors import ConfigurationError
from awxfast.nodes.awx_settings import NodeSettings
from awxfast.nodes.secret_gate import Gate
from awxfast.settings import Settings
from awxfast.wire.paths import Paths
from awxfast.wire.secret_sources import find_secrets


@dataclasses.dataclass(frozen=True, slots=True)
class NodePlan:
    """Who answers other nodes: `native`, `application` or `off`; what native answers go by."""

    answers: str
    settings: Settings
    application: NodeSettings
    secrets: tuple[str, ...] = dataclasses.field(repr=False)

    @classmethod
    def make(cls, settings: Settings, application: NodeSettings, *, has_layer: bool) -> "NodePlan":
        """`has_layer`: there is a Redis whose groups nodes can be told of. Raises `ConfigurationError`."""
        secrets = find_secrets(settings.secret_files, os.environ, application.secret)
        native = settings.application is None or (bool(secrets) and has_layer)
        answers = settings.node_endpoints or ("native" if native else "application")
        if answers == "native" and not has_layer:
            raise ConfigurationError(
                "--node-endpoints native: the application has no channel layer of channels_redis; "
                "use application or off"
            )
        return cls(answers, settings, application, secrets)

    @property
    def barred_group(self) -> str | None:
        """The group that copies of all events go to, where only links of ours may be in it."""
        return self.application.group if self.answers == "native" else None

    @property
    def announce_in(self) -> str | None:
        """The group in which nodes hear what this process wants; without a secret no node links."""
        return self.application.group if self.answers == "native" and self.secrets else None

    def make_gate(self) -> Gate | None:
        """Checks nodes' headers; None lets nobody in."""
        if not self.secrets:
            return None
        refuses = self.settings.nonce_replay == "refuse"
        return Gate(self.secrets, tolerance=self.settings.nonce_tolerance, refuse_repeats=refuses)

    @property
    def paths(self) -> Paths:
        """The nodes' paths among all."""
        return Paths(self.settings.path_prefix, self.settings.root_path)
