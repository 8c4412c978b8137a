"""What each option of redis-py comes to: obeyed, without effect, or refused."""

import inspect
import socket
import ssl
from pathlib import Path
from typing import Any

import pytest
import redis
from awxfast.redis.address import KEEPALIVE, RedisAddress
from awxfast.redis.client_options import NAMES
from awxfast.redis.hosts import read_entry
from awxfast.redis.tls import TlsOptions
from awxfast.redis.wrong_option import WrongOption
from redis.asyncio import connection as redis_py
from redis.asyncio.sentinel import SentinelManagedSSLConnection

INTERNAL = {
    "himport_registry",
    "maint_notifications_pool_handler",
    "maintenance_notification_hash",
    "maintenance_state",
    "orig_host_address",
    "orig_socket_connect_timeout",
    "orig_socket_timeout",
    "oss_cluster_maint_notifications_handler",
}
"""What redis-py's pools hand to their connections."""


class Provider(redis.CredentialProvider):
    def get_credentials(self) -> tuple[str, str]:
        return "name", "password"


class OwnConnection(redis_py.Connection):
    """A site's own."""


PROVIDER = Provider()
CONTEXT = ssl.create_default_context()


def read(options: Any) -> RedisAddress:
    return RedisAddress.from_options(read_entry(options))


def tls_of(**options: Any) -> TlsOptions:
    tls = read({"address": "rediss://h", **options}).tls
    assert tls is not None
    return tls


class TestAll:
    def test_every_option_of_redis_pys_connections_is_known(self) -> None:
        kinds = (
            redis_py.AbstractConnection,
            redis_py.Connection,
            redis_py.SSLConnection,
            redis_py.UnixDomainSocketConnection,
            redis_py.ConnectionPool,
        )
        names = {name for kind in kinds for name in inspect.signature(kind.__init__).parameters}
        names -= {"self", "kwargs", "connection_kwargs", "connection_class"}
        assert names - INTERNAL <= NAMES

    def test_every_option_that_a_url_can_have_is_known(self) -> None:
        assert set(redis_py.URL_QUERY_ARGUMENT_PARSERS) <= NAMES

    def test_none_says_nothing(self) -> None:
        names = NAMES - {"ssl_cert_reqs"}
        assert read({"host": "h", **dict.fromkeys(names - {"host"})}) == RedisAddress(host="h")


class TestObeyed:
    @pytest.mark.parametrize(
        ("options", "address"),
        [
            ({"host": "h", "port": "7", "db": "1"}, RedisAddress(host="h", port=7, db=1)),
            ({"connection_class": redis_py.UnixDomainSocketConnection, "path": "/s"}, RedisAddress(path="/s")),
            ({"path": "/s"}, RedisAddress(path="/s")),
            ({"host": "h", "connection_class": redis_py.Connection}, RedisAddress(host="h")),
            ({"host": "h", "connection_class": redis_py.SSLConnection}, RedisAddress(host="h", tls=TlsOptions())),
            ({"address": ("h", 7), "ssl": True}, RedisAddress(host="h", port=7, tls=TlsOptions())),
            ({"address": ("h", 7), "ssl": CONTEXT}, RedisAddress(host="h", port=7, tls=TlsOptions(own=CONTEXT))),
            ({"host": "h", "ssl": False}, RedisAddress(host="h")),
            ({"host": "h", "credential_provider": PROVIDER}, RedisAddress(host="h", credential_provider=PROVIDER)),
            ({"host": "h", "username": "", "password": ""}, RedisAddress(host="h")),
            ("redis://h?client_name=relay", RedisAddress(host="h", client_name="relay")),
            ({"host": "h", "lib_name": "a", "lib_version": "1"}, RedisAddress(host="h", lib_name="a", lib_version="1")),
            ("redis://h?socket_timeout=7.5", RedisAddress(host="h", answer_seconds=7.5)),
            ("redis://h?socket_connect_timeout=8", RedisAddress(host="h", connect_seconds=8.0)),
            ("redis://h?socket_keepalive=yes", RedisAddress(host="h")),
            ("redis://h?socket_keepalive=0", RedisAddress(host="h", keepalive=None)),
            (
                {"host": "h", "socket_keepalive": True, "socket_keepalive_options": {socket.TCP_KEEPIDLE: 60}},
                RedisAddress(host="h", keepalive=((socket.TCP_KEEPIDLE, 60),)),
            ),
        ],
    )
    def test_option_is_taken(self, options: Any, address: RedisAddress) -> None:
        assert read(options) == address

    def test_url_wins_over_what_stands_beside_it(self) -> None:
        options = {"address": "redis://u:p@h/1", "db": 3, "username": "v", "password": "q", "client_name": "c"}
        assert read(options) == RedisAddress(host="h", db=1, username="u", password="p", client_name="c")

    def test_keepalive_is_on_where_nothing_is_said(self) -> None:
        assert read({"host": "h"}).keepalive == KEEPALIVE


