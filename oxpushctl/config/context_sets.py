"""What the middleware's ``contextSets/*.yml`` give some contexts: keys of ours that have other values there.

::

    premium:                                                a set of contexts, under any name
        withTags: premium & !trial                          which contexts belong to it
        com.openexchange.pns.transport.gcm.enabled: true    their value

The middleware prefers these values to those of ``*.properties``. None of them is evaluated here, which is told.
"""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

from oxpushctl.config import table
from oxpushctl.config.clients import yaml_file
from oxpushctl.config.clients.yaml_file import Section
from oxpushctl.config.files import is_absent, read_file
from oxpushctl.config.finding import Finding, Reach, Severity
from oxpushctl.config.settings import Origin
from oxpushctl.config.source import names_in
from oxpushctl.errors import MissingFile

FOLDER = "contextSets"
_TAGS = "withTags"
_LIMIT = 1024 * 1024


def told(etc: Path) -> list[Finding]:
    """Return what there is to know of the context sets: nothing of it is an error, others may well be evaluated."""
    findings: list[Finding] = []
    for file, section in _sections(etc, findings):
        tags = next((option.text for option in section.options if option.name == _TAGS and option.text), None)
        contexts = f"the contexts tagged {tags}" if tags else f"the contexts of the set {section.name}"
        for option in section.options:
            found = _told_of(option.name, contexts)
            if found is not None:
                findings.append(found.at(Origin(file, option.line, option.column)))
    return findings


def _told_of(key: str, contexts: str) -> Finding | None:
    match = table.find(key)
    if match is not None:
        message = (
            f"has a value of its own for {contexts}: not evaluated here"
            if match.row.is_cascaded
            else f"is set for {contexts}, but there is one value for all: only *.properties are asked"
        )
        return Finding(Severity.INFO, Reach.ENGINE, "OXP112", message, key=key)
    if table.is_mistaken(key):
        return Finding(Severity.WARNING, Reach.ENGINE, "OXP101", "is not known", table.suggestion(key), key=key)
    return None


def _sections(etc: Path, findings: list[Finding]) -> Iterator[tuple[str, Section]]:
    """Yield each set with the name of its file; what cannot be read goes to the findings."""
    if is_absent(etc / FOLDER):
        return
    try:
        names = names_in(etc / FOLDER, ".yml", ".yaml")
    except MissingFile as error:
        findings.append(_unreadable(str(error), FOLDER))
        return
    for name in names:
        file = f"{FOLDER}/{name}"
        try:
            sections, problems = yaml_file.parse(read_file(etc / file, _LIMIT))
        except MissingFile as error:
            findings.append(_unreadable(str(error), file))
            continue
        # What is wrong within one set concerns values, which do not matter here.
        for problem in (problem for problem in problems if not problem.section):
            message = "is not YAML that maps sets to keys and values"
            findings.append(_unreadable(message, file).at(Origin(file, problem.line, problem.column)))
        yield from ((file, section) for section in sections)


def _unreadable(message: str, file: str) -> Finding:
    hint = "which keys have other values for some contexts is not known here"
    return Finding(Severity.INFO, Reach.ENGINE, "OXP115", message, hint, file=file)
