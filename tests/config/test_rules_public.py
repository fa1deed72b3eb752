"""Rules about who may come in: mail apps, the proxies before them, and commands at a port."""

from __future__ import annotations

from pathlib import Path

import pytest

from oxpushctl.config.finding import Severity
from tests.config import folders

_SOCKET = "unix:/run/oxpushctl/public.sock"
_PROXIES = {"com.openexchange.server.knownProxies": "10.1.0.7"}
_SERVER = {
    "com.openexchange.mail.mailServer": "imaps://mail.example.com",
    "com.openexchange.mail.passwordSource": "global",
    "com.openexchange.mail.masterPassword": "sesame",
}
_LOGIN = {"oxpushctl.admin.login": "admin", "oxpushctl.admin.password": "sesame"}
_TLS = {"oxpushctl.tls.certificate": "server.pem", "oxpushctl.tls.key": "server.pem"}
_ADMIN = "oxpushctl.admin.listen"
_INTAKE = "oxpushctl.intake.listen"
_PUBLIC = "oxpushctl.public.listen"


def _told(folder: Path, settings: dict[str, str]) -> set[tuple[str, Severity]]:
    """Return what the rules say, but for what they say about an empty folder as well."""
    folders.write(folder / "empty", {"a.properties": ""})
    always = {found.code for found in folders.read(folder / "empty").findings}
    lines = "".join(f"{key}={value}\n" for key, value in settings.items())
    found = folders.read(folder / "etc", {"all.properties": lines, "server.pem": ""}).findings
    return {(each.code, each.severity) for each in found if each.code.startswith("OXP3") and each.code not in always}


@pytest.mark.parametrize(
    ("settings", "codes"),
    [
        pytest.param({_ADMIN: "127.0.0.1:8020"}, {"OXP334"}, id="no login, this machine"),
        pytest.param({_ADMIN: "unix:/run/a.sock, 0.0.0.0:8020"}, {"OXP334"}, id="no login, everybody"),
        pytest.param({_ADMIN: "unix:/run/a.sock"}, set(), id="a socket"),
        pytest.param({_ADMIN: "[::1]:8020"} | _LOGIN, set(), id="a login, this machine"),
        pytest.param({_ADMIN: "127.0.0.1:8020", "oxpushctl.admin.login": "a"}, {"OXP337"}, id="half of a login"),
        pytest.param({"oxpushctl.admin.password": "sesame"}, {"OXP337"}, id="the other half, no port"),
        pytest.param(_LOGIN | {_ADMIN: "127.0.0.1:1", "oxpushctl.admin.login": "\\ "}, {"OXP337"}, id="blank"),
        pytest.param(
            {_ADMIN: "127.0.0.1:1", "oxpushctl.admin.login": "a", "oxpushctl.admin.password.file": "none"},
            set(),
            id="a password that is lost to an error",
        ),
        pytest.param({_ADMIN: "localhost"}, set(), id="unreadable"),
    ],
)
def test_admin_port(tmp_path: Path, settings: dict[str, str], codes: set[str]) -> None:
    """Nothing starts where a port could be used by whoever reaches it."""
    assert {(code, Severity.ERROR) for code in codes} == _told(tmp_path, settings)


@pytest.mark.parametrize(
    ("settings", "expected"),
    [
        pytest.param({_ADMIN: "0.0.0.0:8020"} | _LOGIN, {("OXP327", Severity.WARNING)}, id="commands"),
        pytest.param({_ADMIN: "0.0.0.0:8020"} | _LOGIN | _TLS, set(), id="commands over TLS"),
        pytest.param({_PUBLIC: "[::]:8443"} | _SERVER, {("OXP327", Severity.WARNING)}, id="apps"),
        pytest.param({_PUBLIC: "[::]:8443"} | _SERVER | _TLS, set(), id="apps over TLS"),
        pytest.param({_PUBLIC: "push:8443"} | _SERVER | _PROXIES, {("OXP327", Severity.INFO)}, id="apps, by proxies"),
        pytest.param({_PUBLIC: "127.0.0.1:8443"} | _SERVER | _PROXIES, set(), id="apps, by a proxy on this machine"),
        pytest.param({_PUBLIC: _SOCKET} | _SERVER, set(), id="apps, by a socket"),
    ],
)
def test_passwords_that_cross_the_network(
    tmp_path: Path, settings: dict[str, str], expected: set[tuple[str, Severity]]
) -> None:
    """Whoever can listen in reads them; behind proxies that may be meant."""
    assert expected == _told(tmp_path, settings)


