"""Tokens files, and what tokens open."""

import json
from pathlib import Path
from typing import Any

import pytest
from awxfast.errors import ConfigurationError
from awxfast.native.tokens_file import TokensAccess
from awxfast.wire.browser_commands import Want
from awxfast.wire.request import Request

ANONYMOUS = Request("GET", "1.1", "/websocket/")


def write(path: Path, document: Any) -> Path:
    file = path / "tokens.json"
    file.write_text(document if isinstance(document, str) else json.dumps(document))
    return file


def by_query(token: str) -> Request:
    return Request("GET", "1.1", "/websocket/", f"token={token}".encode())


def by_header(token: str) -> Request:
    return Request("GET", "1.1", "/websocket/", headers=((b"authorization", f"Bearer {token}".encode()),))


def want(group: str) -> Want:
    return Want(group, *group.split("-", 1))


class TestTokens:
    @pytest.mark.parametrize("request_of", [by_query, by_header])
    def test_token_tells_the_user(self, tmp_path: Path, request_of: Any) -> None:
        access = TokensAccess(write(tmp_path, {"T": {"user": 7}, "U": {"user": 8}}))
        identity = access.identify(request_of("T"))
        assert identity is not None
        assert (identity.user, identity.by_session) == (7, False)

    @pytest.mark.parametrize("request_", [ANONYMOUS, by_query("t"), by_query(""), by_header("TT")])
    def test_others_are_nobody(self, tmp_path: Path, request_: Request) -> None:
        assert TokensAccess(write(tmp_path, {"T": {"user": 7}})).identify(request_) is None

    async def test_without_groups_everything_may_be_seen(self, tmp_path: Path) -> None:
        access = TokensAccess(write(tmp_path, {"T": {"user": 7}}))
        identity = access.identify(by_query("T"))
        assert identity is not None
        assert await access.may_subscribe(identity, want("job_events-42"))

    @pytest.mark.parametrize(
        ("groups", "group", "allowed"),
        [
            (["job_events-*", "jobs-status_changed"], "job_events-42", True),
            (["job_events-*", "jobs-status_changed"], "jobs-status_changed", True),
            (["job_events-*", "jobs-status_changed"], "jobs-summary", False),
            (["job_events-*"], "project_job_events-1", False),
            (["job_events-4"], "job_events-42", False),
            (["job.events-*"], "job_events-42", False),
            (["job_events-4?"], "job_events-42", False),
            (["*-42"], "job_events-42", True),
            (["*"], "anything-1", True),
            ([], "anything-1", False),
        ],
    )
    async def test_groups_are_globs_over_whole_names(
        self, tmp_path: Path, groups: list[str], group: str, allowed: bool
    ) -> None:
        access = TokensAccess(write(tmp_path, {"T": {"user": 7, "groups": groups}}))
        identity = access.identify(by_query("T"))
        assert identity is not None
        assert await access.may_subscribe(identity, want(group)) is allowed
        assert access.recall_right(identity, want(group)) is allowed

    def test_tokens_are_not_kept_in_clear(self, tmp_path: Path) -> None:
        access = TokensAccess(write(tmp_path, {"SECRET": {"user": 7}}))
        assert "SECRET" not in repr(vars(access))


class TestReload:
    def test_file_is_read_again(self, tmp_path: Path) -> None:
        access = TokensAccess(write(tmp_path, {"T": {"user": 7}}))
        write(tmp_path, {"U": {"user": 8}})
        access.reload()
        assert access.identify(by_query("T")) is None
        assert access.identify(by_query("U")) is not None

    def test_fault_changes_nothing(self, tmp_path: Path) -> None:
        access = TokensAccess(write(tmp_path, {"T": {"user": 7}}))
        write(tmp_path, "{")
        with pytest.raises(ConfigurationError):
            access.reload()
        assert access.identify(by_query("T")) is not None


class TestFaults:
    @pytest.mark.parametrize(
        ("document", "named"),
        [
            ("{", "not JSON"),
            ("", "not JSON"),
            ("[" * 100_000, "not JSON"),
            ("[]", "an object"),
            ('"SECRET"', "an object"),
            ({"SECRET": 7}, "entry 1"),
            ({"SECRET": {}}, "entry 1: user"),
            ({"SECRET": {"user": "7"}}, "entry 1: user"),
            ({"SECRET": {"user": True}}, "entry 1: user"),
            ({"SECRET": {"user": 2**63}}, "entry 1: user"),
            ({"SECRET": {"user": -(2**63)}}, "entry 1: user"),
            ({"SECRET": {"user": 7, "groups": ["a\ud800*"]}}, "entry 1: groups"),
            ({"SECRET": {"user": 7, "groups": "a"}}, "entry 1: groups"),
            ({"SECRET": {"user": 7, "groups": [1]}}, "entry 1: groups"),
            ({"SECRET": {"user": 7, "group": []}}, "entry 1"),
            ({"SECRET": {"user": 7}, " ": {"user": 8}}, "entry 2: the token is empty"),
        ],
    )
    def test_each_is_one_line_that_names_the_place_and_no_token(
        self, tmp_path: Path, document: Any, named: str
    ) -> None:
        file = write(tmp_path, document)
        with pytest.raises(ConfigurationError) as caught:
            TokensAccess(file)
        text = str(caught.value)
        assert str(file) in text
        assert named in text
        assert "SECRET" not in text
        assert "\n" not in text

    def test_file_that_is_not_there(self, tmp_path: Path) -> None:
        with pytest.raises(ConfigurationError, match="No such file"):
            TokensAccess(tmp_path / "nothing")

    def test_file_that_is_no_text(self, tmp_path: Path) -> None:
        file = tmp_path / "tokens.json"
        file.write_bytes(b"\xff\xfe")
        with pytest.raises(ConfigurationError, match="not JSON"):
            TokensAccess(file)
