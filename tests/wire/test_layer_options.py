"""What CHANNEL_LAYERS tells the stock layer, read as channels_redis reads it."""

import inspect
import ssl
from typing import Any

import pytest
from awxfast.errors import ConfigurationError
from awxfast.redis.address import RedisAddress
from awxfast.settings import LayerSettings
from awxfast.wire.layer_options import LAYER_FIELDS, STOCK, read_hosts, read_layer
from channels_redis.core import RedisChannelLayer


class TestDefaults:
    def test_they_are_those_of_the_stock_constructor(self) -> None:
        parameters = inspect.signature(RedisChannelLayer).parameters
        stock = {name: parameters[name].default for name in LAYER_FIELDS if name in parameters}
        assert stock == {name: getattr(STOCK, name) for name in stock}
        assert set(stock) >= {"prefix", "capacity", "expiry", "group_expiry"}

    def test_what_is_not_said_is_the_stock_constructors(self) -> None:
        assert read_layer({}) == STOCK
        assert read_layer({"prefix": "site", "hosts": []}) == LayerSettings(
            prefix="site", capacity=100, expiry=60, group_expiry=86_400, random_prefix_length=12
        )


class TestHosts:
    @pytest.mark.parametrize(
        ("hosts", "address"),
        [
            (None, RedisAddress()),
            (["redis://:p%40ss@h:1/2"], RedisAddress(host="h", port=1, db=2, password="p@ss")),
            ([("h", 7)], RedisAddress(host="h", port=7)),
            ([["::1", 7]], RedisAddress(host="::1", port=7)),
            ([{"address": "redis://h", "db": 3, "retry_on_timeout": True}], RedisAddress(host="h", db=3)),
            ([{"address": ("h", 7)}], RedisAddress(host="h", port=7)),
            ([{"host": "h", "port": 7, "password": "a/b?#c"}], RedisAddress(host="h", port=7, password="a/b?#c")),
            (
                [{"address": "rediss://h", "ssl_cert_reqs": None}],
                RedisAddress(host="h", tls=True, verify=False),
            ),
            ([{"address": "rediss://h", "ssl_cert_reqs": ssl.CERT_REQUIRED}], RedisAddress(host="h", tls=True)),
            ([{"address": "unix:///s?db=1", "password": "x"}], RedisAddress(path="/s", db=1, password="x")),
        ],
    )
    def test_every_form_of_one_host_is_read(self, hosts: Any, address: RedisAddress) -> None:
        assert RedisAddress.parse(read_hosts("default", hosts)) == address

    @pytest.mark.parametrize(
        "hosts", ["redis://secret", ["redis://secret", "redis://b"], [{"master_name": "secret", "sentinels": []}]]
    )
    def test_what_is_not_one_host_is_refused_without_its_values(self, hosts: Any) -> None:
        with pytest.raises(ConfigurationError) as error:
            read_hosts("default", hosts)
        assert "secret" not in str(error.value)
