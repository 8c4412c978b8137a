"""What channels_redis is given for a master that a URL of ours names."""

from awxfast.redis.address import RedisAddress
from awxfast.redis.client_library import describe_sentinel

URLS = (
    "redis+sentinel://a:1,b:2/m",
    "redis+sentinel://u:p@a:1/m/3?sentinel_password=s&client_name=c&socket_timeout=2&socket_connect_timeout=1",
    "rediss+sentinel://a:1/m?ssl_cert_reqs=none&ssl_certfile=/c&ssl_keyfile=/k&sentinel_ssl_ca_certs=/a",
)


def test_dictionary_says_the_same_as_the_url() -> None:
    for url in URLS:
        address = RedisAddress.parse(url)
        assert RedisAddress.from_options(describe_sentinel(address)) == address


def test_only_what_is_said_is_in_it() -> None:
    assert describe_sentinel(RedisAddress.parse(URLS[0])) == {
        "master_name": "m",
        "sentinels": [("a", 1), ("b", 2)],
        "sentinel_kwargs": {},
    }
