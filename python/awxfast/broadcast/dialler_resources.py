"""What the dialler's main process has as long as it lives: where operators look, and the settings."""

import dataclasses
from collections.abc import Mapping, Sequence
from typing import Any

from awxfast.broadcast.options import DiallerSettings
from awxfast.process.listeners import Listener, open_admin
from awxfast.process.main_resources import Limits

LIMITS = Limits(stop=10.0, drain=15.0)
"""More than all that a dialler's end waits for, and more than `program.DRAIN_SECONDS`."""


@dataclasses.dataclass(frozen=True, slots=True)
class DiallerResources:
    """As `process.main_resources.MainResources`, of a program that listens nowhere else."""

    settings: DiallerSettings
    admin: Listener | None

    listeners: Sequence[Listener] = ()
    private: None = None
    limits: Limits = LIMITS

    @classmethod
    def open(cls, settings: DiallerSettings) -> "DiallerResources":
        """Opens the admin listener. Raises `AwxfastError`."""
        return cls(settings, open_admin(settings.admin))

    @classmethod
    def adopt(cls, settings: DiallerSettings, frozen: Mapping[str, Any]) -> "DiallerResources":
        """The one that this process's former program had."""
        return cls(settings, Listener.adopt(frozen["admin"]) if frozen["admin"] is not None else None)

    def freeze(self, kept: list[int]) -> dict[str, Any]:
        """What `adopt` needs, as JSON has it; `kept` gets the descriptors."""
        if self.admin is not None:
            kept.append(self.admin.sock.fileno())
        return {"admin": self.admin.freeze() if self.admin is not None else None}

    descriptors: Sequence[int] = ()

    def describe(self) -> dict[str, Any]:
        """What a child is told at its start."""
        return {"settings": self.settings.to_json()}

    def close(self) -> None:
        """Removes the socket's file, too."""
        if self.admin is not None:
            self.admin.close()
