"""Rules about Dovecot's IMAP: who may register, and what our own log-ins and sessions meet with."""

from __future__ import annotations

import re
from collections.abc import Iterator

from oxpushctl.config.finding import Finding, Severity
from oxpushctl.config.listening import IDLE_ENABLED
from oxpushctl.listeners.dovecot_case import Case, Rule, registers_over_imap
from oxpushctl.listeners.dovecot_config import Block, Entry, IpAddress, Scope, network

# The default of oxpushctl.imapidle.maxSessions: sessions per mail server and node.
IDLE_SESSIONS = 800

# Dovecot's src/imap/imap-settings.c and src/master/master-settings.c
_IMAP_PROCESSES = 1024
_DEFAULT_PROCESSES = 100
_DEFAULT_CLIENTS = 1000

_IMAP = "imap"


def _metadata(case: Case) -> Iterator[Finding]:
    entries = [entry for entry in case.dovecot.entries if entry.key == "imap_metadata" and not entry.sections]
    served = (tuple(block for block in entry.filters if block.kind.startswith("local")) for entry in entries)
    places = list(dict.fromkeys(served))
    who = case.own_addresses[0] if case.own_addresses else "ADDRESS-OF-THIS-MACHINE"
    hint = case.hint([f"remote {who} {{", "protocol imap {", "imap_metadata = yes", "}", "}"])
    is_over_imap = registers_over_imap(case.configuration)
    if not any(entry.is_yes and _is_for_imap(entry) for entry in entries):
        if is_over_imap:
            message = "is not on: nobody can be registered over IMAP"
            # Beside a protocol imap that says no, Dovecot refuses a remote that says yes.
            instead, origin = (f"{hint} instead", entries[-1].origin) if entries else (hint, None)
            yield case.found(Severity.WARNING, "OXP606", "imap_metadata", message, instead, origin)
        return
    open_to_all = [entry for place in places if (entry := _metadata_for(case, None, place)) and entry.is_yes]
    if open_to_all and not case.is_signed and case.is_registration_known:
        message = "is on outside of remote { }: the owner of any mailbox can register it as another user's"
        instead, origin = f"{hint} instead", open_to_all[0].origin
        yield case.found(Severity.ERROR, "OXP607", "imap_metadata", message, instead, origin)
    if open_to_all or not case.own_addresses or not is_over_imap:
        return
    reached = (_metadata_for(case, own, place) for own in case.own_addresses for place in places)
    if not any(entry and entry.is_yes for entry in reached):
        message = f"is on for others, but not for {_written(case)}{_enough(case)}, where our log-ins come from"
        yield case.found(Severity.WARNING, "OXP608", "imap_metadata", message, hint, entries[0].origin)


def _metadata_for(case: Case, remote: IpAddress | None, place: tuple[Block, ...]) -> Entry | None:
    return case.dovecot.find("imap_metadata", Scope(_IMAP, remote, place))


def _is_for_imap(entry: Entry) -> bool:
    """Tell whether a setting holds for IMAP, whoever the client is."""
    protocols = [block.name for block in entry.filters if block.kind == "protocol"]
    return all(name == _IMAP or (name[:1] == "!" and name != f"!{_IMAP}") for name in protocols)


def _trusted_networks(case: Case) -> Iterator[Finding]:
    if not case.own_addresses or _is_penalty_off(case):
        return
    entry = case.dovecot.find("login_trusted_networks", Scope(_IMAP))
    trusted = entry.value.replace(",", " ").split() if entry else []
    networks = [network(name) for name in trusted]
    # A host's name may well be ours.
    if None in networks or any(own in known for own in case.own_addresses for known in networks if known):
        return
    lacking = f"lacks {_written(case)}{_enough(case)}"
    message = f"{lacking}: one user's wrong password slows all of our log-ins, from 10 ms to seconds"
    hint = case.hint([" ".join(["login_trusted_networks =", *trusted, str(case.own_addresses[0])])])
    origin = entry.origin if entry else None
    yield case.found(Severity.WARNING, "OXP617", "login_trusted_networks", message, hint, origin)


def _is_penalty_off(case: Case) -> bool:
    """Tell whether failed log-ins delay nobody: the socket at which they are counted is closed."""
    sections = (Block("service", "anvil"), Block("unix_listener", "anvil-auth-penalty"))
    modes = [entry.value for entry in case.dovecot.entries if entry.sections == sections and entry.key == "mode"]
    return bool(modes) and modes[-1].strip("0") == ""


def _sessions(case: Case) -> Iterator[Finding]:
    if not case.settings[IDLE_ENABLED]:
        return
    processes = _limit(case, "process_limit", _IMAP_PROCESSES, _DEFAULT_PROCESSES)
    clients = _limit(case, "client_limit", 1, _DEFAULT_CLIENTS)
    if processes is not None and clients is not None and processes * clients <= IDLE_SESSIONS:
        entry = _service_setting(case, "process_limit") or _service_setting(case, "client_limit")
        message = (
            f"allows {processes * clients:g} sessions at a time, and up to {IDLE_SESSIONS} are ours: "
            "nobody else gets in, and log-ins hang rather than fail"
        )
        hint = case.hint(["service imap {", f"process_limit = {2 * IDLE_SESSIONS}", "}"])
        origin = entry.origin if entry else None
        yield case.found(Severity.WARNING, "OXP618", "service imap", message, hint, origin)


def _limit(case: Case, key: str, default: float, default_of_zero: float) -> float | None:
    """Return a limit of the service imap: 0 stands for the default of all services; ``None`` if it is no number."""
    entry = _service_setting(case, key)
    if entry is None:
        return default
    if entry.value.isdecimal() and int(entry.value) == 0:
        entry = case.dovecot.find(f"default_{key}", Scope(_IMAP))
        if entry is None:
            return default_of_zero
    if entry.value == "unlimited":
        return float("inf")
    return float(entry.value) if entry.value.isdecimal() else None


def _service_setting(case: Case, key: str) -> Entry | None:
    return case.dovecot.find(f"service_imap_{key}", Scope(_IMAP))


def _hibernation(case: Case) -> Iterator[Finding]:
    if not case.settings[IDLE_ENABLED]:
        return
    entry = case.dovecot.find("imap_hibernate_timeout", Scope(_IMAP))
    if entry is None or re.fullmatch(r"(?:0+\s*[a-z]*)?", entry.value):
        message = "is not set: each IDLE session keeps a process and its memory, where one could hold all that sleep"
        origin = entry.origin if entry else None
        yield case.found(
            Severity.INFO,
            "OXP619",
            "imap_hibernate_timeout",
            message,
            case.hint(["imap_hibernate_timeout = 30s"]),
            origin,
        )


def _written(case: Case) -> str:
    return " or ".join(map(str, case.own_addresses))


def _enough(case: Case) -> str:
    return " (one of them is enough)" if len(case.own_addresses) > 1 else ""


# Those of registrations, and those that hold for whoever logs in.
REGISTERING: tuple[Rule, ...] = (_metadata,)
LOGGING_IN: tuple[Rule, ...] = (_trusted_networks, _sessions, _hibernation)
