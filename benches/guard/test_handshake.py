"""What a browser costs from its connection to its welcome and its end: CPU time, by that of plain sockets."""

import socket
import time

from servers import AwxfastServer

from guard.comparison import Benchmark
from guard.cpu_time import ServerClock
from guard.subscriber import HANDSHAKE, HANG

CLIENTS = 50
ROUNDS = 20
WELCOME_END = b'"user": 0}'
ANSWER = b"HTTP/1.1 101 Switching Protocols\r\n".ljust(160, b".") + WELCOME_END
"""About as long as the real one."""


def shake_hands(address: tuple[str, int]) -> socket.socket:
    """A browser that has asked to be upgraded."""
    browser = socket.create_connection(address, HANG)
    browser.sendall(HANDSHAKE)
    return browser


def read_welcome(browser: socket.socket) -> None:
    """Returns with the last byte of the welcome."""
    answer = b""
    while WELCOME_END not in answer:
        part = browser.recv(4096)
        assert part, answer
        answer += part


def answer_plainly(listener: socket.socket) -> float:
    """CPU seconds that the same takes a server that neither reads nor decides: accept, one read, one write, close."""
    browser = shake_hands(listener.getsockname())
    begin = time.thread_time()
    accepted, _ = listener.accept()
    accepted.recv(65536)
    accepted.sendall(ANSWER)
    seconds = time.thread_time() - begin
    read_welcome(browser)
    browser.close()
    begin = time.thread_time()
    accepted.recv(65536)
    accepted.close()
    return seconds + time.thread_time() - begin


def test_handshake(benchmark: Benchmark, relay: AwxfastServer) -> None:
    clock, address = ServerClock(relay.process.pid), ("127.0.0.1", relay.port)
    costs: list[float] = []
    plain: list[float] = []

    def come_and_go() -> None:
        before = clock.read_when_still()
        browsers = [shake_hands(address) for _ in range(CLIENTS)]
        for browser in browsers:
            read_welcome(browser)
        for browser in browsers:
            browser.close()
        costs.append(clock.read_when_still() - before)

    with socket.create_server(("127.0.0.1", 0), backlog=CLIENTS) as listener:
        benchmark.pedantic(
            come_and_go,
            setup=lambda: plain.append(sum(answer_plainly(listener) for _ in range(CLIENTS))),
            rounds=ROUNDS,
            warmup_rounds=1,
        )
    assert min(costs) > 0
    benchmark.extra_info["ratio"] = min(costs) / min(plain)
