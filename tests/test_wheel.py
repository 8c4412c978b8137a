"""`make wheel`: which crates are linked in, their licences in one text, and a wheel that runs elsewhere."""

import importlib.util
import subprocess
import sys
import zipfile
from pathlib import Path
from types import ModuleType
from typing import Any

import pytest
from environments import PINS_24, PINS_DEVEL

ROOT = Path(__file__).resolve().parent.parent
TOOL = ROOT / "tools" / "make_wheel.py"
NEIGHBOURS = {
    "an old uvicorn": ["uvicorn==0.20.0"],
    "the newest uvicorn": ["uvicorn[standard]"],
    "AWX 24": PINS_24,
    "AWX's devel": PINS_DEVEL,
}
"""What may be there already."""


@pytest.fixture(scope="module")
def make_wheel() -> ModuleType:
    spec = importlib.util.spec_from_file_location("make_wheel", TOOL)
    assert spec is not None and spec.loader is not None
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


def dependency(*kinds: str | None) -> dict[str, Any]:
    return {"dep_kinds": [{"kind": kind} for kind in kinds]}


def package(kind: str) -> dict[str, Any]:
    return {"targets": [{"kind": [kind]}, {"kind": ["custom-build"]}]}


class TestLinkedPackages:
    @pytest.mark.parametrize(
        ("kinds", "kind", "linked"),
        [
            ([None], "lib", True),
            (["build", None], "lib", True),
            (["build"], "lib", False),
            (["dev"], "lib", False),
            ([None], "proc-macro", False),
        ],
    )
    def test_only_what_is_in_the_extension_counts(
        self, make_wheel: ModuleType, kinds: list[str | None], kind: str, linked: bool
    ) -> None:
        assert make_wheel.is_linked(dependency(*kinds), package(kind)) is linked

    def test_crates_of_this_extension(self, make_wheel: ModuleType) -> None:
        names = {package["name"] for package in make_wheel.list_linked_packages()}
        assert names >= {"hmac", "libc", "parking_lot", "pyo3", "pyo3-ffi", "rmp", "rustix", "sha2", "subtle"}
        assert not names & {"awxfast", "wsload", "proptest", "pyo3-macros", "pyo3-build-config", "syn"}


class TestTexts:
    def test_every_crate_has_a_licence_file(self, make_wheel: ModuleType) -> None:
        owners = {owner for owner, _ in make_wheel.collect_texts(Path("zig"))}
        assert len(owners) == len(make_wheel.list_linked_packages()) + 1

    def test_equal_texts_stand_once_below_all_names(self, make_wheel: ModuleType, tmp_path: Path) -> None:
        (tmp_path / "a").write_text("MIT\n")
        (tmp_path / "b").write_text("\nMIT")
        (tmp_path / "c").write_text("BSD")
        texts = [("one 1.0", tmp_path / "a"), ("two 2.0", tmp_path / "b"), ("two 2.0", tmp_path / "c")]
        text = "".join(make_wheel.format_texts(iter(texts)))
        assert (text.count("MIT"), text.count("BSD")) == (1, 1)
        assert text.index("one 1.0") < text.index("two 2.0") < text.index("MIT") < text.index("BSD")

    @pytest.mark.parametrize("name", ["LICENSE-MIT", "LICENCE", "COPYING", "COPYRIGHT", "UNLICENSE", "NOTICE.md"])
    def test_names_that_licence_files_have(self, make_wheel: ModuleType, name: str) -> None:
        assert make_wheel.LICENCE_FILE.match(name)


class TestCheck:
    COMPLETE = ("LICENSE", "LICENSE-THIRD-PARTY.txt", "LICENSE-RUST-STANDARD-LIBRARY.html")

    def write_wheel(self, path: Path, names: tuple[str, ...]) -> Path:
        with zipfile.ZipFile(path, "w") as archive:
            for name in names:
                archive.writestr(f"awxfast-0.1.0.dist-info/licenses/{name}", "text")
        return path

    def test_complete_wheel_passes(self, make_wheel: ModuleType, tmp_path: Path) -> None:
        make_wheel.check_wheel(self.write_wheel(tmp_path / "awxfast-manylinux_2_28_x86_64.whl", self.COMPLETE))

    def test_wheel_without_a_licence_is_refused(self, make_wheel: ModuleType, tmp_path: Path) -> None:
        wheel = self.write_wheel(tmp_path / "awxfast-manylinux_2_28_x86_64.whl", self.COMPLETE[:2])
        with pytest.raises(SystemExit, match=r"lacks LICENSE-RUST-STANDARD-LIBRARY\.html"):
            make_wheel.check_wheel(wheel)

    def test_wheel_for_this_machine_only_is_refused(self, make_wheel: ModuleType, tmp_path: Path) -> None:
        wheel = self.write_wheel(tmp_path / "awxfast-linux_x86_64.whl", self.COMPLETE)
        with pytest.raises(SystemExit, match="is not manylinux_2_28"):
            make_wheel.check_wheel(wheel)


class Environment:
    """A new virtual environment in `folder`."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        subprocess.run([sys.executable, "-m", "venv", folder], check=True)

    def install(self, *packages: str | Path) -> None:
        """As an operator does it, with all that the packages ask for."""
        subprocess.run([self.folder / "bin" / "pip", "install", "--quiet", *packages], check=True)

    def freeze(self) -> set[str]:
        """All that is installed, with versions."""
        command = [self.folder / "bin" / "pip", "freeze"]
        return set(subprocess.run(command, capture_output=True, text=True, check=True).stdout.splitlines())


@pytest.fixture(scope="module")
def wheel() -> Path:
    subprocess.run([sys.executable, TOOL], check=True)
    (made,) = (ROOT / "dist").glob("awxfast-*.whl")
    return made


@pytest.fixture(scope="module")
def python(wheel: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The interpreter of a new environment that has nothing but the wheel and what it asks for."""
    environment = Environment(tmp_path_factory.mktemp("clean"))
    environment.install(wheel)
    return environment.folder / "bin" / "python"


@pytest.mark.long
@pytest.mark.timeout(1200)
class TestWheel:
    def test_wheel_runs_in_a_clean_environment(self, python: Path) -> None:
        command = [python.with_name("awxfast"), "--version"]
        done = subprocess.run(command, cwd="/", capture_output=True, text=True, check=True)
        assert done.stdout.startswith("awxfast ")

    def test_demo_loses_nothing(self, python: Path) -> None:
        command = [python, "-m", "awxfast", "demo", "--seconds", "2"]
        done = subprocess.run(command, cwd="/", capture_output=True, text=True, check=True, timeout=60)
        assert ", lost 0, " in done.stdout.splitlines()[-1]

    def test_nothing_generated_is_left_beside_the_sources(self, python: Path) -> None:
        assert [file.name for file in ROOT.glob("LICENSE*")] == ["LICENSE"]

    @pytest.mark.parametrize("packages", NEIGHBOURS.values(), ids=NEIGHBOURS)
    def test_what_is_installed_already_stays_as_it_is(self, wheel: Path, tmp_path: Path, packages: list[str]) -> None:
        environment = Environment(tmp_path)
        environment.install(*packages)
        before = environment.freeze()
        environment.install(wheel)
        assert before < environment.freeze()
        subprocess.run([tmp_path / "bin" / "pip", "check"], check=True)
        subprocess.run([tmp_path / "bin" / "awxfast", "--version"], cwd="/", check=True)
