"""Which Redis a name belongs to: what unmodified channels_redis says."""

import dataclasses
import json
from pathlib import Path
from typing import Any

import pytest
from awxfast.settings import LayerSettings, default_layer
from awxfast.wire.host_choice import MOST_HOSTS, choose_by_group, choose_host, cut_to_queue
from channels_redis.pubsub import RedisPubSubChannelLayer
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


class TestGroups:
    @pytest.mark.parametrize("hosts", [1, 2, 3, 7])
    async def test_are_where_producers_of_the_form_send(self, hosts: int) -> None:
        urls = [f"redis://host-{number}" for number in range(hosts)]
        stock = RedisPubSubChannelLayer(hosts=urls, prefix="räume")
        core = choose_by_group(LayerSettings(prefix="räume"), hosts)
        pubsub = choose_by_group(dataclasses.replace(default_layer("pubsub"), prefix="räume"), hosts)
        for group in (f"job_events-{number}" for number in range(200)):
            assert core(group) == _consistent_hash(group, hosts)
            assert stock._shards[pubsub(group)] is stock._get_shard(stock._get_group_channel_name(group))


class TestQueue:
    @pytest.mark.parametrize(
        ("channel", "queue"), [("specific.a!b", "specific.a!"), ("specific.a!b!c", "specific.a!"), ("plain", "plain")]
    )
    def test_is_what_stands_up_to_the_first_bang(self, channel: str, queue: str) -> None:
        assert cut_to_queue(channel) == queue
