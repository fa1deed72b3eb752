"""The pages of ``config explain``: one for a property, for a finding's code and for an option of a client."""

from __future__ import annotations

import re
import textwrap
from collections.abc import Iterator, Mapping

from oxpushctl.config import changes, codes, option_table, table, writing
from oxpushctl.config.changes import Change, What
from oxpushctl.config.option_table import ClientOption
from oxpushctl.config.property import Effect, Property

_WIDTH = 100
_MARGIN = 16
_CLIENT = "open-xchange-mobile-api-facade"


def page(name: str) -> str | None:
    """Return the page about a key as it may be written in a file, a code or an option; ``None`` when there is none."""
    if code := codes.CATALOGUE.get(name.upper()):
        return f"{code.code}: {code.title}\n\n{_filled(code.text)}"
    if option := option_table.find(name):
        return _option_page(name, option)
    key = name.partition("=")[0].strip().replace("\\:", ":")
    if match := table.find(key):
        return _key_page(key, match)
    if gone := table.removed(key):
        was = f"It was removed with version {gone.version} of the middleware and has no effect, neither there nor here"
        return f"{key}\n\n{_filled(f'{was}: {gone.now}.')}"
    return None


def listing() -> Iterator[str]:
    """Yield a line for everything that has a page: properties by their file, options of clients, codes."""
    by_file = {row.file: [each for each in table.TABLE if each.file == row.file] for row in table.TABLE}
    for file, rows in by_file.items():
        yield from _section(file, {row.key: row.doc for row in rows})
    yield from _section("options of clients", {option.name: option.doc for option in option_table.OPTIONS})
    yield from _section("findings", {code.code: f"{code.title}." for code in codes.CATALOGUE.values()})


def _section(title: str, docs: Mapping[str, str]) -> Iterator[str]:
    yield f"{title}:"
    width = max(map(len, docs))
    for name, doc in docs.items():
        yield f"  {name:<{width}}  {_first_sentence(doc)}"
    yield ""


def _first_sentence(doc: str) -> str:
    return re.split(r"(?<=\.) (?=[A-Z0-9])", doc, maxsplit=1)[0].removesuffix(".")


def _key_page(key: str, match: table.Match) -> str:
    row = match.row
    facts = {
        "kind": row.kind.wanted,
        "default": writing.default_in_words(row),
        "example": _example(row),
        "file": row.file,
        "also": ", ".join(row.aliases),
        "since": f"version {row.since} of the middleware" if row.since else "",
        "qualifiers": _qualifiers(row),
        "secret": f"never shown; {row.key}.file=/path takes it from a file" if row.is_secret else "",
        "takes effect": "on reload" if row.is_reloadable else "after a restart",
        "heeded by": row.effect.value,
        "cascade": "the middleware may know other values for some contexts and users; they are not evaluated here"
        if row.is_cascaded
        else "",
        "changes": "; ".join(_changed(row, change) for change in changes.changes_of(row.key)),
    }
    if row.effect is Effect.NONE:
        del facts["takes effect"]
    return "\n".join((key, *_named(key, match), "", _filled(row.doc), "", *_facts(facts)))


def _named(key: str, match: table.Match) -> Iterator[str]:
    """Say what a key is that is not simply a row's."""
    row = match.row
    if match.is_file:
        yield f"  names a file that holds the secret {row.key}."
    elif match.renamed:
        yield f"  is the old name of {row.key}: it was renamed with version {match.renamed.version} of the middleware."
    elif match.client:
        topic = f" and the topic {match.topic}" if match.topic else ""
        yield f"  is {row.key} for the client {match.client}{topic}."
    elif key != row.key:
        yield f"  is another spelling of {row.key}."


def _qualifiers(row: Property[object]) -> str:
    if not row.qualifiers:
        return ""
    forms = [".".join(("KEY", *(f"<{each}>" for each in row.qualifiers[:count]))) for count in (1, 2)]
    colons = " (in a file the colons of a topic are written \\:)" if "topic" in row.qualifiers else ""
    return f"{' and '.join(dict.fromkeys(forms))}{colons}; the longest name that is set decides"


def _example(row: Property[object]) -> str:
    """Return a line that could stand in a file, of a value other than the default where one is known."""
    key = f"{row.key}.{_CLIENT}" if row.qualifiers else row.key
    if row.is_secret:
        return writing.assignment(f"{row.key}.file", f"/etc/oxpushctl/{row.key.rpartition('.')[2]}")
    others = [text for text in (row.example, *row.kind.values) if text and text != writing.value(row, row.default)]
    text = others[0] if others else writing.value(row, row.default)
    return writing.assignment(key, text) if text else ""


def _changed(row: Property[object], change: Change) -> str:
    if change.what is What.RENAMED:
        return f"{change.version}: renamed from {change.key}"
    said = f"{change.version}: default {change.now}, before {change.before}"
    here = writing.value(row, row.default)
    return said if here == change.now else f"{said} (here {here})"


def _option_page(name: str, option: ClientOption) -> str:
    facts = {
        "kind": option.wanted,
        "default": option.default,
        "example": f"{option.name}: {option.example}" if option.example else "",
        "files": "; ".join(option.files),
        "packaged": f"{option.packaged} in CLIENT.properties of oxpushctl.pns.packaged" if option.packaged else "",
        "secret": "never shown" if option.is_secret else "",
    }
    head = f"{name}: {'as packaged, ' if name != option.name else ''}an option of a client"
    return "\n".join((head, "", _filled(option.doc), "", *_facts(facts)))


def _facts(facts: Mapping[str, str]) -> Iterator[str]:
    for name, fact in facts.items():
        if fact:
            yield textwrap.fill(
                fact,
                _WIDTH,
                initial_indent=f"  {name:<{_MARGIN - 2}}",
                subsequent_indent=" " * _MARGIN,
                break_long_words=False,
                break_on_hyphens=False,
            )


def _filled(text: str) -> str:
    return textwrap.fill(text, _WIDTH, break_long_words=False, break_on_hyphens=False)
