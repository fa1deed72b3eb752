from __future__ import annotations

from pathlib import Path

import pytest

from oxpushctl.config.clients.options import ApnsOptions, FcmOptions, key_of, place_of
from oxpushctl.config.finding import Severity
from oxpushctl.config.settings import Origin
from tests.config import folders
from tests.config.folders import CLIENT

_ARTICLE = {
    "pns.properties": "com.openexchange.pns.transport.apn.ios.enabled=true\n"
    "com.openexchange.pns.transport.gcm.enabled=true\n",
    "pns-gcm-options.yml": f"{CLIENT}:\n   enabled: true\n   key: 1234567890123456789012345678901234567890\n",
    "pns-apns-options.yml": f"{CLIENT}:\n"
    "    enabled: true\n"
    "    keystore: apns-certificate.p12\n"
    "    password: 12345678\n"
    "    production: true\n",
}


def test_the_example_of_the_article_is_checked(tmp_path: Path) -> None:
    """Its FCM key is of a protocol that Google switched off, its keystore is yet to be made; all else is well."""
    configuration = folders.read(tmp_path, _ARTICLE)
    errors = [(found.file, found.line, found.column, found.code) for found in configuration.findings if found.client]
    assert errors == [("pns-apns-options.yml", 3, 15, "OXP301"), ("pns-gcm-options.yml", 3, 9, "OXP209")]
    assert (configuration.engine_errors, configuration.usable_clients) == ((), ())


def test_the_example_of_the_article_works_once_its_files_are_there(tmp_path: Path) -> None:
    """A keystore and a service account bring both clients into service."""
    account = {"pns-gcm-options.yml": f"{CLIENT}:\n  keyPath: account.json\n", "account.json": "{}"}
    configuration = folders.read(tmp_path, {**_ARTICLE, **account, "apns-certificate.p12": ""})
    apns, fcm = configuration.usable_clients
    assert isinstance(apns, ApnsOptions)
    assert isinstance(fcm, FcmOptions)
    assert (apns.keystore, apns.password, apns.authtype) == (
        tmp_path / "apns-certificate.p12",
        "12345678",
        "certificate",
    )
    assert fcm.key_path == tmp_path / "account.json"


def test_push_clients_of_ox_8_are_read(tmp_path: Path) -> None:
    """The suffix of an id names the system, the rest is the client that devices subscribe with."""
    yaml = (
        f"{CLIENT}-ios:\n  _type: apn\n  privatekey: key.p8\n  keyid: ABCDE12345\n  teamid: FGHIJ67890\n"
        f"  topic: com.example.mail\n  production: false\n"
        f"{CLIENT}-android:\n  _type: fcm\n  keyPath: account.json\n"
    )
    switches = _ARTICLE["pns.properties"]
    files = {"pushClientConfig/all.yml": yaml, "key.p8": "", "account.json": "", "pns.properties": switches}
    configuration = folders.read(tmp_path, files)
    apns, fcm = configuration.usable_clients
    assert isinstance(apns, ApnsOptions)
    assert (apns.client, apns.authtype, apns.is_production, apns.switch) == (CLIENT, "jwt", False, "apn")
    assert (fcm.client, fcm.origin.file, fcm.origin.line) == (CLIENT, "pushClientConfig/all.yml", 8)


def test_either_switch_of_apple_turns_a_client_of_ox_8_on(tmp_path: Path) -> None:
    """In 8.x apn and apns_http2 look the same push clients up."""
    files = {
        "pushClientConfig/all.yml": f"{CLIENT}-ios:\n  _type: apn\n  keystore: cert.pem\n",
        "cert.pem": "",
        "pns.properties": "com.openexchange.pns.transport.apns_http2.ios.enabled=true\n",
    }
    configuration = folders.read(tmp_path, files)
    assert [client.switch for client in configuration.clients if isinstance(client, ApnsOptions)] == ["apns_http2"]
    assert [found for found in configuration.findings if found.client] == []


def test_the_apns_file_whose_switch_is_on_is_used(tmp_path: Path) -> None:
    """A client may stand in both APNs files while an installation moves from one to the other."""
    files = {
        "pns-apns-options.yml": f"{CLIENT}:\n  keystore: old.pem\n",
        "pns-apns_http2-options.yml": f"{CLIENT}:\n  keystore: new.pem\n",
        "old.pem": "",
        "new.pem": "",
        "pns.properties": "com.openexchange.pns.transport.apns_http2.ios.enabled=true\n",
    }
    [client] = folders.read(tmp_path, files).usable_clients
    assert isinstance(client, ApnsOptions)
    assert client.keystore == tmp_path / "new.pem"


def test_a_broken_file_leaves_the_others_in_service(tmp_path: Path) -> None:
    """Reach is the file's own clients: the engine starts."""
    files = {
        **_ARTICLE,
        "pns-apns-options.yml": "x:\n\tenabled: true\n",
        "pns-gcm-options.yml": f"{CLIENT}:\n  keyPath: account.json\n",
        "account.json": "",
    }
    configuration = folders.read(tmp_path, files)
    assert [client.client for client in configuration.usable_clients] == [CLIENT]
    assert configuration.engine_errors == ()


def test_an_error_of_one_transport_leaves_the_other_in_service(tmp_path: Path) -> None:
    """A client's iOS app has nothing to do with its Android app."""
    files = {**_ARTICLE, "apns-certificate.p12": ""}
    assert [type(client) for client in folders.read(tmp_path, files).usable_clients] == [ApnsOptions]


def test_facade_clients_are_those_enabled(tmp_path: Path) -> None:
    """The mobile API facade serves the listed ids besides its own."""
    yaml = "brand-one:\n  description: One\nbrand-two:\n  enabled: false\nbrand-three:\n  enabled: yes\n"
    configuration = folders.read(tmp_path, {"pns-mobile-api-facade-clients.yml": yaml})
    assert configuration.facade_clients == {"brand-one", "brand-three"}


