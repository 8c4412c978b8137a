"""Processes that start together wait for each other at each step."""

from typing import Any, cast

from awxfast.process.child_handle import ChildHandle
from awxfast.process.common_start import CommonStep


class Child:
    def __init__(self) -> None:
        self.heard: list[str] = []

    def send(self, kind: str, **fields: Any) -> None:
        self.heard.append(kind)


def make(count: int) -> list[ChildHandle]:
    return [cast("ChildHandle", Child()) for _ in range(count)]


def list_heard(children: list[ChildHandle]) -> list[list[str]]:
    return [cast("Child", child).heard for child in children]


def test_all_hear_the_word_when_the_last_is_there() -> None:
    step, children = CommonStep(3, "listen"), make(3)
    for number in range(2):
        step.wait(number, children[number])
    assert list_heard(children) == [[], [], []]
    step.wait(2, children[2])
    assert list_heard(children) == [["listen"]] * 3


def test_one_that_dies_while_it_waits_is_waited_for_anew() -> None:
    step, (first, second, third) = CommonStep(2, "listen"), make(3)
    step.wait(0, first)
    step.forget(0, first)
    step.wait(1, second)
    assert list_heard([second]) == [[]]
    step.wait(0, third)
    assert list_heard([first, second, third]) == [[], ["listen"], ["listen"]]


def test_the_end_of_a_former_one_is_not_that_of_the_one_in_its_place() -> None:
    step, (former, present, other) = CommonStep(2, "listen"), make(3)
    step.wait(0, former)
    step.wait(0, present)
    step.forget(0, former)
    step.wait(1, other)
    assert list_heard([present, other]) == [["listen"]] * 2


def test_who_comes_later_hears_it_at_once() -> None:
    step, (child,) = CommonStep(4, "listen", is_done=True), make(1)
    step.wait(2, child)
    assert list_heard([child]) == [["listen"]]
