"""A master that Sentinel moves, for code that may block."""

import contextlib
import dataclasses
import signal
from collections.abc import Iterator

import pytest
from awxfast.producer.kept_sockets import KeptSockets
from awxfast.producer.master import find_master
from awxfast.redis.address import RedisAddress
from redis_servers import free_port
from sentinels import Watched, wait_until


@pytest.fixture
def kept(watched: Watched) -> Iterator[KeptSockets]:
    kept = KeptSockets(watched.address)
    yield kept
    kept.close()


def port_of(kept: KeptSockets) -> int:
    return int(kept.ask("CONFIG", "GET", "port")[1])


class TestMaster:
    def test_first_sentinel_that_knows_says_where_it_is(self, watched: Watched) -> None:
        nobody = RedisAddress(host="127.0.0.1", port=free_port())
        found = find_master(dataclasses.replace(watched.address, sentinels=(nobody, *watched.address.sentinels)))
        assert (found.host, found.port, found.master_name) == ("127.0.0.1", watched.first, "")

    def test_sentinel_that_hangs_is_passed_over(self, watched: Watched) -> None:
        watched.sentinels[0].process.send_signal(signal.SIGSTOP)
        assert find_master(watched.address).port == watched.first

    def test_name_that_nobody_knows_is_said(self, watched: Watched) -> None:
        with pytest.raises(ConnectionError, match=r"no sentinel knows the master: .*it knows no master other"):
            find_master(dataclasses.replace(watched.address, master_name="other"))


class TestFailover:
    def test_master_that_is_killed_is_looked_up_anew_in_the_same_call(
        self, watched: Watched, kept: KeptSockets
    ) -> None:
        assert port_of(kept) == watched.first
        watched.servers[watched.first].kill()
        watched.wait_for_new_master()
        assert port_of(kept) == watched.second

    def test_master_that_hangs_is_looked_up_anew_in_the_same_call(self, watched: Watched) -> None:
        kept = KeptSockets(dataclasses.replace(watched.address, answer_seconds=0.5))
        assert port_of(kept) == watched.first
        process = watched.servers[watched.first].process
        assert process is not None
        process.send_signal(signal.SIGSTOP)
        watched.wait_for_new_master()
        assert port_of(kept) == watched.second
        kept.close()

    def test_master_that_says_it_is_none_is_looked_up_anew_in_the_same_call(
        self, watched: Watched, kept: KeptSockets
    ) -> None:
        """The connection stands: nobody but the former master's answer tells."""
        with contextlib.ExitStack() as stack:
            first = stack.enter_context(kept.borrow())
            second = stack.enter_context(kept.borrow())
            assert first is not second
        for one in watched.sentinels:
            one.process.send_signal(signal.SIGSTOP)
        with watched.servers[watched.second].client() as client:
            client.execute_command("REPLICAOF", "NO", "ONE")
        with watched.servers[watched.first].client() as client:
            client.execute_command("REPLICAOF", "127.0.0.1", watched.second)
        for one in watched.sentinels:
            one.process.send_signal(signal.SIGCONT)
        watched.wait_for_new_master()
        kept.ask("SET", "here", 1)
        with watched.servers[watched.second].client() as client:
            assert client.get("here") == b"1"

    def test_second_failure_in_a_call_is_the_callers(self, watched: Watched, kept: KeptSockets) -> None:
        for one in watched.servers.values():
            one.kill()
        with pytest.raises(ConnectionError, match="connection refused"):
            kept.ask("PING")
        watched.servers[watched.first].start()
        wait_until(lambda: any(one.master() for one in watched.sentinels))
        assert kept.ask("PING") == b"PONG"
