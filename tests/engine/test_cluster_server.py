"""The connections to one server of a cluster, as operators see them."""

import asyncio
from typing import Any
from unittest import mock

import pytest
from awxfast.engine import cluster_server
from awxfast.engine.cluster_server import ClusterServer
from awxfast.errors import RedisUnavailable
from awxfast.redis.address import RedisAddress
from awxfast.redis.unfinished_replies import UnfinishedReplies
from serving import until


async def test_tries_that_fail_are_no_reconnects(monkeypatch: pytest.MonkeyPatch) -> None:
    away = RedisUnavailable("away")
    connection = mock.Mock(lost=asyncio.get_running_loop().create_future())
    connection.lost.set_result(away)
    answers: list[Any] = [connection, away, away, connection]
    monkeypatch.setattr(cluster_server, "dial_bounded", mock.AsyncMock(side_effect=answers))
    second = asyncio.Event()
    stays = iter([asyncio.sleep(0, True), second.wait()])
    monkeypatch.setattr(cluster_server, "stay", lambda _: next(stays))
    owner = mock.Mock()
    server = ClusterServer(RedisAddress(host="a", port=1), ("a", 1), owner, UnfinishedReplies(1), 0.0)
    await until(lambda: owner.commands_up.call_count == 2)
    assert (server.reconnects, owner.server_failed.call_count) == (1, 3)
    await server.close()
