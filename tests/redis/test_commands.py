"""Commands to bytes: the same whether hiredis packs them or, before its 2.1, nobody but we."""

import hiredis
import pytest
from awxfast.redis import commands
from awxfast.redis.commands import Argument, pack
from hypothesis import given
from hypothesis import strategies as st

ARGUMENTS = st.one_of(st.text(), st.binary(), st.integers(), st.floats(allow_nan=False))


class TestPack:
    @given(st.lists(ARGUMENTS, min_size=1, max_size=80))
    def test_bytes_are_those_of_hiredis(self, command: list[Argument]) -> None:
        assert pack(command) == hiredis.pack_command(tuple(command))  # type: ignore[arg-type]

    def test_hiredis_without_a_packer_will_do(self, monkeypatch: pytest.MonkeyPatch) -> None:
        monkeypatch.setattr(commands, "_hiredis_pack", None)
        assert pack(("ZADD", "ä", 1.5, b"\x00")) == b"*4\r\n$4\r\nZADD\r\n$2\r\n\xc3\xa4\r\n$3\r\n1.5\r\n$1\r\n\x00\r\n"
