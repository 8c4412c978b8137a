"""What a process reads, by what it is told of the keys."""

import asyncio
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest
from awxfast._rust import EntryFormat
from awxfast.app.feed import LayerFeed
from awxfast.errors import ConfigurationError
from awxfast.nodes.engine_feed import NoEngine
from awxfast.wire.encryption_keys import EncryptionKeys


class Replaced:
    """A hosted layer that counts how often it is given keys."""

    given = 0

    def use_keys(self) -> None:
        self.given += 1


def make_feed(entry_format: EntryFormat, keys: EncryptionKeys, replaced: Any) -> LayerFeed:
    caught_up = SimpleNamespace(tell=lambda: None)
    intake: Any = SimpleNamespace(parts=[], failed=asyncio.Event(), caught_up=caught_up, entry_format=entry_format)
    nobody: Any = None
    return LayerFeed(intake, nobody, keys, NoEngine(), replaced, nobody, keeps_names=False)


class TestKeys:
    def test_other_ones_in_the_file_count_for_what_is_read_and_for_what_is_sent(self, tmp_path: Path) -> None:
        file = tmp_path / "keys"
        file.write_text("old")
        keys = EncryptionKeys([str(file)])
        entry_format, replaced = EntryFormat(keys=keys.values), Replaced()
        feed = make_feed(entry_format, keys, replaced)
        file.write_text("new")
        feed.reload_keys()
        assert replaced.given == 1
        assert EntryFormat(keys=[b"new"]).open(entry_format.seal(b"body")) == b"body"

    def test_same_ones_and_a_file_with_a_fault_leave_the_applications_layer_alone(self, tmp_path: Path) -> None:
        file = tmp_path / "keys"
        file.write_text("old")
        keys, replaced = EncryptionKeys([str(file)]), Replaced()
        feed = make_feed(EntryFormat(keys=keys.values), keys, replaced)
        feed.reload_keys()
        file.write_text("")
        with pytest.raises(ConfigurationError):
            feed.reload_keys()
        assert replaced.given == 0

    def test_layer_without_keys_is_left_alone(self) -> None:
        replaced = Replaced()
        make_feed(EntryFormat(), EncryptionKeys([]), replaced).reload_keys()
        assert replaced.given == 0
