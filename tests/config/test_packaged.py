"""Client options that a package delivers, and how they stand to the YAML files and the environment."""

from __future__ import annotations

import datetime
import json
import os
import re
import subprocess
import sys
from pathlib import Path

import pytest

from oxpushctl import checks, outgoing
from oxpushctl.config.clients.options import ApnsOptions, ClientOptions, FcmOptions
from oxpushctl.config.clients.packaged import read_packaged
from oxpushctl.config.configuration import Configuration
from oxpushctl.config.finding import Finding, Reach, Severity
from oxpushctl.config.own import PACKAGED, PUSH_CONTENT
from oxpushctl.config.settings import Settings
from oxpushctl.engine.routes import Route
from oxpushctl.model import NEW_MAIL
from tests.config import folders
from tests.config.folders import CLIENT
from tests.peers.certificates import Authority
from tests.transports.accounts import write_account

_FILE = f"packaged/{CLIENT}.properties"
_APN = "com.openexchange.pns.transport.apn.ios.enabled=true\n"
_APNS_HTTP2 = "com.openexchange.pns.transport.apns_http2.ios.enabled=true\n"
_GCM = "com.openexchange.pns.transport.gcm.enabled=true\n"
_PACKAGED = {"oxpushctl.properties": f"{PACKAGED.key}=packaged\n"}
_ABOUT_CLIENTS = rf"{CLIENT}|\.pns\."
_JWT = "apnPrivatekeyFile=key.p8\napnKeyId=ABCDE12345\napnTeamId=FGHIJ67890\n"


def _read(etc: Path, text: str, more: dict[str, str | bytes] | None = None) -> Configuration:
    """Read a folder whose package has one client; the files that its options name are there, and empty."""
    files: dict[str, str | bytes] = {**_PACKAGED, "pns.properties": _APN + _GCM, _FILE: text}
    there = {f"packaged/{name}": "" for name in ("mail.p12", "key.p8", "account.json")}
    return folders.read(etc, {**files, **there, **(more or {})})


def _apns(configuration: Configuration) -> ApnsOptions:
    [client] = (client for client in configuration.clients if isinstance(client, ApnsOptions))
    return client


def _about(configuration: Configuration, code: str) -> list[Finding]:
    return [found for found in configuration.findings if found.code == code]


def _delivered(folder: Path) -> None:
    """Put into a folder what a package would: certificate and service account, and the client's properties."""
    folder.mkdir(parents=True)
    in_a_year = datetime.datetime.now(datetime.UTC) + datetime.timedelta(days=365)
    keystore = Authority(folder).client("com.example.mail", "sesame", not_after=in_a_year)
    write_account(folder / "account.json")
    properties = f"apnKeystoreFile={keystore.name}\napnPassword=sesame\nfcmKeyPath=account.json\n"
    (folder / f"{CLIENT}.properties").write_text(properties)
    for path in folder.iterdir():
        path.chmod(0o600)


async def test_with_a_package_two_switches_do(tmp_path: Path) -> None:
    """Nothing but the two `enabled` properties, and both of the client's apps are served."""
    _delivered(tmp_path / "packaged")
    configuration = folders.read(tmp_path, {**_PACKAGED, "pns.properties": _APN + _GCM})
    routes = outgoing.make_routes(checks.check_parts(configuration))
    found = [routes.find(CLIENT, transport, NEW_MAIL) for transport in ("apn", "gcm")]
    await routes.aclose()
    assert [type(route) for route in found] == [Route, Route]


def test_the_check_has_nothing_against_two_switches(tmp_path: Path) -> None:
    """`config check` of them ends with 0 and says neither of the client nor of the transports a word."""
    etc = tmp_path / "etc"
    _delivered(tmp_path / "delivered")
    folders.write(etc, {"pns.properties": _APN + _GCM})
    command = [str(Path(sys.executable).with_name("oxpushctl")), "--etc", str(etc)]
    command += ["-o", f"{PACKAGED.key}={tmp_path / 'delivered'}", "config", "check", "--offline", "-f", "json"]
    environ = {"STATE_DIRECTORY": str(tmp_path / "state"), "PATH": os.environ["PATH"]}
    ended = subprocess.run(command, capture_output=True, text=True, timeout=60, check=False, env=environ)
    findings = json.loads(ended.stdout)["findings"]
    told = [found for found in findings if re.search(_ABOUT_CLIENTS, found["key"])]
    assert (ended.returncode, told) == (0, [])


def test_a_certificate_is_read(tmp_path: Path) -> None:
    """File names are relative to the package's folder; the topic is the certificate's own."""
    client = _apns(_read(tmp_path, "apnKeystoreFile=mail.p12\napnPassword=01234567\napnProduction=false\n"))
    assert (client.authtype, client.keystore) == ("certificate", tmp_path / "packaged" / "mail.p12")
    assert (client.password, client.topic, client.is_production) == ("01234567", None, False)
    assert (client.origin.file, client.origin.line) == (str(tmp_path / _FILE), 1)


