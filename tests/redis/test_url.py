"""Redis URLs, against redis-py's own reader."""

from typing import Any

import pytest
from awxfast.redis.url import options_in_url
from awxfast.redis.wrong_option import WrongOption
from redis.asyncio.connection import SSLConnection, parse_url

SAME = [
    "redis://",
    "redis://h",
    "redis://h:7/3",
    "redis://h/3?db=4",
    "redis://user:p%40ss@h",
    "redis://:pass@h?password=other",
    "redis://user@h?username=other&password=q",
    "redis://[::1]:7",
    "redis://h/",
    "rediss://h:7?ssl_cert_reqs=none",
    "unix:///run/redis.sock?db=1",
    "unix://u:p@/run/a%20b",
    "redis://h?client_name=a%20b&password=p%2520",
]


def as_redis_py_reads(url: str) -> dict[str, Any]:
    """With TLS said in our way, and every value as text."""
    options: dict[str, Any] = dict(parse_url(url))
    kind = options.pop("connection_class", None)
    if kind is SSLConnection:
        options["ssl"] = True
    return {name: str(value) for name, value in options.items()}


class TestRedisPys:
    @pytest.mark.parametrize("url", SAME)
    def test_url_is_read_as_redis_py_reads_it(self, url: str) -> None:
        assert {name: str(value) for name, value in options_in_url(url).items()} == as_redis_py_reads(url)


class TestSentinel:
    def test_url_stands_for_the_dictionary_of_a_host(self) -> None:
        url = "redis+sentinel://u:p%40@a:1,[::1],b/mymaster/2?socket_timeout=3&sentinel_password=s&sentinel_username=w"
        assert options_in_url(url) == {
            "master_name": "mymaster",
            "sentinels": [("a", 1), ("::1", 26_379), ("b", 26_379)],
            "sentinel_kwargs": {"password": "s", "username": "w"},
            "username": "u",
            "password": "p@",
            "db": "2",
            "socket_timeout": "3",
        }

    def test_tls_is_for_the_sentinels_too(self) -> None:
        options = options_in_url("rediss+sentinel://a/m?ssl_ca_certs=/a&sentinel_ssl_ca_certs=/b")
        assert (options["ssl"], options["ssl_ca_certs"]) == (True, "/a")
        assert options["sentinel_kwargs"] == {"ssl": True, "ssl_ca_certs": "/b"}

    @pytest.mark.parametrize(
        "url", ["redis+sentinel://a", "redis+sentinel://a/", "redis+sentinel:///m", "redis+sentinel://a,/m"]
    )
    def test_what_is_not_whole_is_refused(self, url: str) -> None:
        with pytest.raises(WrongOption, match="sentinel"):
            options_in_url(url)


class TestRefusal:
    @pytest.mark.parametrize("url", ["redis://h?db=1&db=2", "redis://h?db=", "redis://h?=", "redis://h?x"])
    def test_what_stands_behind_the_question_mark_is_once_and_with_a_value(self, url: str) -> None:
        with pytest.raises(WrongOption):
            options_in_url(url)