class TestTls:
    @pytest.mark.parametrize(
        ("options", "tls"),
        [
            ({"ssl_cert_reqs": None}, TlsOptions(cert_reqs=ssl.CERT_NONE)),
            ({"ssl_cert_reqs": "optional"}, TlsOptions(cert_reqs=ssl.CERT_OPTIONAL)),
            ({"ssl_cert_reqs": ssl.CERT_REQUIRED}, TlsOptions()),
            ({"ssl_check_hostname": False}, TlsOptions(check_hostname=False)),
            ({"ssl_certfile": "/c", "ssl_keyfile": Path("/k")}, TlsOptions(certfile="/c", keyfile="/k")),
            ({"ssl_certfile": "/c", "ssl_password": "s"}, TlsOptions(certfile="/c", password="s")),
            ({"ssl_ca_certs": "/a", "ssl_ca_path": "/p"}, TlsOptions(ca_certs="/a", ca_path="/p")),
            ({"ssl_ca_data": b"der"}, TlsOptions(ca_data=b"der")),
            ({"ssl_min_version": ssl.TLSVersion.TLSv1_3}, TlsOptions(min_version=ssl.TLSVersion.TLSv1_3)),
            ({"ssl_ciphers": "HIGH"}, TlsOptions(ciphers="HIGH")),
            (
                {"ssl_exclude_verify_flags": [ssl.VerifyFlags.VERIFY_X509_STRICT]},
                TlsOptions(exclude_verify_flags=(ssl.VerifyFlags.VERIFY_X509_STRICT,)),
            ),
            ({"ssl_validate_ocsp": False}, TlsOptions()),
        ],
    )
    def test_option_is_taken(self, options: dict[str, Any], tls: TlsOptions) -> None:
        assert tls_of(**options) == tls

    def test_url_may_have_them_too(self) -> None:
        url = (
            "rediss://h?ssl_cert_reqs=optional&ssl_check_hostname=false&ssl_min_version=772"
            "&ssl_include_verify_flags=[VERIFY_X509_STRICT,VERIFY_CRL_CHECK_LEAF]"
        )
        flags = (ssl.VerifyFlags.VERIFY_X509_STRICT, ssl.VerifyFlags.VERIFY_CRL_CHECK_LEAF)
        assert read(url).tls == TlsOptions(
            cert_reqs=ssl.CERT_OPTIONAL,
            check_hostname=False,
            min_version=ssl.TLSVersion.TLSv1_3,
            include_verify_flags=flags,
        )


class TestWithoutEffect:
    @pytest.mark.parametrize(
        "query",
        [
            "retry_on_timeout=true",
            "health_check_interval=30",
            "protocol=3",
            "max_connections=50",
            "socket_read_size=65536",
            "legacy_responses=false",
            "encoding=utf-8",
            "decode_responses=False",
        ],
    )
    def test_what_tunes_the_client_library_changes_nothing(self, query: str) -> None:
        assert read(f"redis://h?{query}") == RedisAddress(host="h")


