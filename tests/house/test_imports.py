"""What is imported, and when."""

from __future__ import annotations

import ast
import re
import subprocess
import sys
from configparser import ConfigParser
from importlib.metadata import packages_distributions
from pathlib import Path

from tests.house.tree import ROOT, modules


def _normal(name: str) -> str:
    return re.sub(r"[-_.]+", "-", name).lower()


def _required() -> set[str]:
    setup = ConfigParser(interpolation=None)
    setup.read(ROOT / "setup.cfg", encoding="utf-8")
    lines = setup["options"]["install_requires"].split("\n")
    return {_normal(match[0]) for line in lines if (match := re.match(r"[\w.-]+", line))}


def _imported() -> set[str]:
    packages = set()
    for tree in modules("oxpushctl").values():
        for node in ast.walk(tree):
            if isinstance(node, ast.Import):
                packages |= {alias.name.partition(".")[0] for alias in node.names}
            elif isinstance(node, ast.ImportFrom) and node.module:
                packages.add(node.module.partition(".")[0])
    return packages


def test_every_dependency_is_used() -> None:
    """What setup.cfg requires is imported somewhere: an installation fetches nothing in vain."""
    brought_by = packages_distributions()
    used = {_normal(name) for package in _imported() for name in brought_by.get(package, ())}

    unused = _required() - used

    assert unused == set()


def test_version_is_light() -> None:
    """``--version`` starts Python, click and nothing heavy: scripts ask it often."""
    command = Path(sys.executable).with_name("oxpushctl")

    shown = subprocess.run(
        [sys.executable, "-X", "importtime", command, "--version"], capture_output=True, text=True, check=True
    )

    assert shown.stdout.startswith("oxpushctl ")
    loaded = {line.rpartition("|")[2].strip().partition(".")[0] for line in shown.stderr.splitlines()}
    heavy = {
        "aiohttp",
        "asyncio",
        "cryptography",
        "h2",
        "ngh2",
        "orjson",
        "rich",
        "sqlalchemy",
        "ssl",
        "uvloop",
        "yaml",
    }
    assert loaded & heavy == set()
    assert "click" in loaded
