"""The names of a process on several Redis."""

import pytest
from awxfast.intake.host_names import make_names
from awxfast.wire.host_choice import MOST_HOSTS
from channels_redis.utils import _consistent_hash

TOKEN = "3f1c0a9be2d44c7f8a6b5d4e3c2b1a00"


class TestSeveralHosts:
    @pytest.mark.parametrize("hosts", [2, 3, 7, MOST_HOSTS])
    def test_each_has_a_queue_where_producers_look_for_it(self, hosts: int) -> None:
        names = make_names("asgi", TOKEN, hosts)
        assert [_consistent_hash(one.non_local, hosts) for one in names] == list(range(hosts))
        assert len({one.token for one in names}) == hosts

    def test_next_process_has_the_same_from_the_one_token(self) -> None:
        assert make_names("asgi", TOKEN, 3) == make_names("asgi", TOKEN, 3)

    def test_another_process_has_others(self) -> None:
        assert not {*make_names("asgi", None, 3)} & {*make_names("asgi", None, 3)}

    def test_numbered_channels_differ_from_host_to_host(self) -> None:
        assert [one.numbered(17) for one in make_names("asgi", TOKEN, 3)] == ["n.17", "n.1.17", "n.2.17"]


def test_one_host_has_the_token_itself() -> None:
    (names,) = make_names("asgi", TOKEN, 1)
    assert names.token == TOKEN
