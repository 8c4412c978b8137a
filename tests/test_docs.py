"""The papers say what the program has: no option, metric, dependency or link is missing or stale."""

import argparse
import ast
import functools
import re
import tomllib
from collections.abc import Iterator
from pathlib import Path
from typing import get_args

import pytest
import scale
from awxfast.broadcast import options as dialler_options
from awxfast.environment_variables import variable_of
from awxfast.nodes.onward import GAPS
from awxfast.operate.metrics import metrics_text
from awxfast.options import NOT_BUILT, WITH_VARIABLES, build_parser
from awxfast.redis.event_writer import Loss
from awxfast.settings import DEFAULT_HOST, DEFAULT_PORT, SECRET_VARIABLE, Settings
from awxfast.wire.backplane import Fault
from awxfast.wire.handshake import Reason
from main_process import run_to_its_end
from prometheus_client.parser import text_string_to_metric_families
from sources import parse_source
from still_figures import StillFigures, view_of

ROOT = Path(__file__).resolve().parent.parent
DOCS = ROOT / "docs"
PAPERS = sorted([*ROOT.glob("*.md"), *DOCS.glob("*.md"), *ROOT.glob("benches/*.md")])
NOT_FOR_OPERATORS = {"dependencies.md", "django.md"}
OPERATORS_PAPERS = [ROOT / "README.md", *(page for page in DOCS.glob("*.md") if page.name not in NOT_FOR_OPERATORS)]

CRATES = ("rust/Cargo.toml", "benches/wsload/Cargo.toml", "rust/benches/Cargo.toml", "rust/fuzz/Cargo.toml")

OPTION = re.compile(r"(?<![\w-])--?[a-z][a-z0-9_-]*")
LINK = re.compile(r"\]\(([^)#]+)[^)]*\)")
ANCHOR = re.compile(r"\]\(([^)#:]*)#([^)]+)\)")
HEADING = re.compile(r"^#+ (.+)$", re.MULTILINE)


def read_rows(page: Path, cells: int) -> list[list[str]]:
    """The rows of all tables with so many cells, headings left out."""
    lines = [line.strip() for line in page.read_text().splitlines() if line.startswith("| ")]
    rows = [[cell.strip() for cell in re.split(r"(?<!\\)\|", line[1:-1])] for line in lines]
    return [row for row in rows if len(row) == cells and row[0].startswith("`")]


def list_anchors(page: Path) -> set[str]:
    """The names that GitHub gives a page's headings: lower case, punctuation gone, hyphens for blanks."""
    without_code = re.sub(r"^    .*$", "", page.read_text(), flags=re.MULTILINE)
    return {re.sub(r"[^\w\- ]", "", heading.lower()).replace(" ", "-") for heading in HEADING.findall(without_code)}


class TestLinks:
    @pytest.mark.parametrize("page", PAPERS, ids=lambda page: page.name)
    def test_every_link_leads_to_a_file(self, page: Path) -> None:
        links = [link for link in LINK.findall(page.read_text()) if "://" not in link]
        assert [link for link in links if not (page.parent / link).exists()] == []

    @pytest.mark.parametrize("page", PAPERS, ids=lambda page: page.name)
    def test_every_anchor_is_a_heading_of_its_page(self, page: Path) -> None:
        pointed = [(page.parent / link if link else page, anchor) for link, anchor in ANCHOR.findall(page.read_text())]
        assert [anchor for target, anchor in pointed if anchor not in list_anchors(target)] == []

    def test_there_are_anchors_within_a_page_and_elsewhere(self) -> None:
        found = [link for page in PAPERS for link, _ in ANCHOR.findall(page.read_text())]
        assert "" in found and "awx.md" in found

    def test_wheels_description_has_no_link_that_only_a_checkout_can_follow(self) -> None:
        project = tomllib.loads((ROOT / "pyproject.toml").read_text())["project"]
        description = (ROOT / project["readme"]).read_text()
        assert "pip install awxfast-*.whl" in description
        assert [link for link in LINK.findall(description) if "://" not in link] == []

    def test_wheels_description_begins_as_the_readme_does(self) -> None:
        description, readme = ((ROOT / name).read_text() for name in ("DESCRIPTION.md", "README.md"))
        assert description.split("\n\n")[:2] == readme.split("\n\n")[:2]

    def test_readme_leads_to_every_page(self) -> None:
        links = {(ROOT / link).resolve() for link in LINK.findall((ROOT / "README.md").read_text())}
        assert [page.name for page in DOCS.glob("*.md") if page not in links] == []


