"""Entries become settings: keys are known or not, values have their kind, and later sources win over earlier ones."""

from __future__ import annotations

import difflib
import os
import re
from collections import defaultdict
from collections.abc import Sequence
from dataclasses import dataclass, field
from pathlib import Path

from oxpushctl import topics
from oxpushctl.config import source, table, writing
from oxpushctl.config.changes import DEFAULTS_OF_8
from oxpushctl.config.clients.options import UNIFIED_FOLDER
from oxpushctl.config.entry import Entry
from oxpushctl.config.files import read_file
from oxpushctl.config.finding import Finding, Reach, Severity
from oxpushctl.config.own import OWN_FILE
from oxpushctl.config.properties import TRANSPORT_OF
from oxpushctl.config.property import ADDRESSES, HTTP_URLS, Effect, Property
from oxpushctl.config.settings import Origin, Settings
from oxpushctl.config.text import is_quotable, shortened
from oxpushctl.errors import MissingFile
from oxpushctl.model import NEW_MAIL

_SECRET_LIMIT = 64 * 1024
_OLD, _AS_IT_IS, _OVERRIDING = range(3)
_COMPARED = 60  # characters of a value
_TOPICS = (NEW_MAIL, "ox:calendar:updates")  # all that are sent: a switch for * is asked for no notification


@dataclass(frozen=True, slots=True)
class _Known:
    """An entry whose key is in the table."""

    entry: Entry
    match: table.Match


@dataclass(slots=True)
class _Resolution:
    """What has been found out so far."""

    etc: Path
    values: dict[str, object] = field(default_factory=dict, repr=False)
    origins: dict[str, Origin] = field(default_factory=dict)
    named: set[str] = field(default_factory=set)
    findings: list[Finding] = field(default_factory=list)

    def tell(self, severity: Severity, code: str, known: _Known, message: str, hint: str = "") -> None:
        # A key of one client puts that client out of service, any other key everything.
        client = known.match.client
        self.findings.append(
            Finding(
                severity,
                Reach.CLIENT if client else Reach.ENGINE,
                code,
                message,
                hint,
                key=known.entry.key,
                client=client,
                transport=TRANSPORT_OF.get(known.match.row.key, "") if client else "",
            ).at(known.entry.origin)
        )


def resolve(etc: Path, files: Sequence[Entry], layers: Sequence[Sequence[Entry]]) -> tuple[Settings, list[Finding]]:
    """Return the settings of the files and of the ``layers`` over them, and what is wrong with any of their entries."""
    resolution = _Resolution(etc)
    known = [_known(entry, resolution) for entry in files]
    from_files = [item for item in known if item is not None]
    _tell_of_places(from_files, resolution)
    _apply(from_files, resolution)
    for layer in layers:
        known = [_known(entry, resolution) for entry in layer]
        _apply([item for item in known if item is not None], resolution)
    _tell_of_defaults_of_8(resolution)
    return Settings(resolution.values, resolution.origins), resolution.findings


def _known(entry: Entry, resolution: _Resolution) -> _Known | None:
    match = table.find(entry.key)
    if match is not None:
        return _Known(entry, match)
    if gone := table.removed(entry.key):
        message = f"was removed with version {gone.version} of the middleware"
        finding = Finding(Severity.WARNING, Reach.ENGINE, "OXP111", message, gone.now, key=entry.key)
        resolution.findings.append(finding.at(entry.origin))
    elif table.is_mistaken(entry.key) or entry.origin.file == source.OPTION:
        hint = table.suggestion(entry.key)
        finding = Finding(Severity.WARNING, Reach.ENGINE, "OXP101", "is not known", hint, key=entry.key)
        resolution.findings.append(finding.at(entry.origin))
    return None


def _tell_of_places(known: Sequence[_Known], resolution: _Resolution) -> None:
    """Compare a key's places within the files: unusual ones, repetitions and contradictions."""
    places: defaultdict[str, dict[str, _Known]] = defaultdict(dict)
    for item in known:
        origin = item.entry.origin
        if origin.file not in (item.match.row.file, OWN_FILE):
            message = f"stands customarily in {item.match.row.file}"
            resolution.tell(Severity.INFO, "OXP102", item, message)
        earlier = places[item.entry.key].get(origin.file)
        if earlier is not None:
            message = f"is set twice in this file: this line wins over line {earlier.entry.origin.line}"
            resolution.tell(Severity.WARNING, "OXP103", item, message)
        places[item.entry.key][origin.file] = item
    for by_file in places.values():
        first, *others = by_file.values()
        for other in others:
            if other.entry.text == first.entry.text:
                message = f"is set to the same value at {first.entry.origin}"
                resolution.tell(Severity.INFO, "OXP104", other, message)
            else:
                message = f"is set to another value at {first.entry.origin}"
                resolution.tell(Severity.ERROR, "OXP105", other, message, "remove one of the two lines")


def _apply(known: Sequence[_Known], resolution: _Resolution) -> None:
    """Check one source's values, and let them win over those of earlier sources."""
    spellings: defaultdict[str, dict[str, _Known]] = defaultdict(dict)
    for item in sorted(known, key=_rank):
        resolution.named.add(item.match.name)
        spellings[item.match.name][item.entry.key] = item
        if item.match.renamed:
            renamed = item.match.renamed
            message = f"has been called {renamed.now} since version {renamed.version} of the middleware"
            resolution.tell(Severity.WARNING, "OXP110", item, message, "rename it: it is read as that for now")
        if item.match.row.effect is Effect.NONE:
            resolution.tell(Severity.INFO, "OXP106", item, "has no effect in oxpushctl")
        if item.match.topic not in ("", *_TOPICS) and item.match.row.effect is not Effect.NONE:
            _tell_of_topic(item, resolution)
        _set(item, resolution)
    for by_key in spellings.values():
        rivals = [item for item in by_key.values() if _rank(item) == _AS_IT_IS]
        for first, other in zip(rivals[:1] * len(rivals), rivals[1:], strict=False):
            message = f"is also set as {first.entry.key} at {first.entry.origin}"
            resolution.tell(Severity.ERROR, "OXP107", other, message, "keep one of the two")


