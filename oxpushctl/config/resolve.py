"""Entries become settings: keys are known or not, values have their kind, and later sources win over earlier ones."""

from __future__ import annotations

import difflib
from collections import defaultdict
from collections.abc import Sequence
from dataclasses import dataclass, field
from pathlib import Path

from oxpushctl.config import source, table
from oxpushctl.config.entry import Entry
from oxpushctl.config.files import read_file
from oxpushctl.config.finding import Finding, Reach, Severity
from oxpushctl.config.properties import SWITCHES
from oxpushctl.config.property import Effect, Kind
from oxpushctl.config.settings import Origin, Settings
from oxpushctl.errors import MissingFile

_HEEDED = {
    Effect.JUDGED: "is judged only: this version runs no listeners",
    Effect.NONE: "has no effect in oxpushctl",
}
_SECRET_LIMIT = 64 * 1024
_SHOWN = 60
_TRANSPORT_OF = {row.key: "gcm" if name == "gcm" else "apn" for name, row in SWITCHES.items()}


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
                transport=_TRANSPORT_OF.get(known.match.row.key, "") if client else "",
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
        if origin.file != item.match.row.file:
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
    for item in known:
        spellings[item.match.name][item.entry.key] = item
        if item.match.renamed:
            renamed = item.match.renamed
            message = f"has been called {renamed.now} since version {renamed.version} of the middleware"
            resolution.tell(Severity.WARNING, "OXP110", item, message, "rename it: it is read as that for now")
        if item.match.row.effect is not Effect.ENGINE:
            resolution.tell(Severity.INFO, "OXP106", item, _HEEDED[item.match.row.effect])
        _set(item, resolution)
    for by_key in spellings.values():
        first, *others = by_key.values()
        for other in others:
            message = f"is also set as {first.entry.key} at {first.entry.origin}"
            resolution.tell(Severity.ERROR, "OXP107", other, message, "keep one of the two")


def _set(item: _Known, resolution: _Resolution) -> None:
    row = item.match.row
    text = item.entry.text
    origin = item.entry.origin
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
    try:
        text.encode()  # a lone surrogate, which \\u can write, is no text
        value = row.kind.parse(text)
    except ValueError:
        shown = "the value" if source.holds_secret(row, text) else f"'{_shortened(text)}'"
        # Java ends a key at its first colon, so a topic needs care: ….enabled.CLIENT.ox\:mail\:new
        hint = "write a colon in a key as \\:" if item.match.client and ":" in text else _meant(text, row.kind)
        resolution.tell(Severity.ERROR, "OXP109", item, f"{shown} is not {row.kind.wanted}", hint)
        return
    resolution.values[item.match.name] = value
    resolution.origins[item.match.name] = origin


def _meant(text: str, kind: Kind[object]) -> str:
    """Return a hint at the value that was probably meant, or nothing."""
    close = difflib.get_close_matches(text.lower(), kind.values, n=1)
    return f"did you mean {close[0]}?" if close else ""


def _secret_in(path: Path) -> str:
    try:
        text = read_file(path, _SECRET_LIMIT).decode().strip()
    except UnicodeDecodeError as error:
        raise MissingFile("is not UTF-8") from error
    if not text:
        raise MissingFile("is empty")
    return text


def _shortened(text: str) -> str:
    return text if len(text) <= _SHOWN else text[:_SHOWN] + "…"
