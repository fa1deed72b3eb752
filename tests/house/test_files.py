"""How files are written: rules of the house that neither ruff nor mypy nor the import floors can hold."""

from __future__ import annotations

import ast
import re
from collections.abc import Iterator

from tests.house.tree import modules, texts

_LONGEST = 450

# These are written so that they do not find themselves.
_MACHINE_WORDS = re.compile(
    r"(?<![\w.*-])/(?:work|root|home)/(?!\*)|registry\.npmjs\.org|pypi\.org/simple|files\.pythonhosted\.org"
)
_IGNORE = re.compile(r"#\s*(?:noqa|type:\s*ignore|pragma:\s*no cover)")
_SOUND_IGNORE = re.compile(
    r"# (?:noqa: [A-Z]+[0-9]+(?:, ?[A-Z]+[0-9]+)*|type: ignore\[[a-z, -]+\]|pragma: no cover)(?:  #| --) \S"
)

# Where the program meets the process that it runs in.
_DOORS = ("oxpushctl/cli/", "oxpushctl/config/source.py")
_BEHIND_THE_DOORS = {("os", "environ"), ("os", "getenv"), ("sys", "argv"), ("sys", "exit")}


def _lines() -> Iterator[tuple[str, str]]:
    for path, text in texts().items():
        for number, line in enumerate(text.splitlines(), 1):
            yield f"{path}:{number}", line


def test_no_machine_words() -> None:
    """No file names a folder of the machine that it was written on, or a registry."""
    found = [f"{place}: {match[0]}" for place, line in _lines() for match in _MACHINE_WORDS.finditer(line)]

    assert found == []


def test_module_length() -> None:
    """A module is one idea: none is longer than can be read in one sitting."""
    lengths = {path: text.count("\n") for path, text in texts().items() if path.endswith(".py")}

    assert {path: length for path, length in lengths.items() if length > _LONGEST} == {}


def test_package_facades() -> None:
    """A module imports modules: the __init__ of a sub-package is empty."""
    facades = [path for path, text in texts().items() if path.endswith("/__init__.py") and text]

    assert facades == ["oxpushctl/__init__.py"]


def test_ignores_carry_code_and_reason() -> None:
    """Whoever silences a tool says which rule and why, on the line."""
    bare = [
        place for place, line in _lines() if ".py:" in place and _IGNORE.search(line) and not _SOUND_IGNORE.search(line)
    ]

    assert bare == []


def test_process_is_met_at_the_doors() -> None:
    """Environment, arguments and exit belong to the command line and the reader of the configuration."""
    found = [
        f"{path}:{node.lineno}: {node.value.id}.{node.attr}"
        for path, tree in modules("oxpushctl").items()
        if not path.startswith(_DOORS)
        for node in ast.walk(tree)
        if isinstance(node, ast.Attribute) and isinstance(node.value, ast.Name)
        if (node.value.id, node.attr) in _BEHIND_THE_DOORS
    ]

    assert found == []


def test_tests_claim_something() -> None:
    """The docstring of a test is its claim: none goes without."""
    silent = [
        f"{path}:{node.lineno}: {node.name}"
        for path, tree in modules("tests").items()
        for node in ast.walk(tree)
        if isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef) and node.name.startswith("test_")
        if ast.get_docstring(node) is None and path.rpartition("/")[2].startswith("test_")
    ]

    assert silent == []


def test_nothing_is_mocked() -> None:
    """Tests fake at an interface or speak to a real socket."""
    found = [
        f"{path}:{node.lineno}"
        for path, tree in modules("tests").items()
        for node in ast.walk(tree)
        if isinstance(node, ast.Import | ast.ImportFrom) and "mock" in ast.unparse(node)
    ]

    assert found == []