def test_a_signing_key_goes_before_a_certificate(tmp_path: Path) -> None:
    """As with the middleware, whose topic for signing keys is its maker's app."""
    client = _apns(_read(tmp_path, "apnKeystoreFile=mail.p12\n" + _JWT))
    assert (client.authtype, client.privatekey) == ("jwt", tmp_path / "packaged" / "key.p8")
    assert (client.keyid, client.teamid, client.topic) == (
        "ABCDE12345",
        "FGHIJ67890",
        "com.openxchange.mobile.mailapp2",
    )


def test_a_brand_has_a_topic_of_its_own(tmp_path: Path) -> None:
    """`apnTopic` is what apps of others need."""
    assert _apns(_read(tmp_path, _JWT + "apnTopic=com.example.mail\n")).topic == "com.example.mail"


def test_a_service_account_is_read(tmp_path: Path) -> None:
    """Google's key stands in the same file."""
    configuration = _read(tmp_path, "fcmKeyPath=account.json\n")
    [client] = configuration.usable_clients
    assert isinstance(client, FcmOptions)
    assert client.key_path == tmp_path / "packaged" / "account.json"


@pytest.mark.parametrize(("on", "switch"), [(_APN, "apn"), (_APNS_HTTP2, "apns_http2"), (_APN + _APNS_HTTP2, "apn")])
def test_the_same_for_both_switches_is_one(tmp_path: Path, on: str, switch: str) -> None:
    """7.10.5 has the keys twice: either switch turns the client on, and nothing is said of two."""
    twice = "apnKeystoreFile=mail.p12\napnsHttp2KeystoreFile=mail.p12\n"
    configuration = _read(tmp_path, twice, {"pns.properties": on})
    assert (_apns(configuration).switch, _apns(configuration).is_for_both) == (switch, True)
    assert folders.codes(configuration).isdisjoint({"OXP202", "OXP210", "OXP303"})


@pytest.mark.parametrize(
    ("on", "keystore", "told"),
    [(_APN, "mail.p12", []), (_APNS_HTTP2, "new.p12", []), (_APN + _APNS_HTTP2, "mail.p12", [Severity.INFO])],
)
def test_different_options_for_both_switches(tmp_path: Path, on: str, keystore: str, told: list[Severity]) -> None:
    """The switch that is on decides; with both on the other set is told to be of no use."""
    files: dict[str, str | bytes] = {"pns.properties": on, "packaged/new.p12": ""}
    configuration = _read(tmp_path, "apnKeystoreFile=mail.p12\napnsHttp2KeystoreFile=new.p12\n", files)
    assert _apns(configuration).keystore == tmp_path / "packaged" / keystore
    assert [found.severity for found in _about(configuration, "OXP210")] == told


def test_a_packaged_client_wins_as_a_whole(tmp_path: Path) -> None:
    """No option of the YAML section is taken over, and nothing that is wrong with it does harm."""
    yaml = f"{CLIENT}:\n  keystore: none.p12\n  password: sesame\n  production: false\n"
    configuration = _read(tmp_path, "apnKeystoreFile=mail.p12\n", {"pns-apns-options.yml": yaml})
    client = _apns(configuration)
    assert (client.password, client.is_production) == (None, True)
    assert configuration.usable_clients == (client,)
    assert {found.severity for found in configuration.findings if found.client == CLIENT} == {Severity.INFO}
    [told] = _about(configuration, "OXP212")
    assert (told.file, told.line, str(tmp_path / _FILE) in told.message) == ("pns-apns-options.yml", 1, True)


def test_a_client_of_8_that_a_package_overrules_does_no_harm(tmp_path: Path) -> None:
    """Its id names the transport, so that a section that cannot be read is known to be overruled."""
    yaml = f"{CLIENT}-ios:\n  _type: apple\n{CLIENT}-android:\n  _type: google\n"
    configuration = _read(tmp_path, "apnKeystoreFile=mail.p12\n", {"pushClientConfig/all.yml": yaml})
    severities = [(found.transport, found.severity) for found in _about(configuration, "OXP206")]
    assert severities == [("apn", Severity.INFO), ("gcm", Severity.ERROR)]
    assert configuration.usable_clients == (_apns(configuration),)


def test_a_package_wins_over_switched_off_options(tmp_path: Path) -> None:
    """`enabled: false` is the YAML section's own: the package's options stay on, and the info says why."""
    yaml = f"{CLIENT}:\n  enabled: false\n"
    configuration = _read(tmp_path, "apnKeystoreFile=mail.p12\n", {"pns-apns-options.yml": yaml})
    assert [type(client) for client in configuration.usable_clients] == [ApnsOptions]
    assert folders.codes(configuration) & {"OXP212", "OXP213"} == {"OXP212"}


def test_transports_are_apart(tmp_path: Path) -> None:
    """A package for the iPhone leaves the Android section of the YAML file in use."""
    yaml: dict[str, str | bytes] = {"pns-gcm-options.yml": f"{CLIENT}:\n  keyPath: own.json\n", "own.json": "{}"}
    configuration = _read(tmp_path, "apnKeystoreFile=mail.p12\n", yaml)
    assert [client.is_packaged for client in configuration.usable_clients] == [True, False]


