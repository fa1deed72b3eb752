"""The commands themselves: what goes to stdout and stderr, and the exit code."""

from __future__ import annotations

import json
import subprocess
import sys
from pathlib import Path

import pytest

from tests.config import folders

_GOOD = {
    "server.properties": "com.openexchange.rest.services.basic-auth.login=dovecot\n"
    "com.openexchange.rest.services.basic-auth.password=sesame\n"
}
_WARNED = {**_GOOD, "oxpushctl.properties": "oxpushctl.unheard=1\n"}
_BROKEN = {**_GOOD, "pns.properties": "com.openexchange.pns.delayDuration=5s\n"}
_CONTRADICTING = {**_GOOD, "oxpushctl.properties": "oxpushctl.tls.key=none.pem\n"}


def _config(etc: Path, *arguments: str) -> subprocess.CompletedProcess[str]:
    command = [str(Path(sys.executable).with_name("oxpushctl")), "--etc", str(etc), "config", *arguments]
    environ = {"STATE_DIRECTORY": str(etc / "state"), "PATH": "/usr/bin:/bin"}
    return subprocess.run(command, capture_output=True, text=True, timeout=60, check=False, env=environ)


@pytest.mark.parametrize(
    ("files", "arguments", "code"),
    [
        pytest.param(_GOOD, ("--syntax-only", "--strict"), 0, id="good"),
        pytest.param(_WARNED, ("--offline",), 0, id="warnings"),
        pytest.param(_WARNED, ("--offline", "--strict"), 78, id="warnings, strictly"),
        pytest.param(_BROKEN, ("--offline",), 78, id="errors"),
        pytest.param(_BROKEN, ("--syntax-only",), 78, id="wrong kind"),
        pytest.param(_CONTRADICTING, ("--syntax-only",), 0, id="contradictions are no syntax"),
        pytest.param(_CONTRADICTING, ("--offline",), 78, id="contradictions"),
    ],
)
def test_check_ends_with_what_it_found(
    tmp_path: Path, files: dict[str, str | bytes], arguments: tuple[str, ...], code: int
) -> None:
    """Errors are 78, warnings only when asked for."""
    folders.write(tmp_path, files)
    assert _config(tmp_path, "check", *arguments).returncode == code


def test_check_prints_findings_and_talks_on_stderr(tmp_path: Path) -> None:
    """stdout is data, one line a finding; the summary is talk."""
    folders.write(tmp_path, _BROKEN)
    ended = _config(tmp_path, "check", "--syntax-only")
    line = "pns.properties:1:1: error OXP109 com.openexchange.pns.delayDuration: '5s' is not milliseconds\n"
    assert (ended.stdout, ended.stderr) == (line, f"{tmp_path}: 1 error\n")


def test_check_of_a_good_configuration_says_so(tmp_path: Path) -> None:
    """Nothing on stdout, one line on stderr."""
    folders.write(tmp_path, _GOOD)
    ended = _config(tmp_path, "check", "--syntax-only")
    assert (ended.stdout, ended.stderr) == ("", f"{tmp_path}: nothing to say against it\n")


def test_check_writes_json(tmp_path: Path) -> None:
    """An object with the findings, no flow where only the syntax is looked at, and how many are errors and warnings."""
    folders.write(tmp_path, {**_BROKEN, "oxpushctl.properties": "oxpushctl.pushmaxAge=4h\n"})
    report = json.loads(_config(tmp_path, "check", "--syntax-only", "-f", "json").stdout)
    assert report == {
        "findings": [
            {
                "severity": "warning",
                "scope": "engine",
                "code": "OXP101",
                "file": "oxpushctl.properties",
                "line": 1,
                "column": 1,
                "key": "oxpushctl.pushmaxAge",
                "message": "is not known",
                "hint": "did you mean oxpushctl.push.maxAge?",
            },
            {
                "severity": "error",
                "scope": "engine",
                "code": "OXP109",
                "file": "pns.properties",
                "line": 1,
                "column": 1,
                "key": "com.openexchange.pns.delayDuration",
                "message": "'5s' is not milliseconds",
                "hint": "",
            },
        ],
        "flow": None,
        "errors": 1,
        "warnings": 1,
    }


@pytest.mark.parametrize("name", ["com.openexchange.pns.delayDuration", "OXP109"])
def test_explain_needs_no_folder(tmp_path: Path, name: str) -> None:
    """The page begins with what was asked for."""
    ended = _config(tmp_path / "nowhere", "explain", name)
    assert (ended.returncode, ended.stderr) == (0, "")
    assert ended.stdout.startswith(name)


def test_explain_suggests_what_was_meant(tmp_path: Path) -> None:
    """A misspelt key is a usage error that helps."""
    ended = _config(tmp_path, "explain", "delayDuration")
    assert ended.returncode == 2
    ended = _config(tmp_path, "explain", "com.openexchange.pns.delayDurations")
    assert (ended.returncode, ended.stdout) == (2, "")
    assert "did you mean com.openexchange.pns.delayDuration?" in ended.stderr