@pytest.mark.parametrize(
    ("public", "admin", "is_refused"),
    [
        pytest.param("localhost:8020", "LOCALHOST:08020", True, id="a port, written otherwise"),
        pytest.param("[::1]:8020", "[::1]:8020", True, id="IPv6"),
        pytest.param(f"{_SOCKET}, 127.0.0.1:1", "unix:/run//oxpushctl/public.sock", True, id="a socket"),
        pytest.param("unix:/nowhere/admin.sock", None, True, id="the default"),
        pytest.param("127.0.0.1:8020", "127.0.0.1:8021", False, id="another port"),
        pytest.param("127.0.0.1:8019", "127.0.0.1:8021", False, id="that of Dovecot's requests"),
    ],
)
def test_one_address_for_apps_and_commands(tmp_path: Path, public: str, admin: str | None, is_refused: bool) -> None:
    """What commands use is for no stranger, however the address is written; Dovecot's may be shared."""
    settings = {_PUBLIC: public, _INTAKE: "127.0.0.1:8019"} | _SERVER | _PROXIES
    told = _told(tmp_path, settings | ({_ADMIN: admin} | _LOGIN if admin else {}))
    assert (("OXP338", Severity.ERROR) in told) == is_refused


@pytest.mark.parametrize("address", ["127.0.0.1:8019", "unix:/run/oxpushctl.sock"])
def test_one_address_for_intake_and_commands(tmp_path: Path, address: str) -> None:
    """One address may serve both: each request has the login of what it is for."""
    login = {} if address.startswith("unix:") else _LOGIN
    assert _told(tmp_path, {_INTAKE: address, _ADMIN: address} | login) == set()


@pytest.mark.parametrize(
    ("settings", "codes"),
    [
        pytest.param(_PROXIES, set(), id="named"),
        pytest.param({"com.openexchange.server.knownProxies": "10.0.0.0/8, ::/0"}, {"OXP339"}, id="everybody"),
        pytest.param({}, {"OXP343"}, id="not named"),
        pytest.param({"com.openexchange.server.knownProxies": "proxy"}, set(), id="unreadable"),
        pytest.param({_PUBLIC: _SOCKET}, set(), id="not named, at a socket"),
    ],
)
def test_proxies(tmp_path: Path, settings: dict[str, str], codes: set[str]) -> None:
    """Who is believed about the address of an app decides whose wrong passwords slow down whom."""
    told = _told(tmp_path, {_PUBLIC: "127.0.0.1:8443"} | _SERVER | settings)
    assert codes == {code for code, _ in told}


@pytest.mark.parametrize(
    ("idle", "max_age", "codes"),
    [
        ("1h", "1h", set()),
        ("61m", "1h", {"OXP340"}),
        ("0s", "1h", {"OXP340"}),
        ("0s", "0s", {"OXP340"}),
        ("5", "1ms", set()),
    ],
)
def test_length_of_sessions(tmp_path: Path, idle: str, max_age: str, codes: set[str]) -> None:
    """One that is said to last otherwise than it does is told, once."""
    lengths = {"oxpushctl.sessions.idle": idle, "oxpushctl.sessions.maxAge": max_age}
    told = _told(tmp_path, {_PUBLIC: _SOCKET} | _SERVER | lengths)
    assert codes == {code for code, _ in told}


@pytest.mark.parametrize(
    "settings",
    [
        _PROXIES,
        {"oxpushctl.sessions.idle": "30d"},
        {"oxpushctl.users.autoCreate": "true"},
        {"oxpushctl.users.autoCreate": "true", "oxpushctl.users.context": "2"},
        {_PUBLIC: _SOCKET, "oxpushctl.users.context": "2"} | _SERVER,
        {"com.openexchange.server.knownProxies": "0.0.0.0/0"},
        {_ADMIN: "unix:/run/a.sock"} | _LOGIN,
    ],
)
def test_settings_that_nobody_comes_to(tmp_path: Path, settings: dict[str, str]) -> None:
    """What has no effect is told once, and is no fault."""
    assert _told(tmp_path, settings) == {("OXP324", Severity.INFO)}


def test_log_ins_without_a_mail_server(tmp_path: Path) -> None:
    """Nobody gets in, which is what the finding about the mail server says then."""
    [found] = (
        each
        for each in folders.read(tmp_path, {"a.properties": f"{_PUBLIC}={_SOCKET}\n"}).findings
        if each.code == "OXP315"
    )
    assert (found.severity, found.message) == (Severity.WARNING, f"is not set: nobody can log in at {_PUBLIC}")
