"""What servers of a cluster say of it."""

import contextlib
from typing import Any

import pytest
from awxfast.engine.cluster_map import SLOTS, Redirection, find_slot, read_redirection, read_view
from awxfast.errors import RedisReplyError
from hypothesis import given
from hypothesis import strategies as st

INFO = b"cluster_state:ok\r\ncluster_current_epoch:7\r\ncluster_my_epoch:2\r\n"
ASKED = ("asked", 1)


def server(host: bytes | None, port: int) -> list[Any]:
    return [host, port, b"id", []]


class TestSlots:
    @pytest.mark.parametrize(("channel", "slot"), [(b"foo", 12_182), (b"123456789", 12_739), (b"a{foo}b", 12_182)])
    def test_as_redis_counts_them(self, channel: bytes, slot: int) -> None:
        assert find_slot(channel) == slot


class TestViews:
    def test_owner_of_each_slot_and_all_servers(self) -> None:
        slots = [[0, 99, server(b"a", 1), server(b"b", 2)], [100, 100, server(b"::1", 3)]]
        view = read_view(INFO, slots, ASKED)
        assert view.epoch == 7
        assert {view.owners[slot] for slot in range(100)} == {("a", 1)}
        assert view.owners[100:102] == (("::1", 3), None)
        assert view.servers == {("a", 1), ("b", 2), ("::1", 3)}

    @pytest.mark.parametrize("host", [None, b"", b"?"])
    def test_host_that_is_not_named_is_the_one_that_was_asked(self, host: bytes | None) -> None:
        assert read_view(INFO, [[0, 5, server(host, 9)]], ASKED).owners[5] == ("asked", 9)

    def test_server_without_a_port_owns_nothing(self) -> None:
        assert read_view(INFO, [[0, 5, server(b"a", 0)]], ASKED).owners[5] is None

    @pytest.mark.parametrize(
        "slots",
        [
            None,
            [None],
            [[0, 1]],
            [[0, SLOTS, server(b"a", 1)]],
            [[5, 4, server(b"a", 1)]],
            [[-1, 4, server(b"a", 1)]],
            [[0, 1, b"a"]],
            [[0, 1, [b"a", b"1"]]],
            [[0, 1, [7, 1]]],
            [[0, 1, server(b"a\nb", 1)]],
            [[0, 1, server(b"a" * 300, 1)]],
            [[0, 1, server(b"a", 1), *(server(b"%d" % number, 1) for number in range(1_001))]],
            [[0, 1, *[server(b"a", 1)] * 1_001]],
            [[0, SLOTS - 1, server(b"a", 1)], [5, 5, server(b"b", 1)]],
        ],
    )
    def test_what_makes_no_sense_is_refused(self, slots: Any) -> None:
        with pytest.raises(ValueError, match=r"no |too many|twice"):
            read_view(INFO, slots, ASKED)

    def test_view_needs_an_epoch(self) -> None:
        with pytest.raises(ValueError, match="no cluster"):
            read_view(b"cluster_state:ok\r\n", [], ASKED)

    replies = st.recursive(
        st.none() | st.binary(max_size=9) | st.integers(), lambda inner: st.lists(inner, max_size=4), max_leaves=20
    )

    @given(info=replies, slots=replies)
    def test_anything_is_a_view_or_refused(self, info: Any, slots: Any) -> None:
        for said in (info, INFO):
            with contextlib.suppress(ValueError):
                assert len(read_view(said, slots, ASKED).owners) == SLOTS


class TestRedirections:
    @pytest.mark.parametrize(
        ("text", "expected"),
        [
            ("MOVED 3999 10.0.0.1:6381", Redirection(3999, ("10.0.0.1", 6381), once=False)),
            ("MOVED 3999 ::1:6381", Redirection(3999, ("::1", 6381), once=False)),
            ("MOVED 3999 :6381", Redirection(3999, ("asked", 6381), once=False)),
            ("MOVED 3999 ?:6381", Redirection(3999, ("asked", 6381), once=False)),
            ("ASK 0 name:1", Redirection(0, ("name", 1), once=True)),
            ("MOVED 16384 a:1", None),
            ("MOVED -1 a:1", None),
            ("MOVED 1 a:0", None),
            ("MOVED 1 a:65536", None),
            ("MOVED 1 a", None),
            ("MOVED 1", None),
            ("MOVED", None),
            ("ERR MOVED 1 a:1", None),
        ],
    )
    def test_are_followed_where_they_make_sense(self, text: str, expected: Redirection | None) -> None:
        assert read_redirection(RedisReplyError(text), ASKED) == expected
