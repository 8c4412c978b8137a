"""Why somebody was not reached, told apart."""

import errno
import socket
import ssl

import pytest
from awxfast.system.connect_failure import Remedies, describe_redirect, explain_unreached

REMEDIES = Remedies(refused="is it there?", certificate="trust it", tls="speak TLS")


def explain(error: BaseException) -> str:
    found = explain_unreached(error, REMEDIES)
    assert found is not None
    return found[1]


class TestWords:
    @pytest.mark.parametrize(
        ("error", "text"),
        [
            (TimeoutError(), "no answer in time"),
            (ConnectionRefusedError(errno.ECONNREFUSED, "x"), "connection refused (is it there?)"),
            (OSError(errno.EHOSTUNREACH, "x"), "no route to the host"),
            (OSError("Multiple exceptions: [Errno 113] x, [Errno 111] y"), "no route to the host"),
            (socket.gaierror(-2, "x"), "the host's name is not known"),
            (ssl.SSLError(1, "wrong version number"), "it does not speak TLS as we do; speak TLS"),
            (OSError(errno.EIO, "x"), "Input/output error"),
        ],
    )
    def test_each_fault_has_its_own(self, error: BaseException, text: str) -> None:
        assert explain(error) == text

    def test_certificate_says_what_is_wrong_with_it(self) -> None:
        error = ssl.SSLCertVerificationError(1, "x")
        error.verify_message = "Hostname mismatch"
        assert explain(error) == "its certificate is refused: Hostname mismatch; trust it"

    def test_error_that_holds_another_is_that_other(self) -> None:
        error = Exception("of a library")
        error.os_error = ConnectionRefusedError(errno.ECONNREFUSED, "x")  # type: ignore[attr-defined]
        assert explain(error).startswith("connection refused")

    def test_fault_in_what_was_said_is_none_of_the_way(self) -> None:
        assert explain_unreached(ValueError("no HTTP"), REMEDIES) is None


class TestRedirects:
    def test_neither_path_nor_credentials_are_repeated(self) -> None:
        assert describe_redirect("https://user:word@a:8443/x?y") == (" to https://a:8443", "https")

    @pytest.mark.parametrize("location", ["", "/x", "http://["])
    def test_what_names_no_host_is_elsewhere(self, location: str) -> None:
        assert describe_redirect(location)[0] == " elsewhere"
