"""Rules about Dovecot's deliveries: does a new mail become a request to our intake that is believed?"""

from __future__ import annotations

import ipaddress
from collections.abc import Iterator

from oxpushctl.config.check import has_error
from oxpushctl.config.finding import Finding, Severity
from oxpushctl.config.hosts import host_of, is_this_machine
from oxpushctl.config.own import INTAKE_LISTEN, TLS_CERTIFICATE, TLS_KEY
from oxpushctl.config.properties import REST_LOGIN, REST_PASSWORD
from oxpushctl.listeners.dovecot_case import DELIVERING, DOVECONF_BY_HAND, Case, Rule
from oxpushctl.listeners.dovecot_config import IpAddress, Scope
from oxpushctl.listeners.dovecot_driver import Driver, Target, drivers

# The path of web.notify, which a part may not import; a test compares them.
NOTIFY_PATH = "/preliminary/http-notify/v1/notify"

_NEEDED_PLUGINS = ("notify", "push_notification")
_FIRST_WITH_DRIVER = (2, 2, 19)
_FIRST_WITH_HTTPS = (2, 3)


def _version(case: Case) -> Iterator[Finding]:
    version = case.dovecot.version
    if version and version < _FIRST_WITH_DRIVER:
        written = ".".join(map(str, version))
        message = f"is {written}: the driver ox came with 2.2.19"
        yield case.found(Severity.ERROR, "OXP605", "Dovecot", message, "upgrade Dovecot")
    if not version or version >= _FIRST_WITH_HTTPS:
        return
    running = dict.fromkeys(driver for protocol in DELIVERING for driver in drivers(case.dovecot, protocol))
    for driver in running:
        if driver.is_ox and driver.target and driver.target.scheme == "https":
            message = "calls https, which Dovecot can from 2.3 on"
            yield case.found(Severity.ERROR, "OXP605", driver.name, message, "upgrade Dovecot", driver.origin)


def _attribute_dict(case: Case) -> Iterator[Finding]:
    lacking = [protocol for protocol in (*DELIVERING, "imap") if not _has_attribute_dict(case, protocol)]
    if not lacking:
        return
    hint = case.hint(
        ["mail_attribute_dict = file:%h/dovecot-attributes"],
        ["mail_attribute {", "dict file {", "path = %{home}/dovecot-attributes", "}", "}"],
    )
    key = case.worded("mail_attribute_dict", "mail_attribute")
    message = f"is not set{_where(lacking, 3)}: there is no place for registrations"
    yield case.found(Severity.ERROR, "OXP609", key, message, hint)


def _has_attribute_dict(case: Case, protocol: str) -> bool:
    if not case.dovecot.has_new_syntax:
        entry = case.dovecot.find("mail_attribute_dict", Scope(protocol))
        return entry is not None and entry.value != ""
    return any(
        [block.kind for block in entry.sections] in (["mail_attribute", "dict"], ["mail_attribute_dict"])
        and entry.sections[-1].name != ""
        for entry in case.dovecot.matching(Scope(protocol))
    )


def _plugins(case: Case) -> Iterator[Finding]:
    plugins = {protocol: case.dovecot.plugins(protocol) for protocol in DELIVERING}
    lacking = {
        protocol: [name for name in _NEEDED_PLUGINS if name not in plugins[protocol].names] for protocol in DELIVERING
    }
    is_anything_told = not all(lacking.values())
    for protocol, names in lacking.items():
        if names:
            message = f"of protocol {protocol} lacks {' and '.join(names)}: no mail that it delivers is told"
            hint = case.hint(
                [f"protocol {protocol} {{", f"mail_plugins = $mail_plugins {' '.join(names)}", "}"],
                [f"protocol {protocol} {{", "mail_plugins {", *(f"{name} = yes" for name in names), "}", "}"],
            )
            severity = Severity.WARNING if is_anything_told else Severity.ERROR
            yield case.found(severity, "OXP610", "mail_plugins", message, hint, plugins[protocol].origin)


