"""Connections between uses."""

import contextlib
import os

import pytest
from awxfast.producer.kept_sockets import MOST_KEPT, KeptSockets
from awxfast.redis.address import RedisAddress
from redis_servers import RedisServer


@pytest.fixture
def kept(redis_server: RedisServer) -> KeptSockets:
    target = RedisAddress.parse(redis_server.url)
    assert target is not None
    return KeptSockets(target)


def test_one_that_was_returned_is_used_again(kept: KeptSockets) -> None:
    with kept.borrow() as first:
        assert first.ask("PING") == b"PONG"
    with kept.borrow() as second:
        assert second is first
    kept.close()


def test_two_at_once_are_two(kept: KeptSockets) -> None:
    with kept.borrow() as first, kept.borrow() as second:
        assert first is not second
    kept.close()


def test_after_an_error_it_is_not_used_again(kept: KeptSockets) -> None:
    with contextlib.suppress(KeyError), kept.borrow() as first:
        raise KeyError
    with kept.borrow() as second:
        assert second is not first
    kept.close()


def test_no_more_are_kept_than_are_allowed(kept: KeptSockets, redis_server: RedisServer) -> None:
    with contextlib.ExitStack() as stack:
        for _ in range(MOST_KEPT + 3):
            stack.enter_context(kept.borrow()).ask("PING")
    own = 1
    assert len(redis_server.client().client_list()) == MOST_KEPT + own
    kept.close()


def test_forked_child_leaves_its_parents_connection_alone(kept: KeptSockets) -> None:
    with kept.borrow() as first:
        name = first.ask("CLIENT", "ID")
    child = os.fork()
    if child == 0:
        with kept.borrow() as other:
            os._exit(0 if other.ask("CLIENT", "ID") != name else 1)
    assert os.waitstatus_to_exitcode(os.waitpid(child, 0)[1]) == 0
    with kept.borrow() as again:
        assert again.ask("CLIENT", "ID") == name
    kept.close()
