"""The public surface: what the package offers, and that the extension's stub tells the truth."""

import ast
import inspect
from pathlib import Path
from typing import Any

import awxfast
from awxfast import _rust
from sources import parse_source

STUB = Path(awxfast.__file__).with_name("_rust.pyi")


def stub_names() -> dict[str, ast.stmt]:
    names: dict[str, ast.stmt] = {}
    for node in parse_source(STUB).body:
        if isinstance(node, ast.ClassDef | ast.FunctionDef):
            names[node.name] = node
        elif isinstance(node, ast.AnnAssign) and isinstance(node.target, ast.Name):
            names[node.target.id] = node
    return names


def parameters(function: ast.FunctionDef) -> list[str]:
    arguments = function.args
    return [argument.arg for argument in [*arguments.posonlyargs, *arguments.args, *arguments.kwonlyargs]]


def members(node: ast.ClassDef) -> dict[str, ast.stmt]:
    named: dict[str, ast.stmt] = {}
    for item in node.body:
        if isinstance(item, ast.FunctionDef):
            named[item.name] = item
        elif isinstance(item, ast.AnnAssign) and isinstance(item.target, ast.Name):
            named[item.target.id] = item
    return named


def public(thing: Any) -> set[str]:
    return {name for name in vars(thing) if not name.startswith("_")}


def test_package_offers_its_version_and_emit() -> None:
    assert awxfast.__all__ == ["__version__", "emit"]
    assert awxfast.__version__ == _rust.__version__


def test_package_is_typed() -> None:
    assert STUB.with_name("py.typed").exists()


def test_stub_names_what_the_extension_has_and_nothing_else() -> None:
    assert set(stub_names()) - {"__version__"} == public(_rust)


def test_stub_classes_have_the_extensions_members() -> None:
    for name, node in stub_names().items():
        if isinstance(node, ast.ClassDef):
            assert set(members(node)) - {"__init__"} == public(getattr(_rust, name)), name


def test_stub_functions_take_the_extensions_parameters() -> None:
    for name, node in stub_names().items():
        if isinstance(node, ast.FunctionDef):
            assert parameters(node) == list(inspect.signature(getattr(_rust, name)).parameters), name
        if isinstance(node, ast.ClassDef):
            compiled = getattr(_rust, name)
            for member, item in members(node).items():
                if member == "__init__" and isinstance(item, ast.FunctionDef):
                    assert parameters(item)[1:] == list(inspect.signature(compiled).parameters), name
                elif isinstance(item, ast.FunctionDef) and not item.decorator_list:
                    expected = list(inspect.signature(getattr(compiled, member)).parameters)
                    assert parameters(item) == expected, f"{name}.{member}"


def test_everything_public_in_the_stub_is_documented() -> None:
    for name, node in stub_names().items():
        if isinstance(node, ast.ClassDef | ast.FunctionDef):
            assert ast.get_docstring(node), name
