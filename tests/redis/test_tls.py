"""TLS to a real Redis, with every option that redis-py has for it."""

import contextlib
import shutil
import ssl
import subprocess
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from awxfast.errors import ConfigurationError, RedisUnavailable
from awxfast.redis.address import RedisAddress
from awxfast.redis.tls import TlsOptions
from certificates import SelfSigned
from programs import require_program
from redis_impostors import connected
from redis_servers import RedisServer, free_port

Start = Callable[..., RedisServer]


class TlsRedis:
    """A Redis that wants a certificate of its clients, or not; `server` and `client` are who is who."""

    def __init__(self, start: Start, folder: Path, asks: str, *options: str) -> None:
        self.server, self.client = SelfSigned(folder), SelfSigned(folder, "client")
        self.port = free_port()
        certificate, key = self.server.files
        start(
            *("--tls-port", str(self.port), "--tls-cert-file", certificate, "--tls-key-file", key),
            *("--tls-ca-cert-file", str(self.client.certificate), "--tls-auth-clients", asks, *options),
        )

    def address(self, host: str = "localhost", **options: Any) -> RedisAddress:
        options = {"ssl_ca_certs": self.server.certificate, **options}
        return RedisAddress.from_options({"host": host, "port": self.port, "ssl": True, **options})


async def answers(address: RedisAddress) -> bool:
    async with connected(address) as connection:
        return bool(await connection.command("ECHO", b"x" * 100_000) == b"x" * 100_000)


async def refusal(address: RedisAddress) -> str:
    with pytest.raises(ConfigurationError) as caught:
        await answers(address)
    assert "\n" not in str(caught.value)
    return str(caught.value)


@pytest.fixture
def asking(start_redis: Start, tmp_path: Path) -> TlsRedis:
    return TlsRedis(start_redis, tmp_path, "yes")


@pytest.fixture
def easy(start_redis: Start, tmp_path: Path) -> TlsRedis:
    return TlsRedis(start_redis, tmp_path, "no", "--tls-protocols", "TLSv1.2")


class TestOwnCertificate:
    async def test_it_is_shown(self, asking: TlsRedis) -> None:
        certificate, key = asking.client.files
        assert await answers(asking.address(ssl_certfile=certificate, ssl_keyfile=key))

    async def test_key_may_have_a_password_and_stand_in_the_same_file(self, asking: TlsRedis, tmp_path: Path) -> None:
        other = SelfSigned(tmp_path, "other", password=b"word")
        both = tmp_path / "both.pem"
        both.write_bytes(other.certificate.read_bytes() + other.private_key.read_bytes())
        wrong = await refusal(asking.address(ssl_certfile=both))
        assert "ssl_password" in wrong
        assert "ssl_password" in await refusal(asking.address(ssl_certfile=both, ssl_password="secret"))
        tls = asking.address(ssl_certfile=both, ssl_password="word").tls
        assert tls is not None
        assert tls.context().get_ca_certs()

    @pytest.mark.parametrize("version", ["TLSv1.2", "TLSv1.3"])
    async def test_redis_that_wants_one_is_not_called_away(
        self, start_redis: Start, tmp_path: Path, version: str
    ) -> None:
        redis = TlsRedis(start_redis, tmp_path, "yes", "--tls-protocols", version)
        said = await refusal(redis.address())
        assert said.endswith("it wants a certificate of ours: ssl_certfile and ssl_keyfile")

    async def test_one_that_redis_does_not_know_is_refused_by_it(self, asking: TlsRedis, tmp_path: Path) -> None:
        certificate, key = SelfSigned(tmp_path, "stranger").files
        said = await refusal(asking.address(ssl_certfile=certificate, ssl_keyfile=key))
        assert "it refuses our TLS: unknown ca" in said

    @pytest.mark.parametrize("option", ["ssl_certfile", "ssl_keyfile", "ssl_ca_certs", "ssl_ca_path"])
    async def test_file_that_is_not_there_is_named_with_its_option(self, asking: TlsRedis, option: str) -> None:
        certificate, key = asking.client.files
        said = {"ssl_certfile": certificate, "ssl_keyfile": key, option: "/no/such.pem"}
        assert f"{option}=/no/such.pem" in await refusal(asking.address(**said))


