"""Certificates and keys: which file is to blame, and what a renewal does."""

import ssl
from pathlib import Path

import pytest
from awxfast.errors import ConfigurationError
from awxfast.http.tls import Certificate
from certificates import SelfSigned


@pytest.fixture
def good(tmp_path: Path) -> SelfSigned:
    return SelfSigned(tmp_path)


def shown_by(context: ssl.SSLContext) -> bytes:
    """The certificate that a client gets to see, as PEM."""
    client = ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)
    client.check_hostname, client.verify_mode = False, ssl.CERT_NONE
    to_client, to_server = ssl.MemoryBIO(), ssl.MemoryBIO()
    asking = client.wrap_bio(to_client, to_server)
    answering = context.wrap_bio(to_server, to_client, server_side=True)
    for side in (asking, answering, asking, answering, asking):
        try:
            side.do_handshake()
        except ssl.SSLWantReadError:
            continue
    shown = asking.getpeercert(binary_form=True)
    assert shown is not None
    return ssl.DER_cert_to_PEM_cert(shown).encode()


class TestFaults:
    @pytest.mark.parametrize(("broken", "name"), [("certificate", "certKey"), ("private_key", "privateKey")])
    def test_file_that_is_not_there(self, good: SelfSigned, broken: str, name: str) -> None:
        path: Path = getattr(good, broken)
        path.unlink()
        with pytest.raises(ConfigurationError, match=f"^{name}={path}: No such file or directory; "):
            Certificate(*good.files)

    @pytest.mark.parametrize(("broken", "name"), [("certificate", "certKey"), ("private_key", "privateKey")])
    def test_file_that_holds_something_else(self, good: SelfSigned, broken: str, name: str) -> None:
        path: Path = getattr(good, broken)
        path.write_text("no PEM\n")
        with pytest.raises(ConfigurationError, match=f"^{name}={path}: there is no "):
            Certificate(*good.files)

    def test_key_of_another_certificate(self, good: SelfSigned, tmp_path: Path) -> None:
        other = SelfSigned(tmp_path, "other")
        with pytest.raises(ConfigurationError, match=f"^privateKey={other.private_key}: it is not the key of "):
            Certificate(good.files[0], other.files[1])

    def test_key_with_a_password_asks_nobody(self, tmp_path: Path) -> None:
        locked = SelfSigned(tmp_path, "locked", password=b"of a test")
        with pytest.raises(ConfigurationError, match=f"^privateKey={locked.private_key}: .* one with a password"):
            Certificate(*locked.files)


class TestReload:
    def test_new_certificate_is_shown(self, good: SelfSigned, tmp_path: Path) -> None:
        certificate = Certificate(*good.files)
        old = good.certificate.read_bytes()
        assert shown_by(certificate.context) == old
        SelfSigned(tmp_path)
        certificate.reload()
        assert shown_by(certificate.context) == good.certificate.read_bytes() != old

    def test_faulty_one_changes_nothing(self, good: SelfSigned) -> None:
        certificate = Certificate(*good.files)
        old = good.certificate.read_bytes()
        good.private_key.write_text("no PEM\n")
        with pytest.raises(ConfigurationError, match="privateKey="):
            certificate.reload()
        assert shown_by(certificate.context) == old


class TestContext:
    def test_old_versions_are_refused(self, good: SelfSigned) -> None:
        assert Certificate(*good.files).context.minimum_version >= ssl.TLSVersion.TLSv1_2
