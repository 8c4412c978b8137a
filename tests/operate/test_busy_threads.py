"""Threads at work."""

import threading
from concurrent.futures import ThreadPoolExecutor

from awxfast.operate.busy_threads import count_busy_threads


def test_only_threads_with_work_count() -> None:
    go, begun = threading.Event(), threading.Semaphore(0)

    def work() -> None:
        begun.release()
        go.wait()

    before = count_busy_threads()
    with ThreadPoolExecutor(3) as pool:
        done = [pool.submit(work) for _ in range(2)]
        for _ in done:
            begun.acquire()
        assert count_busy_threads() == before + 2
        go.set()
        for one in done:
            one.result()
    assert count_busy_threads() == before


def test_threads_of_no_pool_do_not_count() -> None:
    go = threading.Event()
    thread = threading.Thread(target=go.wait)
    before = count_busy_threads()
    thread.start()
    assert count_busy_threads() == before
    go.set()
    thread.join()
