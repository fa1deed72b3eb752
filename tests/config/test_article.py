"""The example of the middleware's own article about mail push, word for word, checked by the installed program."""

from __future__ import annotations

import json
import subprocess
import sys
from pathlib import Path

import pytest

from oxpushctl.config.render import Report
from tests.config import folders

_ARTICLE = Path(__file__).parents[1] / "data" / "config" / "article"


def _checked(tmp_path: Path, *arguments: str) -> subprocess.CompletedProcess[str]:
    etc = folders.copy(_ARTICLE, tmp_path / "etc")
    options = etc / "pns-apns-options.yml"
    # What this machine happens to have there is of no matter.
    options.write_text(options.read_text().replace("/opt/open-xchange/etc", str(tmp_path)))
    packaged = tmp_path / "packaged"
    packaged.mkdir()
    program = str(Path(sys.executable).with_name("oxpushctl"))
    command = [program, "--etc", str(etc), "-o", f"oxpushctl.pns.packaged={packaged}", "config", "check", "--offline"]
    environ = {"STATE_DIRECTORY": str(tmp_path / "state"), "PATH": "/usr/bin:/bin"}
    return subprocess.run([*command, *arguments], capture_output=True, text=True, timeout=60, check=False, env=environ)


@pytest.fixture
def report(tmp_path: Path) -> Report:
    """Everything that is said about the article's configuration."""
    ended = _checked(tmp_path, "-f", "json")
    assert ended.returncode == 78
    report: Report = json.loads(ended.stdout)
    return report


def test_the_article_has_exactly_two_errors(report: Report) -> None:
    """The legacy key, which Google takes no more, and the keystore, which an operator has yet to put there."""
    errors = [found for found in report["findings"] if found["severity"] == "error"]
    assert [(found["file"], found["line"], found["code"]) for found in errors] == [
        ("pns-apns-options.yml", 3, "OXP301"),
        ("pns-gcm-options.yml", 3, "OXP209"),
    ]
    assert [found["scope"] for found in errors] == ["client", "client"]
    assert report["errors"] == 2


def test_the_article_is_warned_of_what_it_leaves_out(report: Report) -> None:
    """No login for Dovecot, no mail server, and registrations that nobody signs; both allowedClients are fine."""
    warnings = [(found["code"], found["key"]) for found in report["findings"] if found["severity"] == "warning"]
    assert warnings == [
        ("OXP305", "com.openexchange.rest.services.basic-auth.login"),
        ("OXP315", "com.openexchange.mail.mailServer"),
    ]


def test_the_article_as_a_person_reads_it(tmp_path: Path) -> None:
    """One line an error, with file, line, column and what to do; the password and the passphrase in none of them."""
    ended = _checked(tmp_path)
    assert [line for line in ended.stdout.splitlines() if " error " in line] == [
        "pns-apns-options.yml:3:15: error OXP301 open-xchange-mobile-api-facade.keystore: "
        f"there is no file {tmp_path}/apns-certificate.p12",
        "pns-gcm-options.yml:3:9: error OXP209 open-xchange-mobile-api-facade.key: legacy FCM server keys are void: "
        "Google switched their protocol off in 2024 (create a service account key (JSON) in the Firebase console and "
        "name its file with keyPath)",
    ]
    assert "2 errors" in ended.stderr
    for secret in ("12345678\n", "the same on each cluster member", "1234567890123456"):
        assert secret not in ended.stdout + ended.stderr
