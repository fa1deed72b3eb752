"""What a check of the configuration says about Dovecot's side: from a file, or from ``doveconf -n`` on this machine.

In a file that was named a fault may be an error. What the program of this machine says is at most a warning: nobody
said that this Dovecot is the one that matters.
"""

from __future__ import annotations

import asyncio
import contextlib
import ipaddress
import re
import shlex
import shutil
import socket
import stat
from collections.abc import Iterable, Iterator
from dataclasses import replace
from pathlib import Path

from oxpushctl.config.check import Wishes, has_error
from oxpushctl.config.configuration import Configuration
from oxpushctl.config.finding import Finding, Reach, Severity
from oxpushctl.config.hosts import is_this_machine
from oxpushctl.config.listening import DOVECOT_ENABLED
from oxpushctl.config.properties import MAIL_SERVER_URL
from oxpushctl.config.settings import Origin
from oxpushctl.errors import NotReachable
from oxpushctl.listeners import dovecot_config, dovecot_rules_access, dovecot_rules_delivery
from oxpushctl.listeners.dovecot_case import DELIVERING, DOVECONF_BY_HAND, Case, Rule
from oxpushctl.listeners.dovecot_config import Block, DovecotConfig, IpAddress
from oxpushctl.listeners.dovecot_driver import drivers
from oxpushctl.listeners.dovecot_syntax import BadDovecotConfig, UnreadableInclude
from oxpushctl.listeners.mail_server import MailServer
from oxpushctl.look_up import looked_up

DOVECONF = "doveconf -n"

# Where distributions keep it, for those who have a short PATH.
_FOLDERS = "/usr/bin:/usr/sbin:/usr/local/bin:/usr/local/sbin"
_IMAP_PORTS = {"imap": 143, "imaps": 993}
_ANSWER_LIMIT_S = 5.0
_LOOK_UP_LIMIT_S = 3.0
# With -P the driver's URL keeps its login and password. Older versions know no -P, and hide nothing.
_WITH_SECRETS = ("-nP", "-n")
_USER_INFO = re.compile(r"(?<=://)\S*@")

_PUSH_RULES: tuple[Rule, ...] = (*dovecot_rules_delivery.RULES, *dovecot_rules_access.REGISTERING)


async def check_dovecot(configuration: Configuration, wishes: Wishes) -> list[Finding]:
    """Return what is wrong with Dovecot's own configuration, where one is named or at hand.

    Raises ``MissingFile`` when the file that was named cannot be read.
    """
    if wishes.dovecot_config is not None:
        try:
            dovecot = await asyncio.to_thread(dovecot_config.read, wishes.dovecot_config)
        except BadDovecotConfig as error:
            return [_broken(error)]
        case = Case(configuration, dovecot, await _own_addresses(configuration, wishes))
        return [*_judged(case), *_open_secrets(case)]
    program = shutil.which("doveconf") or shutil.which("doveconf", path=_FOLDERS)
    if program is None or wishes.is_offline or not _is_dovecot_here(configuration):
        return []
    try:
        dovecot = dovecot_config.parse(await _asked(program), DOVECONF)
    except (NotReachable, BadDovecotConfig) as error:
        message = f"cannot be used: {error}"
        return [Finding(Severity.INFO, Reach.USER, "OXP603", message, DOVECONF_BY_HAND, file=DOVECONF)]
    case = Case(configuration, dovecot, await _own_addresses(configuration, wishes))
    if other := _why_another(case):
        hint = "name the configuration of the Dovecot that has the mail with --dovecot-config FILE"
        return [case.found(Severity.INFO, "OXP604", "Dovecot", f"this machine's own is not judged: {other}", hint)]
    return [replace(found, severity=_at_most_warning(found.severity)) for found in _judged(case)]


def _judged(case: Case) -> list[Finding]:
    is_used = case.settings[DOVECOT_ENABLED] and not has_error(case.configuration, DOVECOT_ENABLED)
    rules: Iterable[Rule] = (*(_PUSH_RULES if is_used else ()), *dovecot_rules_access.LOGGING_IN)
    return [found for rule in rules for found in rule(case)]


def _open_secrets(case: Case) -> Iterator[Finding]:
    """Say which files hold the intake's login and password for everybody to read, as it is said of our own."""
    told: set[str] = set()
    for driver in (driver for protocol in DELIVERING for driver in drivers(case.dovecot, protocol)):
        target, file = driver.target, driver.origin.file
        has_secret = driver.has_broken_login or (target is not None and target.user_pass is not None)
        if has_secret and file not in told and _is_open(Path(file)):
            told.add(file)
            message = "every user of this machine can read the file, which holds a secret"
            yield case.found(
                Severity.WARNING, "OXP331", driver.name, message, f"chmod o-r {shlex.quote(file)}", Origin(file)
            )


def _is_open(path: Path) -> bool:
    try:
        return bool(path.stat().st_mode & stat.S_IROTH)
    except OSError:  # gone since it was read
        return False


