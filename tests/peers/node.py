"""Clients from npm, installed once into ``tests/peers/node`` as its lock file says."""

from __future__ import annotations

import fcntl
import json
import re
import shutil
import subprocess
from pathlib import Path

import pytest

FOLDER = Path(__file__).parent / "node"
_NO_REGISTRY = re.compile(
    r"ENOTFOUND|EAI_AGAIN|ECONNREFUSED|ECONNRESET|ETIMEDOUT|ENETUNREACH|EHOSTUNREACH|ERR_SOCKET_TIMEOUT"
)


def install() -> None:
    """Install what the lock file names; skip the test where there is no Node or no registry."""
    if shutil.which("node") is None or shutil.which("npm") is None:
        pytest.skip("node and npm are not installed")
    lock = FOLDER / "package-lock.json"
    with lock.open() as file:
        fcntl.flock(file, fcntl.LOCK_EX)  # test processes run side by side
        _install(lock)


def _install(lock: Path) -> None:
    installed = FOLDER / "node_modules/.package-lock.json"
    if installed.exists() and installed.stat().st_mtime >= lock.stat().st_mtime:
        return
    npm = subprocess.run(
        ["npm", "ci", "--ignore-scripts", "--no-audit", "--no-fund"],
        cwd=FOLDER,
        capture_output=True,
        text=True,
        timeout=100,
        check=False,
    )
    if npm.returncode and _NO_REGISTRY.search(npm.stderr):
        pytest.skip("the npm registry cannot be reached")
    assert npm.returncode == 0, npm.stderr


def run(script: str, given: object) -> list[dict[str, object]]:
    """Run a script of the folder with JSON on its standard input; return the array that it prints."""
    node = subprocess.run(
        ["node", script], cwd=FOLDER, input=json.dumps(given), capture_output=True, text=True, timeout=60, check=False
    )
    assert node.returncode == 0, node.stderr
    results: list[dict[str, object]] = json.loads(node.stdout)
    return results
