"""What a user of NATS may not do: it is told, counts as trouble, and is over when rights come back."""

import asyncio
import logging
from collections.abc import Callable

import pytest
from awxfast.engine import nats_carrier, troubles
from nats_servers import NatsServer
from nats_users import CHANNEL, Join, NatsUser, pass_one, until

WANTS = "awxfast.wants"
NEEDED = 'our user needs permissions: { publish: "awxfast.>", subscribe: "awxfast.>" }'


def rights(publish: str = "awxfast.>", subscribe: str = "awxfast.>") -> str:
    allowed = f'publish: "{publish}", subscribe: "{subscribe}"'
    return f"authorization {{ users: [{{ user: a, password: b, permissions: {{ {allowed} }} }}] }}"


@pytest.fixture(autouse=True)
def impatience(monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture) -> None:
    monkeypatch.setattr(nats_carrier, "AGAIN_SECONDS", 0.5)
    monkeypatch.setattr(troubles, "REFUSED_SECONDS", 1.0)
    monkeypatch.setattr("awxfast.quiet_log.QUIET_SECONDS", 0.0)
    caplog.set_level(logging.INFO)


async def wanting(user: NatsUser, *channels: str) -> asyncio.Task[None]:
    task = asyncio.create_task(user.carrier.subscribe(channels))
    await until(lambda: "subscribe" in user.carrier.trouble)
    return task


class TestSubscribing:
    async def test_waits_until_rights_come(
        self, start_nats: Callable[..., NatsServer], join_nats: Join, caplog: pytest.LogCaptureFixture
    ) -> None:
        server = start_nats(rights(subscribe="other.>"))
        user = await join_nats(f"nats://a:b@{server.place}")
        task = await wanting(user, WANTS, CHANNEL)
        assert user.carrier.trouble == f"the server does not let us subscribe to {WANTS}; {NEEDED}"
        assert not user.carrier.up and user.carrier.needs_change
        assert user.carrier.figures().subscribed == 0
        await asyncio.sleep(1.5)
        assert len([line for line in caplog.messages if "subscribe to" in line]) == 1
        assert not task.done()
        server.reload(rights())
        await task
        assert user.carrier.up and user.carrier.trouble == ""
        await pass_one(user, user, b"allowed")
        assert user.cut_channels == {WANTS, CHANNEL}
        assert caplog.messages[-1].endswith("it lets us subscribe again")

    async def test_right_that_is_taken_away_and_given_again_is_a_cut(
        self, start_nats: Callable[..., NatsServer], join_nats: Join
    ) -> None:
        server = start_nats(rights())
        user = await join_nats(f"nats://a:b@{server.place}")
        await user.carrier.subscribe([WANTS, CHANNEL])
        server.reload(rights(subscribe=WANTS))
        await until(lambda: not user.carrier.up and user.carrier.needs_change)
        assert CHANNEL in user.carrier.trouble
        server.reload(rights())
        await until(lambda: user.carrier.up)
        await pass_one(user, user, b"back")
        assert user.cuts or user.cut_channels == {CHANNEL}

    async def test_refusal_is_known_where_the_password_is_a_part_of_the_channel(
        self, start_nats: Callable[..., NatsServer], join_nats: Join
    ) -> None:
        server = start_nats(rights(subscribe="other.>").replace("password: b", "password: awxfast"))
        user = await join_nats(f"nats://a:awxfast@{server.place}")
        task = await wanting(user, WANTS)
        assert user.carrier.trouble == f"the server does not let us subscribe to {WANTS}; {NEEDED}"
        task.cancel()

    async def test_channel_that_is_let_go_of_is_no_trouble(
        self, start_nats: Callable[..., NatsServer], join_nats: Join
    ) -> None:
        server = start_nats(rights(subscribe=WANTS))
        user = await join_nats(f"nats://a:b@{server.place}")
        task = await wanting(user, CHANNEL)
        user.carrier.unsubscribe([CHANNEL])
        await task
        assert user.carrier.up


class TestPublishing:
    async def test_refused_message_is_trouble_until_none_is_refused(
        self, start_nats: Callable[..., NatsServer], join_nats: Join, caplog: pytest.LogCaptureFixture
    ) -> None:
        server = start_nats(rights(publish="other.>"))
        user = await join_nats(f"nats://a:b@{server.place}")
        await user.carrier.subscribe([CHANNEL])
        for _ in range(3):
            user.carrier.publish(CHANNEL, b"x", 2)
            await until(lambda: bool(user.carrier.trouble))
        assert user.carrier.trouble == f"the server does not let us publish to {CHANNEL}; {NEEDED}"
        assert user.carrier.up and user.carrier.needs_change
        await until(lambda: user.lost_events == 6)
        assert len([line for line in caplog.messages if "publish to" in line]) == 1
        server.reload(rights())
        await until(lambda: any("nothing was refused for" in line for line in caplog.messages))
        assert not user.carrier.trouble
        await pass_one(user, user, b"allowed")
        assert not user.carrier.trouble
