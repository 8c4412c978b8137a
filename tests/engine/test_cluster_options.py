"""How each server of a cluster is connected to."""

from pathlib import Path

import pytest
from awxfast.engine.address import EngineAddress
from awxfast.engine.cluster_options import at, read_access
from awxfast.errors import ConfigurationError
from certificates import SelfSigned


class TestAccess:
    def test_login_and_times_are_for_every_server(self) -> None:
        access = read_access(EngineAddress.parse("redis-cluster://relay:p%2F@a:1,b:2?socket_timeout=3"))
        server = at(access, ("c", 3))
        assert (server.host, server.port, server.username, server.password) == ("c", 3, "relay", "p/")
        assert (server.answer_seconds, server.tls, server.db) == (3.0, None, 0)

    def test_tls_by_redis_pys_options(self, tmp_path: Path) -> None:
        certificate, key = SelfSigned(tmp_path).files
        options = f"ssl_ca_certs={certificate}&ssl_certfile={certificate}&ssl_keyfile={key}&ssl_check_hostname=false"
        tls = read_access(EngineAddress.parse(f"rediss-cluster://a?{options}")).tls
        assert tls is not None
        assert (tls.ca_certs, tls.certfile, tls.keyfile, tls.check_hostname) == (certificate, certificate, key, False)

    @pytest.mark.parametrize(
        ("url", "said"),
        [
            ("redis-cluster://a?db=1", "db means nothing"),
            ("redis-cluster://a?host=b", "host means nothing"),
            ("redis-cluster://a?ssl_ca_certs=/x", "ssl_ca_certs needs TLS: rediss-cluster://"),
            ("redis-cluster://a?colour=red", "colour: there is no such option"),
            ("rediss-cluster://a?ssl_ca_certs=/not/there", "ssl_ca_certs=/not/there is not a readable PEM file"),
            ("rediss-cluster://a?ssl_check_hostname=perhaps", "ssl_check_hostname is true or false"),
        ],
    )
    def test_what_cannot_be_obeyed_is_named(self, url: str, said: str) -> None:
        with pytest.raises(ConfigurationError, match=f"--engine: {said}"):
            read_access(EngineAddress.parse(url))

    def test_password_is_in_no_text(self) -> None:
        access = read_access(EngineAddress.parse("redis-cluster://relay:secret@a"))
        assert "secret" not in f"{access} {access!r}"
