"""Redis URLs: read as redis-py reads them, refused without telling a password."""

import ssl
from pathlib import Path

import pytest
from awxfast.errors import ConfigurationError
from awxfast.redis.address import RedisAddress
from hypothesis import given
from hypothesis import strategies as st

SECRET = "hunter2"


class TestTcp:
    def test_defaults_are_those_of_redis(self) -> None:
        address = RedisAddress.parse("redis://")
        assert (address.host, address.port, address.db, address.path, address.tls) == (
            "localhost",
            6379,
            0,
            None,
            None,
        )
        assert address.username is None
        assert address.password is None

    def test_all_parts(self) -> None:
        address = RedisAddress.parse("redis://awx:p%40ss@redis.example:6380/3")
        assert (address.host, address.port, address.db) == ("redis.example", 6380, 3)
        assert (address.username, address.password) == ("awx", "p@ss")

    def test_password_alone(self) -> None:
        address = RedisAddress.parse(f"redis://:{SECRET}@127.0.0.1")
        assert (address.username, address.password) == (None, SECRET)

    def test_ipv6(self) -> None:
        address = RedisAddress.parse("redis://[::1]:6379/1")
        assert address.host == "::1"
        assert str(address) == "redis://[::1]:6379/1"

    def test_query_wins_over_path_but_not_over_credentials(self) -> None:
        address = RedisAddress.parse("redis://a:b@h/1?db=2&username=c&password=d")
        assert (address.db, address.username, address.password) == (2, "a", "b")

    def test_name_and_password_may_stand_in_the_query_alone(self) -> None:
        address = RedisAddress.parse("redis://h?username=c&password=d")
        assert (address.username, address.password) == ("c", "d")


class TestUnix:
    def test_awx_default(self) -> None:
        address = RedisAddress.parse("unix:///var/run/redis/redis.sock?db=1")
        assert (address.path, address.db) == ("/var/run/redis/redis.sock", 1)
        assert str(address) == "unix:///var/run/redis/redis.sock?db=1"

    def test_credentials_and_escapes(self) -> None:
        address = RedisAddress.parse(f"unix://u:{SECRET}@/run/a%20b.sock")
        assert (address.path, address.username, address.password) == ("/run/a b.sock", "u", SECRET)

    def test_two_slashes_are_refused_with_the_remedy(self) -> None:
        with pytest.raises(ConfigurationError, match="three slashes"):
            RedisAddress.parse("unix://run/redis.sock")

    def test_path_that_no_kernel_takes_is_refused(self) -> None:
        with pytest.raises(ConfigurationError, match="107 bytes"):
            RedisAddress.parse("unix:///" + "x" * 107)


class TestTls:
    def test_verifies_by_default(self) -> None:
        context = RedisAddress.parse("rediss://h").ssl_context()
        assert context is not None
        assert context.verify_mode == ssl.CERT_REQUIRED
        assert context.check_hostname

    def test_can_be_told_not_to(self) -> None:
        context = RedisAddress.parse("rediss://h?ssl_cert_reqs=none").ssl_context()
        assert context is not None
        assert context.verify_mode == ssl.CERT_NONE

    def test_unreadable_ca_file_is_named(self, tmp_path: Path) -> None:
        address = RedisAddress.parse(f"rediss://h?ssl_ca_certs={tmp_path}/none.pem")
        with pytest.raises(ConfigurationError, match=r"none\.pem"):
            address.ssl_context()

    def test_there_is_none_without_rediss(self) -> None:
        assert RedisAddress.parse("redis://h").ssl_context() is None
        with pytest.raises(ConfigurationError, match="rediss://"):
            RedisAddress.parse("redis://h?ssl_cert_reqs=none")


class TestRefusal:
    @pytest.mark.parametrize(
        "url",
        [
            "",
            "localhost:6379",
            "http://h",
            "redis+sentinel://h",
            "unix:",
            "unix:///",
            "redis://h:0",
            "redis://h:99999",
            "redis://h:port",
            "redis://[::1",
            "redis://h/one",
            "redis://h/-1",
            "redis://h?db=",
            "redis://h?db=1&db=2",
            "redis://h?socket_timeout=soon",
            "redis://h?no_such_option=1",
            "redis://h?=",
            "rediss://h?ssl_cert_reqs=maybe",
            "redis+sentinel:///m",
            "unix:///s?ssl_cert_reqs=none",
        ],
    )
    def test_is_one_line(self, url: str) -> None:
        with pytest.raises(ConfigurationError) as caught:
            print(RedisAddress.parse(url))
        assert "\n" not in str(caught.value)
        assert str(caught.value).startswith("Redis URL: ")

    @pytest.mark.parametrize("odd", "/?#@:%[]")
    def test_never_tells_a_password_that_was_not_escaped(self, odd: str) -> None:
        try:
            address = RedisAddress.parse(f"redis://:{SECRET}{odd}{SECRET}@h/0")
        except ConfigurationError as error:
            assert SECRET not in str(error)
        else:
            assert SECRET not in str(address) + repr(address)
            assert SECRET in str(address.password)

    @given(st.text(max_size=30))
    def test_never_fails_otherwise(self, rest: str) -> None:
        for scheme in ("redis://", "rediss://", "unix:///", ""):
            try:
                RedisAddress.parse(scheme + rest)
            except ConfigurationError as error:
                assert "\n" not in str(error)


class TestText:
    def test_and_repr_tell_no_credentials(self) -> None:
        address = RedisAddress.parse(f"rediss://admin:{SECRET}@h:1/2")
        assert SECRET not in str(address) + repr(address)
        assert "admin" not in str(address) + repr(address)
        assert str(address) == "rediss://h:1/2"
