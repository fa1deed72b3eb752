"""Values that the middleware has for some contexts only: none of them is evaluated, all of ours are told."""

from __future__ import annotations

import os
from pathlib import Path

import pytest
import yaml
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from oxpushctl.config import context_sets
from oxpushctl.config.finding import Severity
from oxpushctl.config.properties import ALLOWED_CLIENTS, GCM_ENABLED, MAIL_SERVER_URL, MASTER_PASSWORD
from tests.config import folders

_SETS = f"""\
premium:
    withTags: premium & !trial
    {GCM_ENABLED.key}: true
    {GCM_ENABLED.key}.my-app: true
    com.openexchange.caldav.enabled: true
trial:
    {MAIL_SERVER_URL.key}:
        imap://trial.example.com
    {ALLOWED_CLIENTS.key}: "*"
"""


def _told(etc: Path) -> list[tuple[str, str, int | None, str]]:
    return [(found.code, found.file, found.line, found.key) for found in context_sets.told(etc)]


def test_keys_of_ours_are_told_at_their_line(tmp_path: Path) -> None:
    """With the tags that a context needs; keys of other modules are no business of ours."""
    folders.write(tmp_path, {"contextSets/sets.yml": _SETS})
    lines = [line for line in folders.lines(folders.read(tmp_path)) if line.startswith("contextSets/")]
    tagged = "has a value of its own for the contexts tagged premium & !trial: not evaluated here"
    assert lines == [
        f"contextSets/sets.yml:3:49: info OXP112 {GCM_ENABLED.key}: {tagged}",
        f"contextSets/sets.yml:4:56: info OXP112 {GCM_ENABLED.key}.my-app: {tagged}",
        f"contextSets/sets.yml:8:9: info OXP112 {MAIL_SERVER_URL.key}: "
        "has a value of its own for the contexts of the set trial: not evaluated here",
        f"contextSets/sets.yml:9:43: info OXP112 {ALLOWED_CLIENTS.key}: "
        "is set for the contexts of the set trial, but there is one value for all: only *.properties are asked",
    ]


def test_without_context_sets_nothing_is_told(tmp_path: Path) -> None:
    """Most installations have none."""
    assert context_sets.told(tmp_path) == []


@pytest.mark.parametrize(
    ("content", "line"),
    [
        pytest.param(b"premium:\n\twithTags: a\n", 2, id="tab"),
        pytest.param(b"- premium\n", 1, id="list"),
        pytest.param(b"a: {}\nb: \xe4\n", 2, id="Latin-1"),
        pytest.param(b"a: " + b"[" * 1000, 1, id="deep"),
    ],
)
def test_a_broken_file_is_an_info(tmp_path: Path, content: bytes, line: int) -> None:
    """Nothing depends on it here, and the other files are read all the same."""
    folders.write(tmp_path, {"contextSets/a.yml": content, "contextSets/b.yml": f"b: {{{GCM_ENABLED.key}: true}}\n"})
    assert _told(tmp_path) == [
        ("OXP115", "contextSets/a.yml", line, ""),
        ("OXP112", "contextSets/b.yml", 1, GCM_ENABLED.key),
    ]


def test_what_cannot_be_read_is_an_info(tmp_path: Path) -> None:
    """A pipe is not waited for, and a file in the folder's place is told."""
    (tmp_path / "pipe" / "contextSets").mkdir(parents=True)
    os.mkfifo(tmp_path / "pipe" / "contextSets" / "a.yml")
    folders.write(tmp_path, {"file/contextSets": ""})
    assert _told(tmp_path / "pipe") == [("OXP115", "contextSets/a.yml", None, "")]
    assert _told(tmp_path / "file") == [("OXP115", "contextSets", None, "")]


_VALUES = st.one_of(st.none(), st.booleans(), st.text(max_size=8), st.lists(st.text(max_size=3), max_size=2))
_KEYS = st.sampled_from(["withTags", GCM_ENABLED.key, "com.openexchange.pns.unheard", "com.openexchange.caldav.x", "a"])


@settings(suppress_health_check=[HealthCheck.function_scoped_fixture], deadline=None, max_examples=60)
@given(st.dictionaries(st.text(max_size=5), st.one_of(_VALUES, st.dictionaries(_KEYS, _VALUES))))
def test_any_sets_end_in_findings_that_stop_nothing(tmp_path: Path, sets: object) -> None:
    """Whatever stands there, the reading ends, and nothing is out of service for it."""
    folders.write(tmp_path, {"contextSets/a.yml": yaml.safe_dump(sets)})
    assert all(found.severity is not Severity.ERROR for found in context_sets.told(tmp_path))


def test_no_value_is_told(tmp_path: Path) -> None:
    """A password stays where it is."""
    folders.write(tmp_path, {"contextSets/a.yml": f"a:\n  withTags: b\n  {MASTER_PASSWORD.key}: sesame\n"})
    [found] = context_sets.told(tmp_path)
    assert "sesame" not in repr(found)
