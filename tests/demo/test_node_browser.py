"""What a browser of the demo's nodes misses."""

from awxfast.demo.browsers import Tally
from awxfast.demo.node_browser import NodeBrowser


def browser_that_got(*events: tuple[int, int]) -> NodeBrowser:
    """Job and counter each."""
    browser = NodeBrowser(Tally(), "ws://nowhere/", [41, 42])
    for job, counter in events:
        browser.receive_event(job, counter)
    return browser


class TestMissed:
    def test_what_came_before_it_was_there_is_not_missed(self) -> None:
        assert browser_that_got((41, 17), (41, 18), (42, 3)).missed == 0

    def test_numbers_between_two_events_of_a_job_are(self) -> None:
        assert browser_that_got((41, 17), (42, 1), (41, 20), (42, 2)).missed == 2

    def test_first_events_of_a_node_that_came_back_are_not(self) -> None:
        browser = browser_that_got((41, 17), (42, 1))
        browser.forget(41)
        browser.receive_event(41, 30)
        browser.receive_event(41, 32)
        assert browser.missed == 1

    def test_job_of_a_node_that_came_back_begins_anew(self) -> None:
        assert browser_that_got((41, 900), (41, 1), (41, 2)).missed == 0