class TestCommands:
    @pytest.mark.parametrize("page", PAPERS, ids=lambda page: page.name)
    def test_every_make_target_exists(self, page: Path) -> None:
        targets = set(re.findall(r"^([a-z-]+):", (ROOT / "Makefile").read_text(), re.MULTILINE))
        named = set(re.findall(r"(?:(?<!AWX's )`|^ +)make ([a-z-]+)", page.read_text(), re.MULTILINE))
        assert named - targets == set()

    def test_contributors_learn_of_every_target(self) -> None:
        phony = re.search(r"^\.PHONY: (.*)$", (ROOT / "Makefile").read_text(), re.MULTILINE)
        assert phony is not None
        text = (ROOT / "CONTRIBUTING.md").read_text()
        assert [target for target in phony[1].split() if target != "programs" and f"`make {target}`" not in text] == []


OPTIONS_OF_OTHERS = {
    *("--build", "--build-arg", "--container", "--copy-to", "--format", "--patch-file", "--set-image", "--type"),
    *("--force-reinstall", "--no-deps", "--now"),
}
"""Of docker-compose, podman, pip, kubectl and systemctl."""


def list_actions() -> list[argparse.Action]:
    """The server's options that `--help` shows."""
    shown = [action for action in build_parser()._actions if action.help != argparse.SUPPRESS]
    return [action for action in shown if action.option_strings]


@functools.cache
def options_in_help(*command: str) -> set[str]:
    """What `awxfast [command] --help` names."""
    return set(OPTION.findall(run_to_its_end(*command, "--help").stdout))


@functools.cache
def options_of_dialler() -> set[str]:
    """What `python -m awxfast.broadcast` takes."""
    shown = [action for action in dialler_options.build_parser()._actions if action.help != argparse.SUPPRESS]
    return {option for action in shown for option in action.option_strings}


class TestDialler:
    def test_every_option_has_its_line_and_no_line_is_stale(self) -> None:
        rows = read_rows(DOCS / "dialler.md", 3)
        assert {option for row in rows for option in OPTION.findall(row[0])} == options_of_dialler()

    def test_every_reason_of_a_loss_is_named(self) -> None:
        sources = ("local_redis.py", "dialled_link.py", "dialled_peer.py", "peer_messages.py")
        text = "".join((ROOT / "python" / "awxfast" / "broadcast" / source).read_text() for source in sources)
        reasons = set(re.findall(r'(?:dropped|skipped)\["(\w+)"\]', text)) | set(Fault) | set(get_args(Loss))
        page = (DOCS / "dialler.md").read_text()
        assert len(reasons) > 12
        assert [reason for reason in reasons - {"link_lost"} if f"`{reason}`" not in page] == []


