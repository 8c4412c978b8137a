"""curl against the site."""

import hashlib
import json
import subprocess
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest
from parity.hosts import HostingServer
from programs import require_program
from project.documents import DOCUMENT, ETAG
from servers import HANG

SMALL = b"a=b&c=d"
LARGE = bytes(range(251)) * 20_000
"""Past the megabyte from which on curl asks before it sends."""


@dataclass
class Answer:
    """What came of one transfer. `told` is curl's own account of it; `raw` has every head that came."""

    told: dict[str, Any]
    raw: str
    body: bytes

    @property
    def status(self) -> int:
        return int(self.told["http_code"])

    @property
    def connections(self) -> int:
        """How many it had to open."""
        return int(self.told["num_connects"])

    @property
    def headers(self) -> dict[str, str]:
        """Of the last head."""
        _, *lines = self.raw.strip().split("\r\n\r\n")[-1].split("\r\n")
        return {name.lower(): value for name, _, value in (line.partition(": ") for line in lines)}


class Curl:
    """Fetches from a server, several things over one connection, with the options of each."""

    def __init__(self, server: HostingServer, folder: Path) -> None:
        self.program, self.server, self.folder = require_program("curl"), server, folder

    def fetch(self, *transfers: tuple[str, *tuple[str, ...]]) -> list[Answer]:
        command = [self.program]
        for number, (path, *options) in enumerate(transfers):
            command += ["--next"] * bool(number)
            command += ["--silent", "--show-error", "--max-time", str(HANG), "--write-out", "%{json}\n", *options]
            command += [
                "--output",
                str(self.folder / f"body-{number}"),
                "--dump-header",
                str(self.folder / f"head-{number}"),
            ]
            command += [self.server.url(path, "http")]
        done = subprocess.run(command, capture_output=True, text=True, timeout=HANG, check=False)
        assert done.returncode == 0, done.stderr
        return [self.read(number, line) for number, line in enumerate(done.stdout.splitlines())]

    def read(self, number: int, line: str) -> Answer:
        body = self.folder / f"body-{number}"
        head = (self.folder / f"head-{number}").read_bytes().decode("latin-1")
        return Answer(json.loads(line), head, body.read_bytes() if body.exists() else b"")

    def upload(self, content: bytes, *options: str) -> Answer:
        """Sends what is in a file, as the options say."""
        file = self.folder / "upload"
        file.write_bytes(content)
        (answer,) = self.fetch(("/echo/", *(option.replace("FILE", str(file)) for option in options)))
        return answer


@pytest.fixture
def curl(server: HostingServer, tmp_path: Path) -> Curl:
    return Curl(server, tmp_path)


def received(method: str, content: bytes) -> dict[str, Any]:
    """What the site tells of a body that it got whole."""
    return {"method": method, "length": len(content), "sha256": hashlib.sha256(content).hexdigest()}


class TestUploads:
    @pytest.mark.parametrize("content", [b"", SMALL, LARGE], ids=["empty", "small", "large"])
    @pytest.mark.parametrize("framing", [[], ["--header", "Transfer-Encoding: chunked"]], ids=["length", "chunked"])
    def test_body_arrives_whole(self, curl: Curl, content: bytes, framing: list[str]) -> None:
        answer = curl.upload(content, "--data-binary", "@FILE", *framing)
        assert json.loads(answer.body) == received("POST", content)

    def test_file_is_put(self, curl: Curl) -> None:
        assert json.loads(curl.upload(LARGE, "--upload-file", "FILE").body) == received("PUT", LARGE)

    def test_curl_is_told_to_go_on_before_it_sends_a_large_body(self, curl: Curl) -> None:
        answer = curl.upload(LARGE, "--data-binary", "@FILE", "--header", "Expect: 100-continue")
        assert answer.raw.startswith("HTTP/1.1 100 Continue\r\n\r\nHTTP/1.1 200 OK\r\n")

    @pytest.mark.parametrize("content", [SMALL, LARGE], ids=["small", "large"])
    def test_body_with_an_offer_of_http_2_is_the_requests_own(self, curl: Curl, content: bytes) -> None:
        """Who does not take an upgrade goes on in HTTP/1.1 (RFC 9110 section 7.8)."""
        answer = curl.upload(content, "--http2", "--data-binary", "@FILE")
        assert (answer.status, answer.told["http_version"]) == (200, "1.1")
        assert json.loads(answer.body) == received("POST", content)

    def test_form_with_a_file(self, curl: Curl, tmp_path: Path) -> None:
        (tmp_path / "file").write_bytes(LARGE)
        form = ["--form", "name=Zoë", "--form", f"file=@{tmp_path}/file"]
        (answer,) = curl.fetch(("/upload/", *form))
        expected = {"fields": {"name": "Zoë"}, "files": {"file": hashlib.sha256(LARGE).hexdigest()}}
        assert json.loads(answer.body) == expected


