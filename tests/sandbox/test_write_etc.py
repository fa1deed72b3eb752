"""A configuration that the product reads as it stands, and that lasts."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from oxpushctl.checks import check_parts
from oxpushctl.config import reading
from oxpushctl.config.finding import Severity
from oxpushctl.config.own import DATABASE_URL, INTAKE_LISTEN
from oxpushctl.errors import BadData, MissingFile
from oxpushctl.sandbox import certificates
from oxpushctl.sandbox.identity import Identity
from oxpushctl.sandbox.write_etc import BEARER_CLIENT, CERTIFICATE_CLIENT, identity_in, write_etc
from oxpushctl.transports.certificates import PushCertificate

_ENDPOINT = "https://127.0.0.1:2197"


def _written(folder: Path) -> dict[str, bytes]:
    return {str(path.relative_to(folder)): path.read_bytes() for path in folder.rglob("*") if path.is_file()}


def test_product_reads_it(tmp_path: Path) -> None:
    """The product's own check has no error and no warning about clients, keys and transports."""
    etc = write_etc(tmp_path / "etc", identity_in(tmp_path / "etc"), endpoint=_ENDPOINT)
    configuration = check_parts(reading.read(etc.folder, environ={}, overrides=()))
    found = [str(finding) for finding in configuration.findings if finding.severity is Severity.ERROR]
    assert found == []
    assert {options.client for options in configuration.clients} == {CERTIFICATE_CLIENT, BEARER_CLIENT}


@pytest.mark.parametrize("topic", ["com.example.mail", "com.example." + "long" * 6])
def test_certificate_as_apple_issues_it(topic: str) -> None:
    """The topics of a push certificate are found where Apple puts them."""
    issuer = Identity.create()
    certificate = certificates.apns_client(issuer.ca, issuer.ca_key, issuer.apns_certificate_key.public_key(), topic)
    read = PushCertificate.of((certificate,), issuer.apns_certificate_key)
    assert read.topics == (topic, f"{topic}.voip", f"{topic}.complication")


def test_files_are_private(tmp_path: Path) -> None:
    """Nobody else reads the keys and passwords."""
    folder = tmp_path / "etc"
    write_etc(folder, identity_in(folder), endpoint=_ENDPOINT)
    modes = {path.name: path.stat().st_mode & 0o077 for path in [folder, *folder.rglob("*")]}
    assert {name: mode for name, mode in modes.items() if mode} == {}


def test_written_again(tmp_path: Path) -> None:
    """A second start on the same address changes nothing: same keys, same password."""
    folder = tmp_path / "etc"
    first = write_etc(folder, identity_in(folder), endpoint=_ENDPOINT)
    before = _written(folder)
    second = write_etc(folder, identity_in(folder), endpoint=_ENDPOINT)
    assert (second, _written(folder)) == (first, before)


def test_written_again_on_another_port(tmp_path: Path) -> None:
    """Another address is written, and Google's token endpoint goes with it; the keys stay."""
    folder = tmp_path / "etc"
    write_etc(folder, identity_in(folder), endpoint=_ENDPOINT)
    before = _written(folder)
    write_etc(folder, identity_in(folder), endpoint="https://127.0.0.1:4444")
    after = _written(folder)
    changed = {name for name in before if before[name] != after[name]}
    assert changed == {"oxpushctl.properties", "sandbox/service-account.json"}
    assert json.loads(after["sandbox/service-account.json"])["token_uri"] == "https://127.0.0.1:4444/token"


def test_further_settings(tmp_path: Path) -> None:
    """A caller's settings are added or take the place of the usual ones, whatever they hold."""
    folder = tmp_path / "etc"
    settings = {"oxpushctl.intake.listen": "127.0.0.1:0", "oxpushctl.database.url": "sqlite:///\\:é.db"}
    write_etc(folder, identity_in(folder), endpoint=_ENDPOINT, settings=settings)
    read = reading.read(folder, environ={}, overrides=()).settings
    assert (read[INTAKE_LISTEN], read[DATABASE_URL]) == (("127.0.0.1:0",), "sqlite:///\\:é.db")


def test_folder_of_somebody_else(tmp_path: Path) -> None:
    """A file that the sandbox did not write is never replaced, and nothing else is written then."""
    folder = tmp_path / "etc"
    kept = identity_in(folder)
    (folder / "pns.properties").write_text("com.openexchange.pns.delayDuration=1\n")
    before = _written(folder)
    with pytest.raises(BadData, match="was not written by the sandbox"):
        write_etc(folder, kept, endpoint=_ENDPOINT)
    assert _written(folder) == before


def test_key_that_went_missing(tmp_path: Path) -> None:
    """A lost key is named, not silently made anew beside certificates that do not fit it."""
    identity_in(tmp_path / "etc")
    (tmp_path / "etc/sandbox/ca.key").unlink()
    with pytest.raises(MissingFile, match=r"ca\.key: is missing"):
        identity_in(tmp_path / "etc")


@pytest.mark.parametrize("name", ["ca.pem", "ca.key", "apns.p12", "AuthKey_OXSANDKEY1.p8", "service-account.key"])
def test_key_that_is_damaged(tmp_path: Path, name: str) -> None:
    """A damaged key is an error with the folder's name."""
    identity_in(tmp_path / "etc")
    (tmp_path / "etc/sandbox" / name).write_bytes(b"rubbish")
    with pytest.raises(BadData, match="cannot be read"):
        identity_in(tmp_path / "etc")


def test_folder_that_cannot_be_made(tmp_path: Path) -> None:
    """A file in the way is an error with its name."""
    (tmp_path / "etc").write_text("")
    with pytest.raises(MissingFile, match="cannot be made"):
        identity_in(tmp_path / "etc")
