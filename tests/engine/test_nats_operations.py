"""What operators do to servers of NATS while events flow: a rolling upgrade, a reload, accounts, leaf nodes."""

import asyncio
import signal
from collections.abc import AsyncIterator, Callable, Iterator
from contextlib import asynccontextmanager
from pathlib import Path

import nkeys
import pytest
from certificates import SelfSigned
from nats_keys import NatsKey
from nats_servers import NatsCluster, NatsServer
from nats_users import CHANNEL, Join, NatsUser, numbers_heard, pair_of, pass_one, until
from redis_servers import free_port

PAUSE = 0.002
LAME_DUCK = 'lame_duck_duration: "30s", lame_duck_grace_period: "10s"'
"""Connections are ended after the second."""


class Flow:
    """Numbers from a publisher to a taker, all the time."""

    def __init__(self, publisher: NatsUser, taker: NatsUser) -> None:
        self.publisher, self.taker = publisher, taker
        self.count = 0

    async def run(self) -> None:
        while True:
            self.publisher.carrier.publish(CHANNEL, b"%d" % self.count, 1)
            self.count += 1
            await asyncio.sleep(PAUSE)

    async def go_on(self, seconds: float = 5.0) -> None:
        """Something that was sent after this was called comes within that time."""
        after = self.count
        await until(lambda: self.newest() > after, seconds)

    def newest(self) -> int:
        return max(numbers_heard(self.taker)[-1:], default=-1)

    @property
    def missing(self) -> int:
        return self.count - len(set(numbers_heard(self.taker)))


@asynccontextmanager
async def flowing(publisher: NatsUser, taker: NatsUser) -> AsyncIterator[Flow]:
    """Inside of it numbers flow; at the end each was heard in order, once, or is lost."""
    await pass_one(publisher, taker, b"ready")
    flow = Flow(publisher, taker)
    task = asyncio.create_task(flow.run())
    try:
        await flow.go_on()
        yield flow
    finally:
        task.cancel()
        await asyncio.gather(task, return_exceptions=True)
    await pass_one(publisher, taker, b"end")
    heard = numbers_heard(taker)
    assert heard == sorted(set(heard))


class TestRollingUpgrade:
    @pytest.fixture
    def lame_ducks(self) -> Iterator[NatsCluster]:
        cluster = NatsCluster(3, LAME_DUCK)
        yield cluster
        cluster.close()

    @pytest.mark.parametrize("of", ["publisher", "taker"])
    async def test_server_that_announces_its_end_is_left_before_that(
        self, lame_ducks: NatsCluster, join_nats: Join, of: str
    ) -> None:
        publisher, taker = await pair_of(join_nats, *(f"nats://{server.place}" for server in lame_ducks.servers[:2]))
        leaving = publisher if of == "publisher" else taker
        lame = lame_ducks.at(leaving.port)
        async with flowing(publisher, taker) as flow:
            assert lame.process is not None
            lame.process.send_signal(signal.SIGUSR2)
            await until(lambda: leaving.cuts == 1)
            assert leaving.port != lame.port
            await flow.go_on()
        assert publisher.lost == []
        assert of == "taker" or flow.missing == 0

    async def test_server_beside_which_there_is_none_is_used_to_its_end(
        self, start_nats: Callable[..., NatsServer], join_nats: Join
    ) -> None:
        server = start_nats(LAME_DUCK)
        publisher, taker = await pair_of(join_nats, f"nats://{server.place}")
        async with flowing(publisher, taker) as flow:
            assert server.process is not None
            server.process.send_signal(signal.SIGUSR2)
            await until(lambda: "lame duck" in server.log)
            await asyncio.sleep(0.5)
            await flow.go_on()
        assert (flow.missing, publisher.cuts, taker.cuts) == (0, 0, 0)


class TestReload:
    async def test_server_that_reads_its_configuration_again_costs_nothing(
        self, nats_cluster: NatsCluster, join_nats: Join
    ) -> None:
        publisher, taker = await pair_of(join_nats, *(f"nats://{server.place}" for server in nats_cluster.servers[:2]))
        async with flowing(publisher, taker) as flow:
            for server in nats_cluster.servers:
                await asyncio.to_thread(server.reload, "max_payload: 2000000")
                await flow.go_on()
        assert (flow.missing, publisher.lost, publisher.cuts, taker.cuts) == (0, [], 0, 0)

    async def test_right_that_is_taken_away_is_told_and_events_flow_when_it_is_back(
        self, start_nats: Callable[..., NatsServer], join_nats: Join
    ) -> None:
        def settings(rights: str) -> str:
            return f"authorization {{ users: [{{ user: a, password: b, permissions: {{ {rights} }} }}] }}"

        all_rights = settings('publish: "awxfast.>", subscribe: "awxfast.>"')
        server = start_nats(all_rights)
        publisher, taker = await pair_of(join_nats, f"nats://a:b@{server.place}")
        async with flowing(publisher, taker) as flow:
            await asyncio.to_thread(server.reload, settings('publish: "awxfast.wants", subscribe: "awxfast.>"'))
            await until(lambda: "does not let us publish" in publisher.carrier.trouble)
            await asyncio.to_thread(server.reload, all_rights)
            await flow.go_on()
        assert flow.missing <= publisher.lost_events


class TestAccounts:
    async def test_nodes_of_two_accounts_do_not_hear_each_other(
        self, start_nats: Callable[..., NatsServer], join_nats: Join, tmp_path: Path
    ) -> None:
        """Over TLS, each by a key of its own."""
        signed = SelfSigned(tmp_path)
        keys = {name: NatsKey(nkeys.PREFIX_BYTE_USER) for name in "ab"}
        accounts = ", ".join(f"{name}: {{ users: [{{ nkey: {key.public} }}] }}" for name, key in keys.items())
        tls = f'tls {{ cert_file: "{signed.certificate}", key_file: "{signed.private_key}" }}'
        server = start_nats(f"{tls}\naccounts {{ {accounts} }}")
        urls = {}
        for name, key in keys.items():
            (tmp_path / name).write_text(key.seed)
            urls[name] = f"tls://localhost:{server.port}?ssl_ca_certs={signed.certificate}&nkey={tmp_path / name}"
        publisher, taker = await pair_of(join_nats, urls["a"])
        _, stranger = await pair_of(join_nats, urls["b"])
        async with flowing(publisher, taker) as flow:
            await flow.go_on()
        assert (flow.missing, stranger.heard) == (0, [])


class TestLeafNode:
    async def test_events_go_from_leaf_to_hub_and_go_on_when_the_link_between_is_back(
        self, start_nats: Callable[..., NatsServer], join_nats: Join
    ) -> None:
        port = free_port()
        hub = start_nats(f"leafnodes {{ listen: 127.0.0.1:{port} }}")
        leaf = start_nats(f'leafnodes {{ reconnect: 1, remotes: [{{ url: "nats://127.0.0.1:{port}" }}] }}')
        publisher, taker = await pair_of(join_nats, f"nats://{leaf.place}", f"nats://{hub.place}")
        async with flowing(publisher, taker) as flow:
            hub.kill()
            await until(lambda: not taker.carrier.up)
            hub.start()
            await until(lambda: taker.cuts == 1)
            await flow.go_on(10)  # the leaf dials again by itself
        assert (publisher.cuts, publisher.lost) == (0, [])
