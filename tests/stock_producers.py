"""Unmodified producers, for tests that send as AWX does."""

import asyncio
import contextlib
import json
import subprocess
from collections.abc import AsyncIterator, Callable
from pathlib import Path
from typing import Any

import pytest
from channels_redis.core import RedisChannelLayer
from redis_servers import RedisServer


@pytest.fixture
async def stock_layer() -> AsyncIterator[Callable[..., RedisChannelLayer]]:
    """Unmodified channels_redis producers, as AWX configures them."""
    layers: list[RedisChannelLayer] = []

    def make(server: RedisServer, **options: Any) -> RedisChannelLayer:
        layers.append(RedisChannelLayer(**{"hosts": [server.url], "capacity": 10_000, **options}))
        return layers[-1]

    yield make
    for layer in layers:
        await layer.close_pools()


class StockProcess:
    """A stock layer in a process of its own, which may have another version of channels_redis."""

    def __init__(self, python: str, configuration: dict[str, Any]) -> None:
        command = [python, str(Path(__file__).with_name("layer_calls.py")), json.dumps(configuration)]
        self._process = subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True)
        self._turn = asyncio.Lock()

    def __getattr__(self, name: str) -> Callable[..., Any]:
        """A method of the layer."""

        async def call(*arguments: Any) -> Any:
            async with self._turn:
                return json.loads(await asyncio.to_thread(self._exchange, json.dumps([name, *arguments])))

        return call

    def _exchange(self, line: str) -> str:
        assert self._process.stdin is not None
        assert self._process.stdout is not None
        self._process.stdin.write(f"{line}\n")
        self._process.stdin.flush()
        return self._process.stdout.readline()

    async def close_pools(self) -> None:
        """Ends it; one that waits for a message is not asked whether it may."""
        self._process.kill()
        with contextlib.suppress(BrokenPipeError):
            await asyncio.to_thread(self._process.communicate)
