"""What wrk prints, as figures."""

import pytest
from peers.servers import RunFailed
from traffic.page_requests import read_words

PRINTED = """Running 3s test @ http://127.0.0.1:8000/
  1 threads and 32 connections
  Thread Stats   Avg      Stdev     Max   +/- Stdev
    Latency     9.83ms    4.01ms  64.54ms   87.62%
    Req/Sec     3.31k   401.52     3.79k    83.87%
  Latency Distribution
     50%    9.21ms
     75%   10.53ms
     90%   13.16ms
     99%    1.05s
  10209 requests in 3.10s, 1.52MB read
Requests/sec:   3292.90
Transfer/sec:    501.65KB
"""


class TestWords:
    def test_requests_seconds_and_latencies(self) -> None:
        expected = {"requests": 10209, "seconds": 3.1, "p50_ms": 9.21, "p99_ms": 1050.0}
        assert read_words(PRINTED) == pytest.approx(expected)

    @pytest.mark.parametrize(
        "words",
        [
            PRINTED + "  Non-2xx or 3xx responses: 7\n",
            PRINTED + "  Socket errors: connect 0, read 2, write 0, timeout 0\n",
            "unable to connect to 127.0.0.1:1 Connection refused\n",
        ],
    )
    def test_run_with_a_response_that_failed_has_no_figures(self, words: str) -> None:
        with pytest.raises(RunFailed):
            read_words(words)
