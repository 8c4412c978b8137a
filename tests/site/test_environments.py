"""awxfast's own ranges take what AWX pins, so that nothing moves where it is installed into AWX's environment."""

import tomllib
from pathlib import Path

import pytest
from environments import PINS_24, PINS_DEVEL
from packaging.requirements import Requirement

ROOT = Path(__file__).resolve().parents[2]

OTHER_PINS_DEVEL = ["aiohttp==3.13.0", "prometheus-client==0.23.1"]
"""What AWX's devel pins of what awxfast needs and the site does not."""


def read_ranges() -> dict[str, Requirement]:
    """What awxfast needs at run time."""
    project = tomllib.loads((ROOT / "pyproject.toml").read_text())["project"]
    return {one.name: one for one in map(Requirement, project["dependencies"])}


@pytest.mark.parametrize("pins", [PINS_24, [*PINS_DEVEL, *OTHER_PINS_DEVEL]], ids=["24.6.1", "devel"])
def test_pinned_packages_need_not_move(pins: list[str]) -> None:
    ranges = read_ranges()
    pinned = [(name, version) for name, version in (pin.split("==") for pin in pins) if name in ranges]
    assert len(pinned) >= 3
    assert [name for name, version in pinned if not ranges[name].specifier.contains(version)] == []