class TestTrust:
    async def test_unknown_certificate_is_refused(self, easy: TlsRedis) -> None:
        assert "its certificate is refused: self-signed" in await refusal(easy.address(ssl_ca_certs=None))

    @pytest.mark.parametrize("form", ["data", "text", "folder"])
    async def test_authority_may_be_given_in_other_ways(self, easy: TlsRedis, tmp_path: Path, form: str) -> None:
        pem = easy.server.certificate.read_text()
        options = {
            "data": {"ssl_ca_data": ssl.PEM_cert_to_DER_cert(pem)},
            "text": {"ssl_ca_data": pem},
            "folder": {"ssl_ca_path": hashed(tmp_path / "authorities", easy.server.certificate)},
        }[form]
        assert await answers(easy.address(**{"ssl_ca_certs": None, **options}))

    async def test_nothing_is_checked_where_none_is_required(self, easy: TlsRedis) -> None:
        assert await answers(easy.address("127.0.0.2", ssl_ca_certs=None, ssl_cert_reqs="none"))

    async def test_optional_is_required_of_a_server_that_shows_one(self, easy: TlsRedis) -> None:
        assert await answers(easy.address(ssl_cert_reqs="optional"))
        assert "refused" in await refusal(easy.address(ssl_ca_certs=None, ssl_cert_reqs="optional"))

    async def test_wrong_name_is_refused_with_the_remedy(self, easy: TlsRedis) -> None:
        assert "ssl_check_hostname=false" in await refusal(easy.address("127.0.0.2"))
        assert await answers(easy.address("127.0.0.2", ssl_check_hostname=False))

    async def test_context_of_the_sites_own_is_used_as_it_is(self, easy: TlsRedis) -> None:
        address = RedisAddress(host="localhost", port=easy.port, tls=TlsOptions(own=easy.server.trust()))
        assert await answers(address)

    async def test_flags_are_set(self, easy: TlsRedis) -> None:
        assert "CRL" in await refusal(easy.address(ssl_include_verify_flags=[ssl.VerifyFlags.VERIFY_CRL_CHECK_LEAF]))


class TestVersions:
    async def test_least_version_is_kept(self, easy: TlsRedis) -> None:
        assert await answers(easy.address(ssl_min_version=ssl.TLSVersion.TLSv1_2))
        assert "protocol version" in await refusal(easy.address(ssl_min_version=ssl.TLSVersion.TLSv1_3))

    async def test_ciphers_are_those_that_are_named(self, easy: TlsRedis) -> None:
        tls = easy.address(ssl_ciphers="ECDHE-ECDSA-AES128-GCM-SHA256").tls
        assert tls is not None
        names = [cipher["name"] for cipher in tls.context().get_ciphers()]
        assert "ECDHE-ECDSA-AES128-GCM-SHA256" in names
        assert "ECDHE-ECDSA-AES256-GCM-SHA384" not in names
        assert await answers(easy.address(ssl_ciphers="ECDHE-ECDSA-AES128-GCM-SHA256"))
        assert "ssl_ciphers" in await refusal(easy.address(ssl_ciphers="NONE-SUCH"))


class TestAfterwards:
    async def test_connection_that_ends_without_tls_is_away(self, easy: TlsRedis, start_redis: Start) -> None:
        async with connected(easy.address()) as connection:
            with contextlib.suppress(RedisUnavailable):
                await connection.command("SHUTDOWN", "NOSAVE")
            assert "it closed the connection" in str(await connection.lost)


def hashed(folder: Path, certificate: Path) -> str:
    """A folder as OpenSSL wants it: files have the names of their subjects' hashes."""
    folder.mkdir()
    openssl = require_program("openssl")
    done = subprocess.run([openssl, "x509", "-hash", "-noout", "-in", certificate], capture_output=True, check=True)
    shutil.copy(certificate, folder / f"{done.stdout.decode().strip()}.0")
    return str(folder)
