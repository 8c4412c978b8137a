"""What `--auth` makes of its value."""

import json
from pathlib import Path

import pytest
from awxfast.errors import ConfigurationError
from awxfast.native.access import OpenAccess, RefuseAccess
from awxfast.native.auth_option import build_access
from awxfast.native.forward import ForwardAccess
from awxfast.native.tokens_file import TokensAccess
from awxfast.settings import Settings


class TestAccess:
    def test_nobody_by_default_and_the_log_says_so(self, caplog: pytest.LogCaptureFixture) -> None:
        assert isinstance(build_access(Settings()), RefuseAccess)
        assert "--auth says who may connect" in caplog.text

    def test_open(self) -> None:
        assert isinstance(build_access(Settings(auth="open")), OpenAccess)

    def test_tokens(self, tmp_path: Path) -> None:
        (tmp_path / "a=b.json").write_text(json.dumps({"t": {"user": 7}}))
        assert isinstance(build_access(Settings(auth=f"tokens={tmp_path}/a=b.json")), TokensAccess)

    def test_forward(self) -> None:
        assert isinstance(build_access(Settings(auth="forward=https://127.0.0.1/api/v2/me/")), ForwardAccess)

    @pytest.mark.parametrize("auth", ["", "opened", "tokens", "tokens=", "forward=", "s3cret", "password=s3cret"])
    def test_anything_else_is_refused_without_repeating_a_secret(self, auth: str) -> None:
        with pytest.raises(ConfigurationError, match="give tokens=FILE, forward=URL or open") as caught:
            build_access(Settings(auth=auth))
        assert "s3cret" not in str(caught.value)