def _drivers(case: Case) -> Iterator[Finding]:
    """Which drivers there are: without one nothing is told, and one behind a gap is none."""
    running = {protocol: drivers(case.dovecot, protocol) for protocol in DELIVERING}
    ignored = {driver.origin: driver for found in running.values() for driver in found if driver.is_ignored}
    lacking = [p for p in DELIVERING if not any(driver.is_ox and not driver.is_ignored for driver in running[p])]
    severity = Severity.ERROR if len(lacking) == len(DELIVERING) else Severity.WARNING
    for driver in ignored.values():
        message = "is ignored: Dovecot stops at the first number that is not there"
        hint = "number them push_notification_driver, push_notification_driver2, push_notification_driver3 …"
        is_needed = driver.is_ox and lacking
        yield case.found(
            severity if is_needed else Severity.WARNING, "OXP612", driver.name, message, hint, driver.origin
        )
    if lacking and not any(driver.is_ox for driver in ignored.values()):
        key = case.worded("push_notification_driver", "push_notification")
        message = f"has no driver ox{_where(lacking, 2)}: nobody tells the intake of new mail"
        yield case.found(severity, "OXP611", key, message, _driver_hint(case))


def _where(protocols: list[str], all_of_them: int) -> str:
    return "" if len(protocols) == all_of_them else f" for {' and '.join(protocols)}"


def _calls(case: Case) -> Iterator[Finding]:
    """Whom the drivers call, and as whom."""
    told: set[Driver] = set()
    for protocol in DELIVERING:
        running = [driver for driver in drivers(case.dovecot, protocol) if driver.is_ox and not driver.is_ignored]
        problems = {driver: _address_problem(case, driver) for driver in running}
        ours = [driver for driver in running if not problems[driver]]
        # One for us is enough; the others may well serve somebody else.
        for driver in ours or running[:1]:
            if driver not in told:
                told.add(driver)
                yield from _driver_findings(case, driver, problems[driver])


def _driver_findings(case: Case, driver: Driver, problem: str) -> Iterator[Finding]:
    target = driver.target
    if driver.has_lone_percent:
        message = "has a single % in its URL, which begins a variable: every log-in and delivery fails"
        yield case.found(Severity.ERROR, "OXP615", driver.name, message, "write %% for each %", driver.origin)
    elif problem:
        severity = Severity.ERROR if target is None else Severity.WARNING
        balanced = "right if a balancer or proxy there hands on to the intake, else " if target else ""
        hint = _escape_hint(case) if driver.has_broken_login else balanced + _driver_hint(case)
        yield case.found(severity, "OXP613", driver.name, problem, hint, driver.origin)
    if target is not None and not driver.has_lone_percent and target.path == NOTIFY_PATH:
        yield from _credentials(case, driver, target, is_ours=not problem)
    if not driver.is_user_from_metadata and case.is_registration_known:
        hint = case.worded("add the word user_from_metadata to its options", "write: ox_user_from_metadata = yes")
        message = "has no user_from_metadata: Dovecot sends its own user name instead of the registered one"
        refused = ", which is never believed while registrations are signed" if case.is_signed else ""
        severity = Severity.ERROR if case.is_signed else Severity.WARNING
        yield case.found(severity, "OXP616", driver.name, message + refused, hint, driver.origin)