@pytest.mark.parametrize(
    "text",
    [
        "apnKeystoreFile=none.p12\n",
        "apnPassword=sesame\n",
        "apnPrivatekeyFile=key.p8\n",
        "apnKeystoreFile=mail.p12\napnProduction=yes\n",
        "gcmKey=sesame\n",
        "fcmKeyPath=\\ud800\n",
        "apnKeystoreFile=C:\\users\n",
    ],
)
def test_a_fault_takes_the_client_out_of_service(tmp_path: Path, text: str) -> None:
    """One error, of the client and nobody else, and no secret in it."""
    configuration = _read(tmp_path, text)
    [told] = configuration.client_errors
    assert (told.client, told.file, configuration.engine_errors) == (CLIENT, str(tmp_path / _FILE), ())
    assert configuration.usable_clients == ()
    assert "sesame" not in repr(configuration) + "".join(folders.lines(configuration))


def test_a_file_that_cannot_be_read_puts_its_client_out_of_service(tmp_path: Path) -> None:
    """What it says would win, so the YAML section is no substitute."""
    (tmp_path / "packaged").mkdir()
    os.mkfifo(tmp_path / _FILE)
    yaml: dict[str, str | bytes] = {"pns-gcm-options.yml": f"{CLIENT}:\n  keyPath: own.json\n", "own.json": "{}"}
    configuration = folders.read(tmp_path, {**_PACKAGED, "pns.properties": _GCM, **yaml})
    [told] = configuration.client_errors
    assert (told.code, told.client, told.transport) == ("OXP001", CLIENT, "")
    assert configuration.usable_clients == ()


def test_a_file_whose_name_is_no_text_is_told(tmp_path: Path) -> None:
    """File names are bytes; a client's id is text."""
    configuration = _read(tmp_path, "fcmKeyPath=account.json\n")
    (tmp_path / "packaged" / os.fsdecode(b"\xff.properties")).touch()
    again = folders.read(tmp_path)
    assert [found.code for found in again.client_errors] == ["OXP001"]
    assert again.usable_clients == configuration.usable_clients


@pytest.mark.parametrize(
    ("value", "codes"),
    [("nowhere", {"OXP302"}), ("", set()), ("packaged", set()), (PACKAGED.default, set())],
)
def test_a_folder_that_was_named_has_to_be_there(tmp_path: Path, value: str, codes: set[str]) -> None:
    """Empty means none; the default one, named or not, is there only with a package."""
    (tmp_path / "packaged").mkdir()
    configuration = folders.read(tmp_path, {"oxpushctl.properties": f"{PACKAGED.key}={value}\n"})
    assert {found.code for found in configuration.findings if found.reach is Reach.CLIENT} == codes
    assert configuration.engine_errors == ()


def test_the_default_folder_may_be_missing(tmp_path: Path) -> None:
    """Nobody asked for it."""
    reading = read_packaged(tmp_path, Settings({PACKAGED.key: str(tmp_path / "nowhere")}))
    assert (reading.clients, reading.findings) == ([], [])


@pytest.mark.parametrize("text", ["fcmKeyPath=account.json\n", "fcmKeyPath=none.json\n", "fcmKeyPath=\\u\n"])
def test_a_variable_may_name_a_packaged_client(tmp_path: Path, text: str) -> None:
    """The folder may come from the environment, and the clients in it tell what other variables mean."""
    files = {"packaged/brand-one.properties": text, "packaged/account.json": "{}"}
    environ = {"OXPUSHCTL_oxpushctl_pns_packaged": "packaged", "OXPUSHCTL_oxpushctl_push_content_brand_one": "none"}
    configuration = folders.read(tmp_path, files, environ=environ)
    assert configuration.settings.qualified(PUSH_CONTENT, "brand-one") == "none"
    assert "OXP005" not in folders.codes(configuration)


def test_a_finding_about_credentials_has_the_line_of_its_property(tmp_path: Path) -> None:
    """The check of the parts points where the package set the option, by the name that it has there."""
    keystore = Authority(tmp_path).client("com.example.mail", "sesame")
    text = "# the app\napnKeystoreFile=mail.p12\napnPassword=wrong\n"
    configuration = _read(tmp_path, text, {"packaged/mail.p12": keystore.read_bytes()})
    [told] = checks.check_parts(configuration).client_errors
    assert (told.code, told.reach, told.file, told.line) == ("OXP402", Reach.CLIENT, str(tmp_path / _FILE), 3)
    assert told.key == f"{CLIENT}.apnPassword"


def test_a_relative_etc_makes_no_difference(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Places of packaged options are absolute paths, whatever folder the program was started in."""
    _read(tmp_path, "fcmKeyPath=account.json\n")
    monkeypatch.chdir(tmp_path.parent)
    [client] = folders.read(Path(tmp_path.name)).clients
    assert _places(client) == {str(tmp_path / _FILE)}


def _places(client: ClientOptions) -> set[str]:
    return {client.origin.file, *(written.origin.file for written in client.written.values())}
