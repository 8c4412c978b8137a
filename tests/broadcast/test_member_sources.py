"""Which nodes are named by whom. The database's part: `test_postgres`."""

import asyncio
from collections.abc import Coroutine, Iterable
from pathlib import Path
from typing import Any

import pytest
from awxfast.broadcast.awx_settings import AwxSettings
from awxfast.broadcast.member_sources import MemberSources
from awxfast.broadcast.options import parse_settings
from awxfast.broadcast.target import Member
from awxfast.errors import ConfigurationError


class Named:
    """What the sources have said, each its latest."""

    def __init__(self, *words: str) -> None:
        self.members: dict[str, list[Member]] = {}
        self.tasks: list[asyncio.Task[None]] = []
        settings = parse_settings(
            ("--redis", "unix:///r", "--protocol", "http", *words), {}, AwxSettings(secret="secret")
        )
        self.sources = MemberSources(settings, self.set_members)

    def set_members(self, source: str, members: Iterable[Member]) -> None:
        self.members[source] = list(members)

    def run(self, work: Coroutine[Any, Any, None], name: str) -> None:
        self.tasks.append(asyncio.ensure_future(work))

    async def follow(self) -> None:
        await self.sources.follow(self.run)
        for task in self.tasks:
            task.cancel()
        await asyncio.gather(*self.tasks, return_exceptions=True)

    def names(self, source: str) -> list[str]:
        return [member.name for member in self.members[source]]


async def test_flags_and_the_file_name_them(tmp_path: Path) -> None:
    file = tmp_path / "peers"
    file.write_text("web-2\nweb-3\n")
    named = Named("--peer", "web-1", "--peers-file", str(file))
    await named.follow()
    assert (named.names("flags"), named.names("file")) == (["web-1"], ["web-2", "web-3"])
    assert not named.sources.are_none


async def test_nobody_is_named_where_nothing_is_given() -> None:
    named = Named()
    await named.follow()
    assert (named.members, named.sources.are_none) == ({"flags": []}, True)


async def test_file_is_read_again_at_the_word_and_stays_where_it_has_a_fault(tmp_path: Path) -> None:
    file = tmp_path / "peers"
    file.write_text("web-2\n")
    named = Named("--peers-file", str(file))
    await named.follow()
    file.write_text("web-4\n")
    named.sources.reload()
    assert named.names("file") == ["web-4"]
    file.unlink()
    named.sources.reload()
    assert named.names("file") == ["web-4"]


async def test_file_that_is_not_there_at_the_start_is_a_configuration_error(tmp_path: Path) -> None:
    with pytest.raises(ConfigurationError, match="--peers-file"):
        await Named("--peers-file", str(tmp_path / "nowhere")).follow()


def test_another_process_dials_the_databases_instances_before_it_has_asked() -> None:
    frozen = Named().sources.freeze([Member("web-1", "192.0.2.1", 8052)])
    assert frozen == {"instances": [("web-1", "192.0.2.1", 8052)], "heartbeats": None}
    heir = Named()
    heir.sources.inherit(frozen)
    assert heir.members == {"instances": [Member("web-1", "192.0.2.1", 8052)]}
