"""`make wheel`: a manylinux wheel in dist/, with the licences of all that is linked into its extension.

It is linked by zig against glibc 2.28, so that it runs on older systems than the one that builds it.
"""

import importlib.util
import json
import os
import re
import subprocess
import sys
import zipfile
from collections.abc import Iterator
from pathlib import Path
from typing import Any

ROOT = Path(__file__).resolve().parent.parent
DIST = ROOT / "dist"
ZIG = "ziglang>=0.15,<0.18"
COMPATIBILITY = "manylinux_2_28"

# pyproject.toml takes LICENSE* into the wheel; these two are there while it is built.
CRATES_TEXT = ROOT / "LICENSE-THIRD-PARTY.txt"
STANDARD_LIBRARY_TEXT = ROOT / "LICENSE-RUST-STANDARD-LIBRARY.html"

LICENCE_FILE = re.compile(r"(licen[cs]e|copying|copyright|unlicense|notice)", re.IGNORECASE)
ZIG_TEXTS = ("LICENSE", "lib/libunwind/LICENSE.TXT", "lib/libc/glibc/LICENSES")
"""Of zig's runtime, of the unwinder that it links in, and of glibc's start files."""


def main() -> int:
    """Builds the wheel and prints its path."""
    zig = require_zig()
    try:
        CRATES_TEXT.write_text("".join(format_texts(collect_texts(zig))), "utf-8")
        STANDARD_LIBRARY_TEXT.write_bytes(find_standard_library_text().read_bytes())
        wheel = build_wheel()
    finally:
        for text in (CRATES_TEXT, STANDARD_LIBRARY_TEXT):
            text.unlink(missing_ok=True)
    check_wheel(wheel)
    print(wheel.relative_to(ROOT))
    return 0


def require_zig() -> Path:
    """The folder of the package `ziglang`, which is installed if it is absent: 100 MB that only wheels need."""
    if importlib.util.find_spec("ziglang") is None:
        subprocess.run([sys.executable, "-m", "pip", "install", "--disable-pip-version-check", ZIG], check=True)
        importlib.invalidate_caches()
    found = importlib.util.find_spec("ziglang")
    if found is None or not found.submodule_search_locations:
        sys.exit(f"make_wheel: {ZIG} can't be imported; install it into {sys.prefix}")
    return Path(found.submodule_search_locations[0])


def build_wheel() -> Path:
    """Runs maturin; returns the one wheel that it leaves in dist/."""
    for former in DIST.glob("awxfast-*.whl"):
        former.unlink()
    command = ["maturin", "build", "--release", "--zig", "--compatibility", COMPATIBILITY, "--out", str(DIST)]
    path = os.pathsep.join([str(Path(sys.executable).parent), os.environ["PATH"]])
    subprocess.run(command, check=True, cwd=ROOT, env={**os.environ, "PATH": path})
    (wheel,) = DIST.glob("awxfast-*.whl")
    return wheel


def check_wheel(wheel: Path) -> None:
    """A wheel without its licences, or for one kind of Linux only, is not to be given away."""
    with zipfile.ZipFile(wheel) as archive:
        names = {Path(name).name for name in archive.namelist() if ".dist-info/licenses/" in name}
    missing = {"LICENSE", CRATES_TEXT.name, STANDARD_LIBRARY_TEXT.name} - names
    if missing or COMPATIBILITY not in wheel.name:
        sys.exit(f"make_wheel: {wheel.name} is not {COMPATIBILITY} or lacks {', '.join(sorted(missing)) or 'nothing'}")


def collect_texts(zig: Path) -> Iterator[tuple[str, Path]]:
    """What is linked in, with each of its licence files. Exits when something has none."""
    for package in list_linked_packages():
        folder = Path(package["manifest_path"]).parent
        texts = sorted(file for file in folder.iterdir() if LICENCE_FILE.match(file.name) and file.is_file())
        if not texts:
            sys.exit(f"make_wheel: the crate {package['name']} has no licence file in {folder}")
        yield from ((f"{package['name']} {package['version']} ({package['license']})", text) for text in texts)
    yield from (("zig's runtime libraries", zig / name) for name in ZIG_TEXTS)


def list_linked_packages() -> list[dict[str, Any]]:
    """The crates in the extension, by name: not its own, and none that only runs while it is compiled."""
    metadata = read_cargo_metadata()
    packages = {package["id"]: package for package in metadata["packages"]}
    nodes = {node["id"]: node for node in metadata["resolve"]["nodes"]}
    own = next(identity for identity, package in packages.items() if package["name"] == "awxfast")
    linked: set[str] = set()
    waiting = [own]
    while waiting:
        for dependency in nodes[waiting.pop()]["deps"]:
            if dependency["pkg"] not in linked and is_linked(dependency, packages[dependency["pkg"]]):
                linked.add(dependency["pkg"])
                waiting.append(dependency["pkg"])
    return sorted((packages[identity] for identity in linked), key=lambda package: str(package["name"]))


def is_linked(dependency: dict[str, Any], package: dict[str, Any]) -> bool:
    """Whether a dependency's code ends up in the extension: no build or test dependency, no procedural macro."""
    is_normal = any(kind["kind"] is None for kind in dependency["dep_kinds"])
    return is_normal and not any("proc-macro" in target["kind"] for target in package["targets"])


def read_cargo_metadata() -> dict[str, Any]:
    """cargo's view of the extension's dependencies on this machine's platform."""
    command = ["cargo", "metadata", "--format-version", "1", "--locked", "--filter-platform", ask_rustc("host")]
    command += ["--manifest-path", str(ROOT / "rust" / "Cargo.toml"), "--features", "python"]
    metadata: dict[str, Any] = json.loads(subprocess.run(command, check=True, stdout=subprocess.PIPE).stdout)
    return metadata


def ask_rustc(field: str) -> str:
    """One line of `rustc -vV`."""
    text = subprocess.run(["rustc", "-vV"], check=True, stdout=subprocess.PIPE, text=True, cwd=ROOT).stdout
    return next(line.removeprefix(f"{field}: ") for line in text.splitlines() if line.startswith(f"{field}: "))


def find_standard_library_text() -> Path:
    """The notices of Rust's standard library, which comes with rustc."""
    command = ["rustc", "--print", "sysroot"]
    sysroot = subprocess.run(command, check=True, stdout=subprocess.PIPE, text=True, cwd=ROOT).stdout.strip()
    text = Path(sysroot) / "share" / "doc" / "rust" / "COPYRIGHT-library.html"
    if not text.is_file():
        sys.exit(f"make_wheel: {text} is missing; use a Rust from rustup, which has it")
    return text


def format_texts(texts: Iterator[tuple[str, Path]]) -> Iterator[str]:
    """Each text once, below the names of all that it is for."""
    owners: dict[str, list[str]] = {}
    for owner, file in texts:
        owners.setdefault(file.read_text("utf-8").strip(), []).append(owner)
    yield "What is linked into awxfast's extension, and its licences. Rust's standard library has a file of its own.\n"
    for text, names in owners.items():
        yield "\n".join(["", "=" * 100, *dict.fromkeys(names), "=" * 100, "", text, ""])


if __name__ == "__main__":
    sys.exit(main())
