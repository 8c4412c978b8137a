"""What the papers tell people to type: programs understand it; files, targets and what filters look for are there."""

import itertools
import re
import shlex
import subprocess
import sys
import tomllib
from pathlib import Path

import backplane
import pytest
import relay
from awxfast.broadcast import options as dialler_options
from awxfast.broadcast.awx_settings import AwxSettings
from awxfast.cli import NOT_BUILT_COMMANDS
from awxfast.options import COMMANDS, parse_settings
from main_process import run_to_its_end

ROOT = Path(__file__).resolve().parent.parent
PAPERS = sorted([*ROOT.glob("*.md"), *ROOT.glob("docs/*.md"), *ROOT.glob("benches/*.md")])

LINE = re.compile(r"^ {4,}([^\s'#]+(?:[^'#\n]|'[^']*')*)", re.MULTILINE)
"""One of its own, up to a remark; a text in quotes may go on in the next."""
SPAN = re.compile(r"`([^`\n]+)`")

OTHERS_TARGETS = {"daphne", "docker-compose", "run-wsrelay"}
"""Of AWX's Makefile."""

PROGRAMS = {
    *("cargo", "chmod", "curl", "docker", "docker-compose", "echo", "git", "install", "kubectl", "make", "nginx"),
    *("pip", "podman", "pytest", "python", "redis-cli", "runuser", "ssh", "supervisorctl", "useradd", "usermod"),
    *("awxfast", "awxfast-broadcast"),
}


def list_commands() -> list[str]:
    """Lines of their own and pieces of sentences that begin with a program, on all pages."""
    found: dict[str, None] = {}
    for page in PAPERS:
        text = page.read_text().replace("\\\n", " ")
        for command in [*LINE.findall(text), *SPAN.findall(text)]:
            program = command.split()[0].rpartition("/")[2] if command.strip() else ""
            if program in PROGRAMS and " " in command:
                found[" ".join(command.split())] = None
    return list(found)


def list_words(pattern: str) -> list[list[str]]:
    """The words of commands that begin so, without the beginning."""
    found = [(re.match(pattern, command), command) for command in list_commands()]
    return [shlex.split(command[match.end() :], comments=True) for match, command in found if match]


def test_there_are_commands_of_each_program() -> None:
    commands = list_commands()
    assert PROGRAMS - {command.split()[0].rpartition("/")[2] for command in commands} == set()
    assert "python -m awxfast.broadcast" in commands


@pytest.mark.parametrize("command", list_commands())
def test_shell_understands_it(command: str) -> None:
    done = subprocess.run(["sh", "-n", "-c", command], capture_output=True, text=True, check=False, timeout=30)
    assert done.stderr == ""


def list_servers_words() -> list[list[str]]:
    """What is said to `awxfast`, but for the commands that README's limits name."""
    found = [[word for word in words if word != "..."] for words in list_words(r"(?:\S*/)?awxfast ")]
    return [words for words in found if words[0] not in ("--help", "--version", "VERSION", *NOT_BUILT_COMMANDS)]


@pytest.mark.parametrize("words", [words for words in list_servers_words() if words[0] not in COMMANDS], ids=" ".join)
def test_server_understands_its_options(words: list[str]) -> None:
    assert parse_settings(words, {})


@pytest.mark.parametrize("words", [words for words in list_servers_words() if words[0] in COMMANDS], ids=" ".join)
def test_command_has_its_options(words: list[str]) -> None:
    done = run_to_its_end(words[0], "--help")
    assert done.returncode == 0
    assert [word for word in words if word.startswith("-") and word not in done.stdout] == []


@pytest.mark.parametrize(
    "words", list_words(r"(?:awxfast-broadcast|python -m awxfast\.broadcast)(?: |$)"), ids=" ".join
)
def test_dialler_understands_its_own(words: list[str]) -> None:
    words = [re.sub("^URL$", "redis://h", word) for word in words]
    assert dialler_options.parse_settings(words, {}, AwxSettings(redis=("redis://h",), secret="s"))