class TestOptions:
    def test_every_option_has_its_line(self) -> None:
        documented = {option for row in read_rows(DOCS / "options.md", 3) for option in OPTION.findall(row[0])}
        assert {option for action in list_actions() for option in action.option_strings} - documented == set()

    @pytest.mark.parametrize("command", ["status", "reload", "demo"])
    def test_commands_options_have_their_lines(self, command: str) -> None:
        rows = [row[0] for row in read_rows(DOCS / "options.md", 3) if row[0].startswith(f"`awxfast {command} ")]
        documented = {option for row in rows for option in OPTION.findall(row)}
        assert documented == options_in_help(command) - {"-h", "--help"}

    @pytest.mark.parametrize("page", OPERATORS_PAPERS, ids=lambda page: page.name)
    def test_no_page_names_an_option_that_is_not_there(self, page: Path) -> None:
        commands = [options_in_help(command) for command in ("status", "reload", "demo")]
        known = options_in_help().union(options_of_dialler(), *commands)
        if page.name == "README.md":
            known |= set(NOT_BUILT)  # its limits name what is not built
        if page.name == "scaling.md":
            known |= {option for action in scale.build_parser()._actions for option in action.option_strings}
        named = {option for option in OPTION.findall(page.read_text()) if option.startswith("--")}
        assert named - known - {"--OPTION"} - OPTIONS_OF_OTHERS == set()

    def test_every_variable_follows_the_rule(self) -> None:
        variables = {*map(variable_of, (*WITH_VARIABLES, *dialler_options.WITH_VARIABLES))}
        for page in OPERATORS_PAPERS:
            assert set(re.findall(r"AWXFAST_[A-Z_]+\w", page.read_text())) <= variables | {SECRET_VARIABLE}

    @pytest.mark.parametrize("action", list_actions(), ids=lambda action: action.option_strings[-1])
    def test_default_is_the_settings_own(self, action: argparse.Action) -> None:
        (default,) = {row[1] for row in read_rows(DOCS / "options.md", 3) if f"`{action.option_strings[-1]}`" in row[0]}
        assert default.replace("`", "") in acceptable_defaults(action)


def acceptable_defaults(action: argparse.Action) -> set[str]:
    """How a default may be written: the settings' value, or in words where that is none."""
    written = {
        "host": DEFAULT_HOST,
        "port": str(DEFAULT_PORT),
        "threads": "cores - 1, at least 1",
        "auth": "nobody may",
        "auth_ca_file": "the system's",
        "max_clients": "(descriptor limit - 128) / 2",
        "access_log": "stdout, from verbosity 1 on",
        "layer": "core",
        "version": "",
        "help": "",
    }
    if action.dest in written:
        return {written[action.dest]}
    if "--no-server-name" in action.option_strings:
        return {"off"}
    return {write_default(getattr(Settings(), action.dest))}.union(
        {"none", "any", "off"} if not getattr(Settings(), action.dest) else ()
    )


def write_default(value: object) -> str:
    """A default as text."""
    if isinstance(value, tuple):
        return " ".join(value)
    return f"{value:g}" if isinstance(value, float) else str(value)


class TestMonitoring:
    TEXT = (DOCS / "monitoring.md").read_text()

    def test_documented_metrics_are_those_that_are_given(self) -> None:
        families = text_string_to_metric_families(metrics_text(view_of(StillFigures())).decode())
        given = {family.name + "_total" * (family.type == "counter") for family in families}
        assert set(re.findall(r"awxfast_[a-z_]+", self.TEXT)) == given

    def test_labels_stand_with_their_metrics(self) -> None:
        families = text_string_to_metric_families(metrics_text(view_of(StillFigures())).decode())
        for sample in (sample for family in families for sample in family.samples):
            labels = set(sample.labels) - {"le"}
            documented = re.findall(rf"`{sample.name}{{(.*?)}}`", self.TEXT)
            assert not labels or [set(names.split(",")) for names in documented] == [labels]

    def test_every_gap_is_explained(self) -> None:
        calls = [call for call in list_calls() if getattr(call.func, "attr", "") == "count_gap"]
        reasons = {call.args[0].value for call in calls if isinstance(call.args[0], ast.Constant)} | {*GAPS.values()}
        assert {f"`{reason}`" for reason in reasons} == {row[0] for row in read_rows(DOCS / "monitoring.md", 2)[7:]}

    def test_every_reason_of_an_error_reply_is_named(self) -> None:
        makers = {"Refused", "refuse", "deny"}
        calls = [call for call in list_calls() if ast.unparse(call.func) in makers]
        words = [argument.value for call in calls for argument in call.args if isinstance(argument, ast.Constant)]
        reasons = {word for word in words if re.fullmatch(r"[a-z_]+", str(word))} | {"access"}
        (row,) = [line for line in self.TEXT.splitlines() if line.startswith("| `awxfast_command_errors_total")]
        assert {"xrftoken", "unavailable"} <= reasons
        assert [reason for reason in sorted(reasons) if f"`{reason}`" not in row] == []

    @pytest.mark.parametrize("source", ["error.rs", "ledger.rs"])
    def test_every_reason_of_rejected_and_shed_is_named(self, source: str) -> None:
        reasons = re.findall(r'=> "(\w+)"', (ROOT / "rust" / "src" / source).read_text())
        text = self.TEXT + (DOCS / "slow-clients.md").read_text()
        assert reasons
        assert [reason for reason in reasons if f"`{reason}`" not in text] == []

    def test_every_page_of_the_admin_listener_is_named(self) -> None:
        source = (ROOT / "python" / "awxfast" / "operate" / "admin.py").read_text()
        pages = re.findall(r'^ {12}"(/\w*)": ', source, re.MULTILINE)
        assert {f"`{page}`" for page in pages} == {row[0] for row in read_rows(DOCS / "monitoring.md", 2)[:7]}


