"""The names under which a pub/sub layer publishes: those of channels_redis, and patterns that match nothing else."""

import json
from pathlib import Path

import pytest
from awxfast.wire.group_channels import begin_of_channels, escape_pattern, group_channel

VECTORS = json.loads((Path(__file__).parent.parent / "vectors" / "channel-layer-vectors.json").read_text())["pubsub"]


@pytest.mark.parametrize("vector", [one for one in VECTORS if one["op"] == "group_send"])
def test_group_has_the_stock_channel(vector: dict) -> None:
    prefix = vector.get("layer", {}).get("prefix", "asgi")
    assert group_channel(prefix, vector["target"]) == vector["redis_channel"]


def test_channels_of_a_process_begin_as_stock_ones_do() -> None:
    assert begin_of_channels("asgi", "0123456789abcdef" * 2) == "asgispecific.0123456789abcdef"


def test_pattern_of_a_text_has_every_sign_of_redis_escaped() -> None:
    assert escape_pattern("a*b?[c]\\d") == "a\\*b\\?\\[c\\]\\\\d"
