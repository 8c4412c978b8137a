"""What an address says of who we are for NATS, and how that goes wrong."""

import itertools
import ssl
from pathlib import Path

import nkeys
import pytest
from awxfast.engine.address import EngineAddress
from awxfast.engine.nats_options import NatsOptions
from awxfast.errors import ConfigurationError
from certificates import SelfSigned
from nats_keys import NatsKey, NatsOperator


def read(url: str) -> NatsOptions:
    return NatsOptions.of(EngineAddress.parse(url))


class TestLogin:
    def test_nobody_says_nothing(self) -> None:
        assert read("nats://a").read_login() == {}

    def test_user_and_password_are_read(self) -> None:
        assert read("nats://u%40x:p%3Aw@a").read_login() == {"user": "u@x", "password": "p:w"}

    def test_user_alone_is_a_token(self) -> None:
        assert read("nats://sesame@a").read_login() == {"token": "sesame"}

    def test_files_are_read_anew(self, tmp_path: Path) -> None:
        (tmp_path / "t").write_text("one\n")
        options = read(f"nats://a?token_file={tmp_path}/t")
        (tmp_path / "t").write_text("two\n")
        assert options.read_login() == {"token": "two"}

    def test_seed_and_credentials_are_handed_on(self, tmp_path: Path) -> None:
        key, operator = NatsKey(nkeys.PREFIX_BYTE_USER), NatsOperator()
        (tmp_path / "k").write_text(key.seed)
        operator.write_creds(tmp_path / "c")
        assert read(f"nats://a?nkey={tmp_path}/k").read_login() == {"nkeys_seed_str": key.seed}
        creds = read(f"nats://a?creds={tmp_path}/c").read_login()["user_credentials"]
        assert operator.users_word in creds and operator.user.seed in creds

    def test_credentials_with_line_ends_of_windows(self, tmp_path: Path) -> None:
        operator = NatsOperator()
        operator.write_creds(tmp_path / "c")
        (tmp_path / "w").write_bytes((tmp_path / "c").read_bytes().replace(b"\n", b"\r\n"))
        assert str(read(f"nats://a?creds={tmp_path}/w").read_login()["user_credentials"]).count("\r") == 0

    def test_nobody_reads_a_secret_in_the_options(self) -> None:
        assert "hidden" not in repr(read("nats://u:hidden@a"))
        assert "hidden" not in repr(read("nats://hidden@a"))


class TestRefusals:
    @pytest.mark.parametrize(
        ("options", "line"),
        [
            ("cred=x", "--engine: NATS has no option 'cred'; it has creds, nkey, token_file, prefix and ssl_*"),
            ("ssl_cert_reqs=maybe", "--engine: ssl_cert_reqs is required, optional or none"),
            ("creds=/none", "--engine: creds=/none can't be read: No such file or directory"),
            ("token_file=/", "--engine: token_file=/ can't be read: Is a directory"),
            ("creds=/a&nkey=/b", "--engine: a user, creds, nkey, token_file: one of them says who we are"),
        ],
    )
    def test_option_that_cannot_be_obeyed_is_one_line(self, options: str, line: str) -> None:
        with pytest.raises(ConfigurationError) as raised:
            read(f"nats://a?{options}")
        assert str(raised.value) == line

    def test_user_beside_a_file_is_refused(self) -> None:
        with pytest.raises(ConfigurationError, match="one of them says who we are"):
            read("nats://u:p@a?token_file=/x")

    @pytest.mark.parametrize(
        ("name", "content"),
        [
            *itertools.product(("creds", "nkey", "token_file"), (b"", b"\xff\xfe")),
            *itertools.product(("creds", "nkey"), (b"SUhidden", b"BEGIN NATS USER JWT\nBEGIN USER NKEY SEED")),
        ],
    )
    def test_file_with_something_else_is_refused_without_telling_it(
        self, tmp_path: Path, name: str, content: bytes
    ) -> None:
        (tmp_path / "f").write_bytes(content)
        with pytest.raises(ConfigurationError) as raised:
            read(f"nats://a?{name}={tmp_path}/f")
        assert "hidden" not in str(raised.value) and name in str(raised.value)


class TestTls:
    def test_plain_address_leaves_tls_to_the_server(self) -> None:
        assert read("nats://a").make_tls() is None

    @pytest.mark.parametrize("url", ["tls://a", "nats://a?ssl_check_hostname=true"])
    def test_asked_for_tls_checks_certificate_and_name(self, url: str) -> None:
        context = read(url).make_tls()
        assert context is not None and context.check_hostname and context.verify_mode == ssl.CERT_REQUIRED

    def test_certificate_that_is_none_is_named_at_the_start(self, tmp_path: Path) -> None:
        (tmp_path / "c").write_text("no certificate")
        with pytest.raises(ConfigurationError, match="ssl_ca_certs="):
            read(f"tls://a?ssl_ca_certs={tmp_path}/c")
        signed = SelfSigned(tmp_path)
        with pytest.raises(ConfigurationError, match="ssl_certfile="):
            read(f"tls://a?ssl_certfile={signed.certificate}")