def list_calls() -> Iterator[ast.Call]:
    """Every call in the package."""
    for path in (ROOT / "python" / "awxfast").rglob("*.py"):
        yield from (node for node in ast.walk(parse_source(path)) if isinstance(node, ast.Call))


class TestTroubleshooting:
    def test_every_word_of_a_refusal_is_explained(self) -> None:
        words = {row[0].strip("`") for row in read_rows(DOCS / "troubleshooting.md", 3)}
        assert words == set(get_args(Reason))

    def test_every_close_code_of_awxfasts_own_is_explained(self) -> None:
        source = ROOT / "python" / "awxfast" / "wire" / "close_codes.py"
        constants = {
            node.value.value
            for node in ast.walk(parse_source(source))
            if isinstance(node, ast.Assign) and isinstance(node.value, ast.Constant)
        }
        codes = {value for value in constants if isinstance(value, int) and 1000 <= value < 5000}
        explained = re.findall(r"^\| (\d{4}) \|", (DOCS / "troubleshooting.md").read_text(), re.MULTILINE)
        assert 1001 in codes
        assert codes - {1005} <= {int(code) for code in explained}  # 1005 is never on the wire


def read_toml(path: str) -> dict[str, dict[str, object]]:
    """A table of the project's own."""
    return tomllib.loads((ROOT / path).read_text())


def python_dependencies() -> set[tuple[str, str]]:
    """Names and ranges in pyproject.toml, environment markers left out, and the one that a tool installs."""
    project = read_toml("pyproject.toml")["project"]
    extras = project["optional-dependencies"]
    assert isinstance(extras, dict) and isinstance(project["dependencies"], list)
    named = [*project["dependencies"], *(one for extra in extras.values() for one in extra)]
    named += re.findall(r'^ZIG = "(.*)"$', (ROOT / "tools" / "make_wheel.py").read_text(), re.MULTILINE)
    found = (re.fullmatch(r"([a-z0-9-]+)([^;]*)(;.*)?", one) for one in named)
    return {(match[1], match[2].strip()) for match in found if match}


def rust_dependencies() -> set[tuple[str, str]]:
    """Names and versions in the Cargo.toml of the crates, but for each other."""
    tables = [read_toml(path).get(kind, {}) for path in CRATES for kind in ("dependencies", "dev-dependencies")]
    dependencies = [item for table in tables for item in table.items() if "path" not in item[1]]
    return {(name, value if isinstance(value, str) else str(dict(value)["version"])) for name, value in dependencies}


class TestDependencies:
    def test_each_has_its_line_and_no_line_is_stale(self) -> None:
        rows = read_rows(DOCS / "dependencies.md", 3)
        documented = {(row[0].strip("`"), row[1].strip("`")) for row in rows}
        assert documented == python_dependencies() | rust_dependencies()

    def test_each_line_says_why(self) -> None:
        assert all(len(row[2]) > 20 for row in read_rows(DOCS / "dependencies.md", 3))

    def test_programs_are_those_that_tests_ask_for(self) -> None:
        sources = [path.read_text() for path in (ROOT / "tests").rglob("*.py") if path.name != "programs.py"]
        asked = {name for text in sources for name in re.findall(r'require_program\("([\w-]+)"\)', text)}
        documented = {row[0].strip("`") for row in read_rows(DOCS / "dependencies.md", 2)}
        assert asked <= documented
