"""The option `hosts`, read as channels_redis reads it."""

import ssl
from typing import Any

import pytest
from awxfast.errors import ConfigurationError
from awxfast.redis.address import RedisAddress
from awxfast.redis.hosts import read_hosts
from awxfast.redis.tls import TlsOptions


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
                RedisAddress(host="h", tls=TlsOptions(cert_reqs=ssl.CERT_NONE)),
            ),
            ([{"address": "rediss://h", "ssl_cert_reqs": ssl.CERT_REQUIRED}], RedisAddress(host="h", tls=TlsOptions())),
            ([{"address": "unix:///s?db=1", "password": "x"}], RedisAddress(path="/s", db=1, password="x")),
        ],
    )
    def test_every_form_of_one_host_is_read(self, hosts: Any, address: RedisAddress) -> None:
        assert read_hosts("default", hosts) == (address,)

    @pytest.mark.parametrize(
        "hosts",
        [
            "redis://secret",
            {"host": "secret"},
            ["ftp://secret"],
            [{"hots": "secret"}],
            [{"master_name": "secret", "sentinels": []}],
        ],
    )
    def test_what_names_no_host_is_refused_without_its_values(self, hosts: Any) -> None:
        with pytest.raises(ConfigurationError) as error:
            read_hosts("default", hosts)
        assert "secret" not in str(error.value)

    def test_several_are_read_in_their_order(self) -> None:
        hosts = ["redis://a", ("b", 7), {"host": "c"}]
        assert [address.host for address in read_hosts("default", hosts)] == ["a", "b", "c"]