def _broken(error: BadDovecotConfig) -> Finding:
    if isinstance(error, UnreadableInclude):
        message = f"{error}: Dovecot's configuration is not judged without it"
        return Finding(Severity.WARNING, Reach.USER, "OXP602", message, DOVECONF_BY_HAND, key="!include").at(
            error.origin
        )
    return Finding(Severity.ERROR, Reach.USER, "OXP601", str(error)).at(error.origin)


def _at_most_warning(severity: Severity) -> Severity:
    return Severity.WARNING if severity is Severity.ERROR else severity


def _is_dovecot_here(configuration: Configuration) -> bool:
    """Tell whether the mail server is this machine, as far as anybody said."""
    if has_error(configuration, MAIL_SERVER_URL):
        return False
    server = configuration.settings[MAIL_SERVER_URL]
    return server is None or is_this_machine(server.host)


def _why_another(case: Case) -> str:
    """Say why this machine's Dovecot does not look like the one that has the mail; empty if it does."""
    server = MailServer.from_settings(case.settings, case.configuration.etc)
    if server is None:
        return "" if _is_set_up(case.dovecot) else "it is not set up for push, and no mail server is named"
    if server.port in _imap_ports(case.dovecot):
        return ""
    return f"it does not listen at port {server.port}, where the mail server is"


def _is_set_up(dovecot: DovecotConfig) -> bool:
    """Tell whether anybody began to set up push."""
    has_metadata = any(entry.key == "imap_metadata" and entry.is_yes for entry in dovecot.entries)
    has_plugin = any("push_notification" in dovecot.plugins(protocol).names for protocol in DELIVERING)
    return has_metadata or has_plugin or any(drivers(dovecot, protocol) for protocol in DELIVERING)


def _imap_ports(dovecot: DovecotConfig) -> set[int]:
    """Return the ports at which people log in; ``imap`` and ``imaps`` are there unless they are told otherwise."""
    ports = dict(_IMAP_PORTS)
    for entry in dovecot.entries:
        if entry.key == "port" and entry.sections[:1] == (Block("service", "imap-login"),) and entry.value.isdecimal():
            ports[entry.sections[-1].name] = int(entry.value)
    return set(ports.values())


async def _asked(program: str) -> str:
    """Return what doveconf prints; ``NotReachable`` says why it does not."""
    complaint = ""
    for option in _WITH_SECRETS:
        try:
            process = await asyncio.create_subprocess_exec(
                program,
                option,
                stdin=asyncio.subprocess.DEVNULL,
                stdout=asyncio.subprocess.PIPE,
                stderr=asyncio.subprocess.PIPE,
            )
        except OSError as error:
            raise NotReachable(error.strerror or "it cannot be started") from error
        try:
            async with asyncio.timeout(_ANSWER_LIMIT_S):
                printed, complaints = await process.communicate()
        except TimeoutError as error:
            raise NotReachable(f"no answer within {_ANSWER_LIMIT_S:g} s") from error
        finally:
            with contextlib.suppress(ProcessLookupError):  # it ended by itself
                process.kill()
            await process.wait()
        if process.returncode == 0:
            return printed.decode(errors="replace")
        complaint = _first_complaint(complaints)
        if "invalid option" not in complaint:
            break
    raise NotReachable(complaint)


def _first_complaint(complaints: bytes) -> str:
    """Return the line that says what is wrong, without a URL's login and password."""
    lines = complaints.decode(errors="replace").splitlines()
    told = [line for line in lines if line.strip() and "Warning:" not in line] or ["it failed without a word"]
    return _USER_INFO.sub("", told[0].strip().removeprefix("doveconf: ").removeprefix("Fatal: "))


async def _own_addresses(configuration: Configuration, wishes: Wishes) -> tuple[IpAddress, ...]:
    """Return the addresses that the mail server may see our log-ins from, as far as they can be told."""
    server = configuration.settings[MAIL_SERVER_URL]
    if not server or has_error(configuration, MAIL_SERVER_URL):
        return ()
    host = server.host
    if host.lower().rstrip(".") == "localhost":
        return (ipaddress.IPv4Address("127.0.0.1"), ipaddress.IPv6Address("::1"))
    try:
        targets = [str(ipaddress.ip_address(host))]
    except ValueError:
        targets = [] if wishes.is_offline else await _looked_up(host)
    own = (_source_address(target) for target in targets)
    return tuple(dict.fromkeys(address for address in own if address is not None))


async def _looked_up(host: str) -> list[str]:
    try:
        async with asyncio.timeout(_LOOK_UP_LIMIT_S):
            found = await asyncio.wrap_future(looked_up(host, None))
    except (OSError, UnicodeError):  # whether the mail server can be reached is told by who tries
        return []
    return [str(address[0]) for _, _, _, _, address in found]


def _source_address(target: str) -> IpAddress | None:
    """Return the address that this machine would connect from; a UDP socket sends nothing to learn it."""
    family = socket.AF_INET6 if ":" in target else socket.AF_INET
    try:
        with socket.socket(family, socket.SOCK_DGRAM) as probe:
            probe.connect((target, 9))
            return ipaddress.ip_address(str(probe.getsockname()[0]).partition("%")[0])
    except (OSError, ValueError):  # no route, or no such family here
        return None
