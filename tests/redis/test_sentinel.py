"""A master that real sentinels know, and move."""

import asyncio
import dataclasses
import functools
import signal
from collections.abc import Iterator

import pytest
from awxfast.errors import RedisUnavailable
from awxfast.redis.address import RedisAddress
from awxfast.redis.sentinel import find_master, read_place
from redis_impostors import connected, impostor
from redis_servers import HANG, binary_of, free_port
from sentinels import Sentinel, Watched, wait_until


async def answer_pings(
    reader: asyncio.StreamReader, writer: asyncio.StreamWriter, said: Iterator[bytes] | None = None
) -> None:
    """A Redis that knows PING, or a sentinel that says these things of its master."""
    while asked := await reader.read(1000):
        writer.write(next(said) if said and b"SENTINEL" in asked else b"+PONG\r\n")


@pytest.fixture(scope="module")
def watched() -> Iterator[Watched]:
    """Nothing here moves the master but the last test."""
    watched = Watched()
    yield watched
    watched.close()


class TestFinding:
    async def test_master_is_where_the_sentinels_say(self, watched: Watched) -> None:
        address = dataclasses.replace(watched.address, db=1, password="pw", client_name="relay")
        assert await find_master(address) == RedisAddress(
            host="127.0.0.1", port=watched.first, db=1, password="pw", client_name="relay"
        )

    async def test_connection_leads_there(self, watched: Watched) -> None:
        for address in (watched.address, RedisAddress.parse(watched.url)):
            async with connected(address) as connection:
                assert f"tcp_port:{watched.first}\r".encode() in await connection.command("INFO", "server")

    async def test_sentinels_that_are_away_or_silent_are_passed_over(self, watched: Watched) -> None:
        async def say_nothing(reader: asyncio.StreamReader, _: asyncio.StreamWriter) -> None:
            await reader.read()

        async with impostor(say_nothing) as silent:
            away = RedisAddress(host="127.0.0.1", port=free_port())
            impatient = dataclasses.replace(silent, connect_seconds=0.2)
            sentinels = (away, impatient, *watched.address.sentinels)
            found = await find_master(dataclasses.replace(watched.address, sentinels=sentinels))
        assert found.port == watched.first

    async def test_master_that_nobody_knows_is_another_try_worth(self, watched: Watched) -> None:
        with pytest.raises(RedisUnavailable, match="it knows no master nobody") as caught:
            await find_master(dataclasses.replace(watched.address, master_name="nobody"))
        assert "\n" not in str(caught.value)

    async def test_no_sentinel_at_all_is_said_with_their_reasons(self) -> None:
        away = RedisAddress(host="127.0.0.1", port=free_port())
        with pytest.raises(RedisUnavailable, match=r"no sentinel knows the master: .*connection refused"):
            await find_master(RedisAddress(master_name="m", sentinels=(away,)))

    async def test_sentinels_may_have_a_password_of_their_own(self, watched: Watched) -> None:
        guarded = Sentinel(binary_of("installed"), watched.first, 1, "requirepass theirs", name="other")
        options = {"master_name": "other", "sentinels": [("127.0.0.1", guarded.port)]}
        try:
            wait_until(guarded.is_up)
            found = await find_master(RedisAddress.from_options({**options, "sentinel_kwargs": {"password": "theirs"}}))
            assert found.port == watched.first
            assert found.password is None
            with pytest.raises(RedisUnavailable, match="wants a password"):
                await find_master(RedisAddress.from_options(options))
        finally:
            guarded.close()

    @pytest.mark.parametrize(
        "reply",
        [
            *(None, [], [b"h"], [b"h", b"0"], [b"h", b"70000"], [b"h", 1], b"h", [b"h", b"x"]),
            *([host, b"6379"] for host in (b"", b"a..b", b".", b"x" * 64, b"a\0b", b"a\r\nb", b"\xff" * 70)),
            [b"h", b"9" * 5000],
        ],
    )
    def test_answer_that_names_no_place_is_none(self, reply: object) -> None:
        assert read_place(reply) is None


class TestMoving:
    async def test_sentinel_that_forgets_the_master_for_a_moment_is_asked_again(
        self, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        monkeypatch.setattr("awxfast.redis.sentinel.LOOK_SECONDS", 0.01)
        async with impostor(answer_pings) as master, impostor(answer_pings) as other:
            place, successor = (b"*2\r\n$9\r\n127.0.0.1\r\n$%d\r\n%d\r\n" % (len(str(one.port)), one.port)
                                for one in (master, other))  # fmt: skip
            said = iter([place, place, b"-ERR No such master with that name\r\n", *[successor] * 100])
            async with impostor(functools.partial(answer_pings, said=said)) as sentinel:
                address = RedisAddress(master_name="m", sentinels=(sentinel,))
                async with connected(address) as connection, asyncio.timeout(HANG):
                    assert "Sentinel names another master" in str(await connection.lost)

    async def test_connection_to_a_master_that_stands_still_ends_as_soon_as_it_has_a_successor(
        self, watched: Watched
    ) -> None:
        """It does not hear of its successor, and nothing is asked on this connection."""
        process = watched.servers[watched.first].process
        assert process is not None
        async with connected(watched.address) as connection:
            process.send_signal(signal.SIGSTOP)
            async with asyncio.timeout(60):
                assert "Sentinel names another master" in str(await connection.lost)
        watched.wait_for_new_master()
        async with connected(watched.address) as connection:
            assert f"tcp_port:{watched.second}\r".encode() in await connection.command("INFO", "server")