class TestMake:
    MAKEFILE = (ROOT / "Makefile").read_text()

    @pytest.mark.parametrize(
        "words", [words for words in list_words("make ") if words[0] not in OTHERS_TARGETS], ids=" ".join
    )
    def test_target_can_be_made(self, words: list[str]) -> None:
        done = subprocess.run(["make", "-n", *words], cwd=ROOT, capture_output=True, text=True, check=False, timeout=60)
        assert (done.returncode, done.stderr) == (0, "")

    def test_every_variable_is_one_that_it_reads(self) -> None:
        text = "\n".join(page.read_text() for page in (ROOT / "CONTRIBUTING.md", ROOT / "benches" / "README.md"))
        named = {name for words in list_words("make ") for name in re.findall(r"\b([A-Z]+)=", " ".join(words))}
        named |= set(re.findall(r"`([A-Z]+)=\d+`", text))
        assert named >= {"QUICK", "SECONDS", "SLACK"}
        assert [name for name in named if f"$({name}" not in self.MAKEFILE] == []


class TestBenches:
    @pytest.mark.parametrize("words", list_words(r"python benches/relay\.py "), ids=" ".join)
    def test_benchmark_understands_its_options(self, monkeypatch: pytest.MonkeyPatch, words: list[str]) -> None:
        monkeypatch.setattr(sys, "argv", ["relay.py", *words])
        assert relay.parse_options()

    @pytest.mark.parametrize("words", list_words(r"python benches/backplane\.py "), ids=" ".join)
    def test_benchmark_of_links_understands_its_options(
        self, monkeypatch: pytest.MonkeyPatch, words: list[str]
    ) -> None:
        monkeypatch.setattr(sys, "argv", ["backplane.py", *words])
        assert backplane.parse_options()

    def test_every_program_is_there(self) -> None:
        programs = {path for command in list_commands() for path in re.findall(r"\bbenches/\w+\.py", command)}
        assert len(programs) > 2
        assert [path for path in programs if not (ROOT / path).exists()] == []


def list_crates() -> dict[str, Path]:
    """The folder of each package of ours."""
    manifests = [*ROOT.glob("rust/**/Cargo.toml"), *ROOT.glob("benches/*/Cargo.toml")]
    return {str(tomllib.loads(path.read_text())["package"]["name"]): path.parent for path in manifests}


class TestTools:
    @pytest.mark.parametrize("words", list_words(r"cargo (?:test|bench) "), ids=" ".join)
    def test_package_and_file_of_tests_are_there(self, words: list[str]) -> None:
        folder = list_crates()[words[words.index("-p" if "-p" in words else "--package") + 1]]
        files = {path.stem if path.stem != "main" else path.parent.name for path in folder.glob("tests/**/*.rs")}
        assert {name for option, name in itertools.pairwise(words) if option == "--test"} <= files
        assert words[2:3] in ([], ["--test"]), "a filter is part of a test's name, which changes too easily"

    @pytest.mark.parametrize("words", list_words(r"cargo \+nightly fuzz run "), ids=" ".join)
    def test_fuzz_target_and_dictionary_are_there(self, words: list[str]) -> None:
        target, *options = words
        assert (ROOT / "rust" / "fuzz" / "fuzz_targets" / f"{target}.rs").exists()
        dictionaries = [option.partition("=")[2] for option in options if option.startswith("-dict=")]
        assert all((ROOT / "rust" / dictionary).exists() for dictionary in dictionaries)

    @pytest.mark.parametrize("words", list_words(r"(?:\S*/)?pytest "), ids=" ".join)
    def test_tests_are_there_and_the_filter_finds_some(self, words: list[str]) -> None:
        path = ROOT / words[0]
        assert path.exists()
        if "-k" in words:
            assert re.search(rf"def test_\w*{words[words.index('-k') + 1]}", path.read_text())
