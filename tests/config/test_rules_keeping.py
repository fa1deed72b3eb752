"""Rules about kept passwords, and which findings matter to an engine that keeps none."""

from __future__ import annotations

from pathlib import Path

import pytest

from oxpushctl.config.configuration import Configuration
from oxpushctl.config.finding import Severity
from tests.config import folders
from tests.config.flows import API, KEPT, MAIL, MASTER, PUSH, SERVER, TOKENS

_RDB = {f"{PUSH}credstorage.rdb": "true"}
_PREFERRED = API | {f"{PUSH}dovecot.preferDoveadmForMetadata": "true"}
_PUBLIC = {"oxpushctl.public.listen": "unix:/run/oxpushctl/public.sock"}


def _read(folder: Path, settings: dict[str, str]) -> Configuration:
    return folders.read(folder, {"all.properties": "".join(f"{key}={value}\n" for key, value in settings.items())})


def _redis(url: str) -> dict[str, str]:
    return {"oxpushctl.credentials.url": url}


@pytest.mark.parametrize(
    ("settings", "expected"),
    [
        pytest.param(KEPT, {("OXP341", Severity.INFO)}, id="in memory"),
        pytest.param(KEPT | _RDB, set(), id="in the database"),
        pytest.param(KEPT | _redis("redis://127.0.0.1:6379"), set(), id="in Redis, on this machine"),
        pytest.param(KEPT | _redis("rediss://redis.example.com"), set(), id="in Redis, over TLS"),
        pytest.param(KEPT | _redis("redis://a:b@redis.example.com"), {("OXP327", Severity.INFO)}, id="Redis, readable"),
        pytest.param(KEPT | _RDB | _redis("redis://r.example.com"), {("OXP324", Severity.WARNING)}, id="not in Redis"),
        pytest.param(_redis("redis://r.example.com"), {("OXP324", Severity.INFO)}, id="Redis, but nothing is kept"),
        pytest.param(KEPT | MASTER, {("OXP342", Severity.INFO)}, id="a master password"),
        pytest.param(KEPT | _PREFERRED, {("OXP342", Severity.INFO), ("OXP327", Severity.INFO)}, id="doveadm"),
        pytest.param(KEPT | SERVER | TOKENS, {("OXP323", Severity.WARNING)}, id="tokens, which is told otherwise"),
        pytest.param(KEPT | {f"{MAIL}passwordSource": "globl"}, set(), id="unreadable, what opens mailboxes"),
        pytest.param(KEPT | {f"{PUSH}credstorage.rdb": "ture"}, set(), id="unreadable, where"),
        pytest.param({f"{PUSH}credstorage.enabled": "true"}, {("OXP309", Severity.ERROR)}, id="no passphrase"),
    ],
)
def test_where_passwords_are_kept(
    tmp_path: Path, settings: dict[str, str], expected: set[tuple[str, Severity]]
) -> None:
    """That they are gone with the engine, cross a network, or are not kept at all is told; where they are is not."""
    always = folders.codes(_read(tmp_path / "empty", {}))
    rules = [each for each in _read(tmp_path / "etc", settings).findings if each.code.startswith("OXP3")]
    assert expected == {(each.code, each.severity) for each in rules if each.code not in always}


def test_password_of_redis(tmp_path: Path) -> None:
    """Where the URL is told of, neither its login nor its password is."""
    lines = folders.lines(_read(tmp_path, KEPT | _redis("redis://anton:sesame-9@redis.example.com/0")))
    assert [line for line in lines if "anton" in line or "sesame-9" in line] == []
    assert any("OXP327" in line and "redis.example.com" in line for line in lines)
