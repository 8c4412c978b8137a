"""AWX's custom resource: what docs/awx.md and deploy/awx/awx.yaml set in it is what the operator's CRD knows."""

import re
from pathlib import Path

from awxfast.deploy import FOLDER

PAGE = Path(__file__).resolve().parents[1] / "docs" / "awx.md"
PATCH = FOLDER / "awx" / "awx.yaml"

CRD = {
    "host_aliases": "array",
    "image": "string",
    "image_pull_policy": "string",
    "image_pull_secrets": "array",
    "image_version": "string",
    "route_tls_termination_mechanism": "string",
    "task_extra_env": "string",
    "web_extra_env": "string",
}
"""Of `spec` in config/crd/bases/awx.ansible.com_awxs.yaml (awx-operator 2.19.1): these properties, and their types."""


def read_spec() -> dict[str, str]:
    """What the merge patch sets, each with its text."""
    spec = PATCH.read_text().partition("\nspec:\n")[2]
    without_remarks = re.sub(r"^  #.*\n", "", spec, flags=re.MULTILINE)
    return dict(re.findall(r"^  (\w+): (.*(?:\n(?:    .*)?)*)", without_remarks, re.MULTILINE))


def type_of(text: str) -> str:
    """Of a value in YAML, as far as the patch goes."""
    return "array" if text.startswith("[") else "string"


class TestThere:
    """`TestAwx` in test_deploy.py has the way back."""

    def test_patch_sets_what_the_crd_knows(self) -> None:
        spec = read_spec()
        assert {"image", "image_version"} < set(spec)
        assert {name: type_of(text) for name, text in spec.items()}.items() <= CRD.items()

    def test_variables_are_a_list_within_a_text(self) -> None:
        """The operator puts the text below `env:` of the pod, by a template of Ansible's."""
        sign, *lines = read_spec()["web_extra_env"].splitlines()
        entries = [line.removeprefix("    ") for line in lines if not line.lstrip().startswith("#")]
        assert sign == "|"
        assert [line[:8] for line in entries if line] == ["- name: ", "  value:"]
        assert not re.search(r"{{|{%|{#", "\n".join(lines))

    def test_remarks_in_it_are_entries_too(self) -> None:
        remarks = re.findall(r"^    # +(-? *{?\w+: .*)$", PATCH.read_text(), re.MULTILINE)
        in_one_line = [line for line in remarks if line.startswith("- {")]
        assert len(in_one_line) == 5
        assert all(line.count("{") == line.count("}") == 3 for line in in_one_line)

    def test_host_alias_is_one_of_the_crds(self) -> None:
        (item,) = re.findall(r"^ +host_aliases:\n((?: {6,}.*\n)+)", PAGE.read_text(), re.MULTILINE)
        assert re.findall(r"(\w+): (\[?)", item) == [("ip", ""), ("hostnames", "[")]

    def test_page_names_no_property_that_is_not_there(self) -> None:
        named = re.findall(r"`(\w+_(?:env|aliases|version|policy|mechanism|secrets?))`", PAGE.read_text())
        assert len(named) > 4
        assert set(named) <= set(CRD)
