"""Which Redis a name belongs to: what unmodified channels_redis says."""

import json
from pathlib import Path
from typing import Any

import pytest
from awxfast.wire.host_choice import MOST_HOSTS, choose_host, cut_to_queue
from channels_redis.utils import _consistent_hash

VECTORS = json.loads((Path(__file__).parents[1] / "vectors" / "channel-layer-vectors.json").read_text())


class TestChoice:
    @pytest.mark.parametrize("vector", VECTORS["ring"], ids=lambda vector: vector["value"])
    def test_is_that_of_channels_redis(self, vector: dict[str, Any]) -> None:
        for hosts, index in vector["index"].items():
            assert choose_host(vector["value"], int(hosts)) == index
            assert choose_host(vector["value"].encode(), int(hosts)) == index

    def test_is_that_of_channels_redis_for_any_number_of_hosts(self) -> None:
        for hosts in range(1, MOST_HOSTS + 1):
            names = [f"job_events-{number}" for number in range(200)]
            assert [choose_host(name, hosts) for name in names] == [_consistent_hash(name, hosts) for name in names]


class TestQueue:
    @pytest.mark.parametrize(
        ("channel", "queue"), [("specific.a!b", "specific.a!"), ("specific.a!b!c", "specific.a!"), ("plain", "plain")]
    )
    def test_is_what_stands_up_to_the_first_bang(self, channel: str, queue: str) -> None:
        assert cut_to_queue(channel) == queue