@pytest.mark.parametrize("name", ["pns-gcm-options.yml", "pushClientConfig"])
def test_what_is_no_regular_file_is_a_finding(tmp_path: Path, name: str) -> None:
    """A folder for a file, or a file for a folder, stops neither the reading nor the engine."""
    if name.endswith(".yml"):
        (tmp_path / name).mkdir()
    else:
        (tmp_path / name).touch()
    configuration = folders.read(tmp_path)
    assert [(found.code, found.file) for found in configuration.findings if found.file] == [("OXP001", name)]
    assert configuration.engine_errors == ()


def test_each_option_has_its_place(tmp_path: Path) -> None:
    """Findings point at the line of an option, at the section when it is not set; shared ones where they stand."""
    yaml = f"shared: &shared\n  enabled: false\n  keystore: a.p12\n{CLIENT}:\n  <<: *shared\n  password: sesame\n"
    client = folders.read(tmp_path, {"pns-apns-options.yml": yaml}).clients[1]
    names = ("password", "keystore", "topic")
    assert [(key_of(client, name), place_of(client, name)) for name in names] == [
        (f"{CLIENT}.password", Origin("pns-apns-options.yml", 6, 13)),
        (f"{CLIENT}.keystore", Origin("pns-apns-options.yml", 3, 13)),
        (f"{CLIENT}.topic", Origin("pns-apns-options.yml", 4, 1)),
    ]


def test_where_options_stand_is_no_difference(tmp_path: Path) -> None:
    """A comment more does not make other options of them, which a reload would have to take over."""
    yaml = f"{CLIENT}:\n  keyPath: account.json\n"
    [before] = folders.read(tmp_path, {"pns-gcm-options.yml": yaml}).clients
    [after] = folders.read(tmp_path, {"pns-gcm-options.yml": yaml.replace(":\n", ":\n  # ours\n")}).clients
    assert before.written != after.written
    assert before == after


@pytest.mark.parametrize("file", ["pns-apns-options.yml", "pns-apns_http2-options.yml", "pns-gcm-options.yml"])
def test_a_client_that_is_switched_off_is_told(tmp_path: Path, file: str) -> None:
    """A leftover `enabled: false` is looked for on the day that no push arrives."""
    configuration = folders.read(tmp_path, {file: f"{CLIENT}:\n  enabled: false\n"})
    told = [(found.severity, found.code, found.file, found.line) for found in configuration.findings if found.client]
    assert told == [(Severity.INFO, "OXP213", file, 2)]


@pytest.mark.parametrize(
    ("old", "new", "told"),
    [
        ("keyPath: account.json", "keystore: cert.pem", ["OXP214"]),
        ("keyPath: account.json, enabled: false", "keystore: cert.pem", []),
        ("keyPath: account.json", "keystore: cert.pem, enabled: false", []),
    ],
)
def test_files_of_two_generations_are_told(tmp_path: Path, old: str, new: str, told: list[str]) -> None:
    """Both are read here, unlike by the middleware; files whose clients are all switched off are but left there."""
    files = {
        "pns-gcm-options.yml": f"{CLIENT}: {{{old}}}\n",
        "pushClientConfig/apple.yml": f"{CLIENT}-ios: {{_type: apn, {new}}}\n",
        "account.json": "{}",
        "cert.pem": "",
    }
    configuration = folders.read(tmp_path, files)
    assert [found.code for found in configuration.findings if found.code == "OXP214"] == told


def test_conffiles_of_8_without_clients_are_no_second_generation(tmp_path: Path) -> None:
    """8.x ships the old files still, with nothing but comments."""
    files = {
        "pns-gcm-options.yml": "# Maps a client to its key\n#\n",
        "pushClientConfig/apple.yml": f"{CLIENT}-ios: {{_type: apn, keystore: cert.pem}}\n",
        "cert.pem": "",
    }
    assert "OXP214" not in folders.codes(folders.read(tmp_path, files))


@pytest.mark.parametrize("option", ["keyid", "teamid"])
@pytest.mark.parametrize("text", ["ABCDE1234", "ABCDE123456", "ABCDE-2345", "DEF123GHIJ "])
def test_an_id_that_apple_never_gave(tmp_path: Path, option: str, text: str) -> None:
    """Apple's ids of keys and teams have ten letters and digits; another one is refused at the first push only."""
    options = {"keyid": "ABCDE12345", "teamid": "FGHIJ67890", option: text}
    lines = "".join(f"  {name}: '{written}'\n" for name, written in options.items())
    yaml = f"{CLIENT}:\n  privatekey: key.p8\n  topic: com.example\n{lines}"
    errors = folders.read(tmp_path, {"key.p8": "", "pns-apns-options.yml": yaml}).client_errors
    assert [(found.code, found.key) for found in errors] == [("OXP204", f"{CLIENT}.{option}")]


@pytest.mark.parametrize("file", ["pns-gcm-options.yml", "pushClientConfig/clients.yml"])
def test_a_misspelt_client_of_the_facade(tmp_path: Path, file: str) -> None:
    """It is the app's own id that was meant, not one to add to a list."""
    is_unified = file.startswith("push")
    section = "open-xchange-mobil-api-facade" + ("-android" if is_unified else "")
    kind = "  _type: fcm\n" if is_unified else ""
    files: dict[str, str | bytes] = {"a.json": "{}", file: f"{section}:\n{kind}  keyPath: a.json\n"}
    hints = [found.hint for found in folders.read(tmp_path, files).findings if found.code == "OXP312"]
    assert hints == [f"did you mean {CLIENT}?"]