def _credentials(case: Case, driver: Driver, target: Target, *, is_ours: bool) -> Iterator[Finding]:
    login, password = case.settings[REST_LOGIN], case.settings[REST_PASSWORD]
    # Not set, or not readable: that is reported, and this its consequence.
    if not login or not password or has_error(case.configuration, REST_LOGIN, REST_PASSWORD):
        return
    if target.is_hidden:
        message = "has its login and password hidden by doveconf: they are not compared with ours"
        yield case.found(Severity.INFO, "OXP620", driver.name, message, DOVECONF_BY_HAND, driver.origin)
        return
    if target.user_pass is None:
        message = "carries no login and password in its URL"
    else:
        if ":".join(target.user_pass) == f"{login}:{password}":
            return
        wrong = REST_LOGIN if target.user_pass[0] != login else REST_PASSWORD
        message = f"carries another {'login' if wrong is REST_LOGIN else 'password'} than {wrong.key}"
    refused = ": the intake refuses it" if is_ours else ""
    severity = Severity.ERROR if is_ours else Severity.WARNING
    yield case.found(severity, "OXP614", driver.name, message + refused, _escape_hint(case), driver.origin)


def _escape_hint(case: Case) -> str:
    percent = case.worded("%%", "%")
    return f"LOGIN:PASSWORD@ stands before the host, any of : / ? @ # % in them as {percent} and two hexadecimal digits"


def _address_problem(case: Case, driver: Driver) -> str:
    """Say why a driver does not call our intake; empty if it does, or may."""
    target = driver.target
    if not driver.url:
        return "has no url: it calls nobody"
    if driver.has_broken_login:
        return "has a url whose login or password holds a /, ? or #, so that it calls somebody else"
    if target is None:
        return "has a url that is not http://HOST:PORT/PATH"
    if target.path != NOTIFY_PATH:
        # What stands there instead may be the rest of a password with an unquoted # in it.
        return f"has a url whose path is not that of the notify endpoint, {NOTIFY_PATH}"
    return _listening_problem(case, target)


def _listening_problem(case: Case, target: Target) -> str:
    listens = [address for address in case.settings[INTAKE_LISTEN] if not address.startswith("unix:")]
    # Behind a Unix socket somebody else is reached over the network, and hands on to us.
    if not listens or has_error(case.configuration, INTAKE_LISTEN):
        return ""
    if not any(_may_be(target, address) for address in listens):
        return f"calls {target}, which is not one of ours: the intake listens at {', '.join(listens)}"
    has_tls = bool(case.settings[TLS_CERTIFICATE] and case.settings[TLS_KEY])
    if has_tls != (target.scheme == "https") and not has_error(case.configuration, TLS_CERTIFICATE, TLS_KEY):
        return f"calls {target}, but the intake serves {'https' if has_tls else 'http'}"
    return ""


def _may_be(target: Target, address: str) -> bool:
    """Tell whether a URL may lead to an address that we listen at; names are not looked up."""
    host, port = host_of(address), int(address.rpartition(":")[2])
    if port not in (0, target.port):
        return False
    given, own = _ip(target.host), _ip(host)
    if own is not None and own.is_unspecified:
        return True
    if given is not None and own is not None:
        return given == own
    if is_this_machine(host) or is_this_machine(target.host):
        return is_this_machine(host) and is_this_machine(target.host)
    return given is not None or own is not None or target.host.rstrip(".") == host.lower().rstrip(".")


def _ip(host: str) -> IpAddress | None:
    try:
        return ipaddress.ip_address(host)
    except ValueError:
        return None


def _driver_hint(case: Case) -> str:
    """Say how the driver is written that calls us."""
    scheme = "https" if case.settings[TLS_CERTIFICATE] else "http"
    listens = [address for address in case.settings[INTAKE_LISTEN] if not address.startswith("unix:")]
    address = listens[0] if listens else "HOST:PORT"
    own = _ip(host_of(address))
    if own is not None and own.is_unspecified:
        address = f"HOST:{address.rpartition(':')[2]}"
    url = f"{scheme}://LOGIN:PASSWORD@{address}{NOTIFY_PATH}"
    return case.hint(
        ["plugin {", f"push_notification_driver = ox:url={url} user_from_metadata", "}"],
        ["push_notification ox {", f"ox_url = {url}", "ox_user_from_metadata = yes", "}"],
    )


RULES: tuple[Rule, ...] = (_version, _attribute_dict, _plugins, _drivers, _calls)