def _rank(item: _Known) -> int:
    """Return which of a setting's names win over others: an old one never does, an overriding one always."""
    if item.match.renamed:
        return _OLD
    return _OVERRIDING if item.entry.key == item.match.row.overriding_alias else _AS_IT_IS


def _tell_of_topic(item: _Known, resolution: _Resolution) -> None:
    topic = item.match.topic
    what = "nothing is pushed for the topic" if topics.is_valid(topic) else "there can be no topic"
    hint = _meant(topic, _TOPICS) or f"new mail is {NEW_MAIL}"
    if topic == topics.EVERYTHING:
        hint = "without a topic the switch is for all of them"
    resolution.tell(Severity.WARNING, "OXP114", item, f"has no effect: {what} {shortened(topic)}", hint)


def _tell_of_defaults_of_8(resolution: _Resolution) -> None:
    """Tell of keys that an installation of the 8.x generation leaves out and relies on another default of."""
    if not os.path.lexists(resolution.etc / UNIFIED_FOLDER) or any(resolution.etc.glob("pns-*-options.yml")):
        return
    for change in DEFAULTS_OF_8.values():
        match = table.find(change.key)
        assert match is not None  # noqa: S101  # its row is what changed
        row = match.row
        default_of_8 = row.kind.parse(change.now)
        if row.effect is Effect.NONE or default_of_8 == row.default or row.key in resolution.named:
            continue
        here = writing.default(row)
        message = f"is not set: the middleware's default since {change.version} is {change.now}, here it is {here}"
        hint = "set it, so that both do the same"
        resolution.findings.append(Finding(Severity.INFO, Reach.ENGINE, "OXP113", message, hint, key=row.key))


def _set(item: _Known, resolution: _Resolution) -> None:
    row = item.match.row
    text = item.entry.text
    origin = item.entry.origin
    if swallowed := _swallowed(item.entry, row):
        # Whatever is said of this value would say that one's as well, which may be a secret.
        message = f"holds the line of {swallowed} as well"
        resolution.tell(Severity.ERROR, "OXP116", item, message, "take the backslash before the end of the line away")
        return
    if item.match.is_file:
        path = resolution.etc / text
        try:
            text = _secret_in(path)
        except MissingFile as error:
            resolution.tell(Severity.ERROR, "OXP108", item, f"{path} {error}")
            return
        origin = Origin(str(path))
    if not text and row.default is None:
        # The middleware's own files ship such keys empty: that is unset.
        resolution.values.pop(item.match.name, None)
        resolution.origins.pop(item.match.name, None)
        return
    if row.kind.is_default(text):
        message = f"is {text}, which means the default, {writing.default_in_words(row)}"
        resolution.tell(Severity.WARNING, "OXP117", item, message, "remove the line")
        text = writing.default(row)
    try:
        text.encode()  # a lone surrogate, which \\u can write, is no text
        value = row.kind.parse(text)
    except ValueError:
        is_shown = is_quotable(text) and not source.holds_secret(row, text)
        shown = f"'{shortened(text)}'" if is_shown else "the value"
        # Java ends a key at its first colon, so a topic needs care: ….enabled.CLIENT.ox\:mail\:new
        hint = "write a colon in a key as \\:" if item.match.client and ":" in text else _meant(text, row.kind.values)
        # What nobody heeds stops nothing.
        severity = Severity.WARNING if row.effect is Effect.NONE else Severity.ERROR
        resolution.tell(severity, "OXP109", item, f"{shown} is not {row.kind.wanted}", hint)
        return
    resolution.values[item.match.name] = value
    resolution.origins[item.match.name] = origin


def _swallowed(entry: Entry, row: Property[object]) -> str:
    """Return whose line became a part of a value, after a backslash at the end of the line before it, or nothing."""
    text = entry.text
    if "com.openexchange." in text or "oxpushctl." in text:
        keys = (each.key for each in table.TABLE if re.search(rf"{re.escape(each.key)}(\.file)?[=:\s]", text))
        if key := next(keys, ""):
            return key
    # Secrets are not shown anyway; a list of addresses may be continued, and has colons.
    is_list = row.kind in (ADDRESSES, HTTP_URLS) and "=" not in text and _is_of_kind(row, text)
    return "" if not entry.has_swallowed or row.is_secret or is_list else "another setting"


def _is_of_kind(row: Property[object], text: str) -> bool:
    try:
        row.kind.parse(text)
    except ValueError:
        return False
    return True


def _meant(text: str, values: Sequence[str]) -> str:
    """Return a hint at the value that was probably meant, or nothing."""
    close = difflib.get_close_matches(text[:_COMPARED].lower(), values, n=1)
    return f"did you mean {close[0]}?" if close else ""


def _secret_in(path: Path) -> str:
    try:
        text = read_file(path, _SECRET_LIMIT).decode().strip()
    except UnicodeDecodeError as error:
        raise MissingFile("is not UTF-8") from error
    if not text:
        raise MissingFile("is empty")
    return text
