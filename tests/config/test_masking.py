"""What stands where no secret belongs is not repeated either, when it may be one all the same."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from oxpushctl.config import render, show
from oxpushctl.config.own import CREDENTIALS_URL, FCM_ENDPOINT, INTAKE_LISTEN
from oxpushctl.config.text import SET, masked
from tests.config import folders


def _written(folder: Path, text: str) -> str:
    """Return everything that is said about a file of settings."""
    configuration = folders.read(folder, {"all.properties": text})
    said = [*folders.lines(configuration), json.dumps(render.report(configuration.findings)), repr(configuration)]
    return "\n".join([*said, *show.lines(configuration, show.Wish(is_all=True, with_sources=True))])


@pytest.mark.parametrize(
    "line",
    [
        "com.openexchange.mail.mailServer=imaps://u:sesame@mail.example.com",
        "com.openexchange.mail.mailServer=mail.example.com?password=sesame",
        "oxpushctl.intake.listen=http://u:sesame@127.0.0.1:8019",
        "oxpushctl.admin.listen=127.0.0.1:8019?token=sesame",
        "oxpushctl.fcm.endpoint=https://u:sesame@fcm.example.com",
        "oxpushctl.fcm.endpoint=https://fcm.example.com?key=sesame",
        "oxpushctl.fcm.endpoint=https://u:p?sesame@fcm.example.com",
        "oxpushctl.apns.endpoint.production=https://api.push.apple.com/?x=a@b&y=sesame",
        "com.openexchange.dovecot.doveadm.endpoints=http://u:sesame@mail.example.com:8080/doveadm/v1",
        "com.openexchange.dovecot.doveadm.endpoints=http://mail.example.com:8080/doveadm/v1?key=sesame",
    ],
)
def test_a_login_or_query_is_refused_and_not_shown(tmp_path: Path, line: str) -> None:
    """Addresses have neither, so one that does is no value, and nobody reads it anywhere."""
    written = _written(tmp_path, f"{line}\n")
    assert "OXP109" in written
    assert "sesame" not in written


@pytest.mark.parametrize(
    "lines",
    [
        "oxpushctl.node=n1\\\ncom.openexchange.sessiond.encryptionKey=sesame",
        "com.openexchange.push.imapidle.folder=INBOX\\\nMASTER_PASSWORD=sesame",
        "com.openexchange.mail.loginSource=login\\\ncom.openexchange.mail.masterPasswort=sesame",
        "oxpushctl.tls.ca=/etc/ca.pem\\\npassword: sesame",
        "oxpushctl.intake.listen=127.0.0.1:8019\\\npassword=sesame",
    ],
)
def test_a_line_that_another_one_swallowed_is_not_shown(tmp_path: Path, lines: str) -> None:
    """Whatever its key is: it may be another program's, or misspelt."""
    written = _written(tmp_path, f"{lines}\n")
    assert "OXP116" in written
    assert "sesame" not in written


def test_a_list_of_addresses_may_be_continued(tmp_path: Path) -> None:
    """Its colons make no setting of a further line."""
    files: dict[str, str | bytes] = {"a.properties": "oxpushctl.intake.listen=127.0.0.1:8019,\\\n  localhost:8020\n"}
    configuration = folders.read(tmp_path, files)
    assert configuration.settings[INTAKE_LISTEN] == ("127.0.0.1:8019", "localhost:8020")
    assert configuration.engine_errors == ()


def test_a_secret_may_be_continued(tmp_path: Path) -> None:
    """It is never shown, and may hold any character."""
    text = "com.openexchange.push.credstorage.passcrypt=a\\\nb=c\n"
    assert folders.read(tmp_path, {"a.properties": text}).engine_errors == ()


@pytest.mark.parametrize(
    ("text", "shown"),
    [
        ("https://u:p@host", SET),
        ("https://host?key=x", SET),
        ("https://host:443", "https://host:443"),
        ("ab?c*", "ab?c*"),
        ("a@b", "a@b"),
    ],
)
def test_masked(text: str, shown: str) -> None:
    """Only what looks like a URL can bring a login or query along."""
    assert masked(text) == shown


@pytest.mark.parametrize(
    ("url", "shown"),
    [
        ("redis://redis.example.com:6379/0", "redis://redis.example.com:6379/0"),
        ("rediss://ox:sesame@redis.example.com:6379/0", "# {key}=rediss://ox:(set)@redis.example.com:6379/0"),
        ("redis://:sesame@redis.example.com", "# {key}=redis://:(set)@redis.example.com"),
        ("redis://redis.example.com?password=sesame", "# {key}=(set)"),
        ("redis://sesame@redis.example.com", "# {key}=(set)"),
    ],
)
def test_the_url_of_redis(tmp_path: Path, url: str, shown: str) -> None:
    """All but its password is shown where that is sure to be all, as of a database's."""
    written = _written(tmp_path, f"{CREDENTIALS_URL.key}={url}\n")
    line = shown.format(key=CREDENTIALS_URL.key)
    assert (line if line.startswith("#") else f"{CREDENTIALS_URL.key}={line}") in written.splitlines()
    assert "sesame" not in written


def test_an_endpoint_without_login_is_fine(tmp_path: Path) -> None:
    """The gateway of an installation is one of these."""
    configuration = folders.read(tmp_path, {"a.properties": f"{FCM_ENDPOINT.key}=https://gateway.example.com:8443/\n"})
    assert configuration.settings[FCM_ENDPOINT] == "https://gateway.example.com:8443"