class TestDownloads:
    def test_document_is_whole(self, curl: Curl) -> None:
        (answer,) = curl.fetch(("/document/",))
        assert answer.body == DOCUMENT
        assert answer.headers["content-length"] == str(len(DOCUMENT))

    def test_response_of_unknown_length_comes_in_chunks(self, curl: Curl) -> None:
        (answer,) = curl.fetch(("/download/3000000/",))
        assert answer.body == b"x" * 3_000_000
        assert answer.headers["transfer-encoding"] == "chunked" and "content-length" not in answer.headers

    def test_response_to_http_1_0_ends_with_the_connection(self, curl: Curl) -> None:
        (answer,) = curl.fetch(("/download/100000/", "--http1.0"))
        assert answer.body == b"x" * 100_000
        assert "transfer-encoding" not in answer.headers

    def test_ranges(self, curl: Curl) -> None:
        middle, end, beyond = curl.fetch(
            ("/document/", "--range", "100-199"),
            ("/document/", "--range", f"{len(DOCUMENT) - 10}-"),
            ("/document/", "--range", f"{len(DOCUMENT)}-"),
        )
        assert (middle.status, middle.body) == (206, DOCUMENT[100:200])
        assert middle.headers["content-range"] == f"bytes 100-199/{len(DOCUMENT)}"
        assert (end.status, end.body) == (206, DOCUMENT[-10:])
        assert (beyond.status, beyond.headers["content-range"]) == (416, f"bytes */{len(DOCUMENT)}")

    def test_download_is_resumed(self, curl: Curl, tmp_path: Path) -> None:
        (tmp_path / "body-0").write_bytes(DOCUMENT[:1234])
        (answer,) = curl.fetch(("/document/", "--continue-at", "-"))
        assert (answer.status, answer.body) == (206, DOCUMENT)
        assert answer.told["size_download"] == len(DOCUMENT) - 1234

    def test_events_of_a_stream(self, curl: Curl) -> None:
        (answer,) = curl.fetch(("/events/", "--no-buffer", "--header", "Last-Event-ID: 8"))
        assert answer.headers["content-type"].startswith("text/event-stream")
        assert answer.body == b"retry: 50\n\n" + b"".join(b"id: %d\ndata: %d\n\n" % (n, n) for n in (9, 10, 11))


class TestConditions:
    def test_document_that_curl_has_is_not_sent_again(self, curl: Curl, tmp_path: Path) -> None:
        first, second, third = curl.fetch(
            ("/document/", "--etag-save", str(tmp_path / "etag")),
            ("/document/", "--header", f"If-None-Match: {ETAG}"),
            ("/document/", "--time-cond", "Fri, 01 Mar 2024 00:00:00 GMT"),
        )
        assert (first.status, first.headers["etag"]) == (200, ETAG)
        assert (tmp_path / "etag").read_text().strip() == ETAG
        assert [(answer.status, answer.body, answer.connections) for answer in (second, third)] == [(304, b"", 0)] * 2

    def test_older_copy_is_replaced(self, curl: Curl) -> None:
        (answer,) = curl.fetch(("/document/", "--time-cond", "Thu, 01 Feb 2024 00:00:00 GMT"))
        assert (answer.status, answer.body) == (200, DOCUMENT)

    def test_change_of_another_document_is_refused(self, curl: Curl) -> None:
        (answer,) = curl.fetch(("/document/", "--header", 'If-Match: "another"'))
        assert answer.status == 412


class TestConnections:
    def test_one_connection_serves_all_kinds_of_responses(self, curl: Curl) -> None:
        """Those without a body among them (RFC 9112 section 6.3): the next response is the next request's."""
        answers = curl.fetch(
            ("/where/",),
            ("/document/", "--head"),
            ("/nothing/",),
            ("/nothing/", "--head"),
            ("/document/", "--header", f"If-None-Match: {ETAG}"),
            ("/download/70000/",),
            ("/download/70000/", "--head"),
            ("/echo/", "--data", "a"),
            ("/nowhere/",),
            ("/where/",),
        )
        assert [answer.connections for answer in answers] == [1] + [0] * 9
        assert [answer.status for answer in answers] == [200, 200, 204, 204, 304, 200, 200, 200, 404, 200]
        assert answers[0].body == answers[-1].body != b""

    def test_head_tells_the_length_of_the_document(self, curl: Curl) -> None:
        (answer,) = curl.fetch(("/document/", "--head"))
        assert answer.headers["content-length"] == str(len(DOCUMENT))
        assert answer.told["size_download"] == 0

    def test_no_content_has_no_length(self, curl: Curl) -> None:
        """RFC 9110 section 8.6."""
        (answer,) = curl.fetch(("/nothing/",))
        assert (answer.status, answer.body) == (204, b"")
        assert not {"content-length", "transfer-encoding"} & set(answer.headers)

    def test_connection_that_curl_ends_is_not_kept(self, curl: Curl) -> None:
        first, second = curl.fetch(("/where/", "--header", "Connection: close"), ("/where/",))
        assert first.headers["connection"] == "close"
        assert (first.connections, second.connections) == (1, 1)

    def test_each_response_has_one_date_and_one_server(self, curl: Curl) -> None:
        (answer,) = curl.fetch(("/where/",))
        names = [line.partition(":")[0].lower() for line in answer.raw.splitlines()]
        assert (names.count("date"), names.count("server")) == (1, 1)

    def test_parallel_transfers(self, curl: Curl) -> None:
        command = [curl.program, "--silent", "--show-error", "--parallel", "--parallel-immediate"]
        command += ["--write-out", "%{http_code} %{size_download}\n"]
        for number in range(8):
            command += ["--output", str(curl.folder / str(number)), curl.server.url("/document/", "http")]
        done = subprocess.run(command, capture_output=True, text=True, timeout=HANG, check=True)
        assert done.stdout.splitlines() == [f"200 {len(DOCUMENT)}"] * 8