class TestRefused:
    @pytest.mark.parametrize(
        ("options", "name"),
        [
            ({"hots": "secret"}, "hots"),
            ({"unix_socket_path": "/secret"}, "unix_socket_path"),
            ({"redis_connect_func": print}, "redis_connect_func"),
            ({"driver_info": "secret"}, "driver_info"),
            ({"host": "h", "connection_class": OwnConnection}, "connection_class"),
            ({"connection_class": redis_py.UnixDomainSocketConnection}, "needs a path"),
            ({"path": "/secret", "host": "h"}, "path"),
            ({"path": "/secret", "connection_class": redis_py.SSLConnection}, "path"),
            ({"host": "h", "ssl_certfile": "/secret"}, "ssl_certfile"),
            ({"address": "rediss://h", "ssl_keyfile": "/secret"}, "ssl_keyfile"),
            ({"address": "rediss://h", "ssl_cert_reqs": "secret"}, "ssl_cert_reqs"),
            ({"address": "rediss://h", "ssl_validate_ocsp": True}, "ssl_validate_ocsp"),
            ({"address": "rediss://h", "ssl_ocsp_expected_cert": "secret"}, "ssl_ocsp_expected_cert"),
            ({"address": "rediss://h", "ssl_min_version": "secret"}, "ssl_min_version"),
            ({"address": "rediss://h", "ssl_include_verify_flags": "secret"}, "ssl_include_verify_flags"),
            ({"address": "rediss://h", "ssl_check_hostname": "secret"}, "ssl_check_hostname"),
            ({"path": "/s", "ssl": True}, "unix socket"),
            ({"host": "h", "credential_provider": "secret"}, "credential_provider"),
            ({"address": "redis://:secret@h", "credential_provider": PROVIDER}, "credential_provider"),
            ({"host": "h", "password": 5}, "password"),
            ({"host": 5}, "host"),
            ({"host": "secret..x"}, "host"),
            ({"host": "s" * 64}, "host"),
            ({"host": "secret\r\nx"}, "host"),
            ({"address": "redis://secret%00:6379/0"}, "host"),
            ({"host": "secret\ud800"}, "host"),
            ({"host": "h", "password": "secret\ud800"}, "password"),
            ({"address": "unix://:secret\udcff@/s"}, "password"),
            ({"path": "/secret\ud800"}, "path"),
            ({"client_name": "secret\ud800"}, "client_name"),
            ({"lib_name": "secret\ud800"}, "lib_name"),
            ({"master_name": "secret\ud800", "sentinels": [("h", 1)]}, "master_name"),
            ({"master_name": "m", "sentinels": [("secret..x", 1)]}, "sentinels: host"),
            ({"port": "secret"}, "port"),
            ({"db": True}, "database"),
            ({"client_name": ""}, "client_name"),
            ({"socket_timeout": 0}, "socket_timeout"),
            ({"socket_timeout": float("nan")}, "socket_timeout"),
            ({"socket_connect_timeout": "secret"}, "socket_connect_timeout"),
            ({"socket_keepalive": "secret"}, "socket_keepalive"),
            ({"socket_keepalive_options": {"secret": 1}}, "socket_keepalive_options"),
            ({"decode_responses": True}, "decode_responses"),
            ({"encoding": "latin-1"}, "encoding"),
            ({"encoder_class": OwnConnection}, "encoder_class"),
            ({"protocol": 4}, "protocol"),
            ({"max_connections": 1}, "max_connections"),
            ({"health_check_interval": "secret"}, "health_check_interval"),
            ({"is_master": False}, "is_master"),
            ({"ssl": "secret"}, "ssl"),
            (("secret",), "pair"),
            (7, "pair"),
        ],
    )
    def test_option_is_named_and_its_value_is_not(self, options: Any, name: str) -> None:
        with pytest.raises(WrongOption, match=name) as caught:
            read(options)
        assert "secret" not in str(caught.value)
        assert "\n" not in str(caught.value)


class TestSentinel:
    def test_dictionary_is_read(self) -> None:
        options = {
            "master_name": "m",
            "sentinels": [["a", 1], ("::1", "2")],
            "sentinel_kwargs": {"password": "theirs", "socket_timeout": 0.5},
            "password": "ours",
            "db": 1,
        }
        address = read(options)
        assert (address.master_name, address.password, address.db) == ("m", "ours", 1)
        assert address.sentinels == (
            RedisAddress(host="a", port=1, password="theirs", answer_seconds=0.5),
            RedisAddress(host="::1", port=2, password="theirs", answer_seconds=0.5),
        )
        assert str(address) == "redis+sentinel://a:1,[::1]:2/m/1"
        assert "ours" not in repr(address)
        assert "theirs" not in repr(address)

    def test_url_says_the_same(self) -> None:
        options = {"master_name": "m", "sentinels": [("a", 1)], "sentinel_kwargs": {"password": "p"}, "db": 1}
        assert RedisAddress.parse("redis+sentinel://a:1/m/1?sentinel_password=p") == read(options)

    def test_tls_is_asked_for_with_the_class_or_with_ssl(self) -> None:
        options = {"master_name": "m", "sentinels": [("a", 1)]}
        by_class = read({**options, "connection_class": SentinelManagedSSLConnection})
        assert by_class == read({**options, "ssl": True})
        assert by_class.tls == TlsOptions()
        assert by_class.sentinels[0].tls is None

    @pytest.mark.parametrize(
        "changes",
        [
            {"sentinels": []},
            {"sentinels": None},
            {"sentinels": "secret"},
            {"sentinels": [("secret",)]},
            {"sentinels": ["secret"]},
            {"sentinels": [("h", "secret")]},
            {"sentinel_kwargs": "secret"},
            {"sentinel_kwargs": {"hots": "secret"}},
            {"host": "secret"},
            {"master_name": 5},
            {"min_other_sentinels": 1},
        ],
    )
    def test_what_is_not_whole_is_refused(self, changes: dict[str, Any]) -> None:
        with pytest.raises(WrongOption) as caught:
            read({"master_name": "m", "sentinels": [("a", 1)], **changes})
        assert "secret" not in str(caught.value)

    def test_hosts_have_no_url_for_it(self) -> None:
        with pytest.raises(WrongOption, match="master_name"):
            read("redis+sentinel://a/m")
