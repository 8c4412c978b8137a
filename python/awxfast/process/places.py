"""What a supervisor knows of the whole that it belongs to: what is so for all processes, and who hears of its own."""

import dataclasses
from collections.abc import Sequence
from typing import Protocol

from awxfast.process.child_handle import ChildHandle


@dataclasses.dataclass(frozen=True, slots=True)
class Surroundings:
    """What is so for all serving processes of a server: seconds that they get to stop, and to drain before that.

    `command`: another program than the server's.
    """

    stop_limit: float
    drain_limit: float = 0.0
    command: Sequence[str] | None = None


class Places(Protocol):
    """Who has all the places, and is told what becomes of the processes there (`process.workers`)."""

    def note_serving(self) -> None:
        """One serves that nobody else has left all to."""

    def note_imported(self, number: int, child: ChildHandle) -> None:
        """One has imported its application, and waits for a word to register."""

    def note_prepared(self, number: int, child: ChildHandle) -> None:
        """One could listen, and waits for a word to."""

    def note_end(self, number: int, child: ChildHandle) -> None:
        """Nothing is left of it but what it had counted."""

    def note_used_header(self, child: ChildHandle, header: str) -> None:
        """It has let in a node by this header."""

    def claim_header(self, child: ChildHandle, header: str) -> None:
        """It asks whether it may let in a node by this header."""

    def list_used_headers(self) -> list[str]:
        """Those that a process must know which starts now."""
