"""Who says which nodes there are: options, a file, the database, and heartbeats there."""

import asyncio
import contextlib
from collections.abc import Callable, Coroutine, Iterable, Mapping
from typing import Any

from awxfast.broadcast.options import DiallerSettings
from awxfast.broadcast.peers_file import PeersFile
from awxfast.broadcast.postgres import PostgresMembers
from awxfast.broadcast.target import Member

SOURCES = ("flags", "file", "heartbeats", "instances")
"""Who says where a peer lives, the first that knows it."""
BY_TRUST = ("flags", "file", "instances", "heartbeats")
"""Whose peers are dialled when there are too many: whoever may NOTIFY can invent any number of heartbeats."""
FIRST_LOOK = 3.0
"""Seconds that the database gets before the start-up line counts the peers without it."""

SetMembers = Callable[[str, Iterable[Member]], None]
Run = Callable[[Coroutine[Any, Any, None], str], None]


class MemberSources:
    """Calls `set_members` with what each source says, whenever that changes. Raises `ConfigurationError`."""

    def __init__(self, settings: DiallerSettings, set_members: SetMembers) -> None:
        self._flags = settings.peers
        self._set = set_members
        self._file = PeersFile(settings.peers_file, settings.port) if settings.peers_file else None
        self._postgres = self._make_postgres(settings)

    def _make_postgres(self, settings: DiallerSettings) -> PostgresMembers | None:
        if settings.postgres is None:
            return None
        return PostgresMembers(
            settings.postgres,
            settings.port,
            settings.era,
            lambda members: self._set("instances", members),
            lambda members: self._set("heartbeats", members),
        )

    @property
    def are_none(self) -> bool:
        """Whether nobody will ever be named."""
        return not self._flags and self._file is None and self._postgres is None

    async def follow(self, run: Run) -> None:
        """From now on. `run` keeps up what has no end, by its name."""
        self._set("flags", self._flags)
        if self._file is not None:
            self._set("file", self._file.read())
            run(self._file.follow(self._set_those_of_file), "peers' file")
        if self._postgres is not None:
            run(self._postgres.run(), "database")
            with contextlib.suppress(TimeoutError):
                async with asyncio.timeout(FIRST_LOOK):
                    await self._postgres.first_look.wait()

    def _set_those_of_file(self, members: Iterable[Member]) -> None:
        self._set("file", members)

    def reload(self) -> None:
        """Reads the file again; one with a fault stays as it was."""
        if self._file is not None:
            self._file.reload(self._set_those_of_file)

    # From one process to the next

    def freeze(self, instances: Iterable[Member]) -> dict[str, Any]:
        """What the database has said, as JSON has it; `instances`: those of its members that may be dialled."""
        heartbeats = self._postgres.freeze() if self._postgres is not None else None
        return {"instances": [(one.name, one.host, one.port) for one in instances], "heartbeats": heartbeats}

    def inherit(self, frozen: Mapping[str, Any]) -> None:
        """What `freeze` gave in the process before this one, before `follow`."""
        self._set("instances", [Member(*one) for one in frozen["instances"]])
        if self._postgres is not None and frozen["heartbeats"] is not None:
            self._postgres.inherit(frozen["heartbeats"])
