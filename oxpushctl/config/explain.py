"""The pages of ``config explain``: one for a property, for a finding's code and for an option of a client."""

from __future__ import annotations

import textwrap
from collections import defaultdict
from collections.abc import Iterator, Mapping, Sequence

from oxpushctl.config import changes, codes, table, writing
from oxpushctl.config.changes import REMOVED, RENAMED, Change, What
from oxpushctl.config.clients import option_table
from oxpushctl.config.clients.option_table import OptionRow
from oxpushctl.config.clients.options import FACADE_CLIENT
from oxpushctl.config.property import Effect, Property
from oxpushctl.config.text import first_sentence

WIDTH = 100  # characters; longer lines are hard to read
_MARGIN = 16
_READABLE = 40  # characters; texts that are folded to less are hard to read as well


def page(name: str, width: int = WIDTH) -> str | None:
    """Return the page about a key as it may be written in a file, a code or an option; ``None`` when there is none.

    Lines are wrapped at ``width``. Case is ignored where that leaves but one name.
    """
    name = name.strip()
    if code := codes.CATALOGUE.get(name.upper()):
        return _joined((f"{code.code}: {code.title}",), code.text, width)
    key = name.partition("=")[0].strip().replace("\\:", ":")
    return _named_page(key, width) or _named_page(_in_its_case(key), width, "  (in files its case counts)")


def listing(width: int | None = None) -> Iterator[str]:
    """Yield lines about everything that has a page: properties by their file, options of clients, codes.

    Each has one line, or a few where ``width`` is less than that.
    """
    by_file = {row.file: [each for each in table.TABLE if each.file == row.file] for row in table.TABLE}
    for file, rows in by_file.items():
        yield from _section(file, {row.key: row.doc for row in rows}, width)
    yield from _section("options of clients", {option.name: option.doc for option in option_table.OPTIONS}, width)
    yield from _section("findings", {code.code: f"{code.title}." for code in codes.CATALOGUE.values()}, width)


def _section(title: str, docs: Mapping[str, str], width: int | None) -> Iterator[str]:
    yield f"{title}:"
    longest = max(map(len, docs))
    for name, doc in docs.items():
        text = first_sentence(doc)
        if width is None:
            yield f"  {name:<{longest}}  {text}"
        elif longest + 4 + _READABLE <= width:
            yield from _wrapped(text, width, f"  {name:<{longest}}  ", " " * (longest + 4))
        else:
            yield f"  {name}"
            yield from _wrapped(text, width, " " * 6, " " * 6)
    yield ""


def _in_its_case(name: str) -> str:
    """Return the key or option that a name differs from in case only; nothing where that could be several."""
    keys = (key for row in table.TABLE for key in (row.key, *row.aliases))
    options = (each for option in option_table.OPTIONS for each in (option.name, option.packaged))
    by_lower: defaultdict[str, set[str]] = defaultdict(set)
    for known in (*keys, *RENAMED, *REMOVED, *options):
        by_lower[known.lower()].add(known)
    meant = by_lower.get(name.lower(), set())
    return meant.pop() if len(meant) == 1 else ""


def _named_page(name: str, width: int, *notes: str) -> str | None:
    """Return the page about a key or an option, with notes below its name."""
    if option := option_table.find(name):
        packaged = "as packaged, " if name != option.name else ""
        head = f"{name}: {packaged}an option of a client"
        return _joined((head, *notes), option.doc, width, _option_facts(option))
    if match := table.find(name):
        return _joined((name, *notes, *_named(name, match)), match.row.doc, width, _key_facts(match.row))
    if gone := table.removed(name):
        was = f"It was removed with version {gone.version} of the middleware and has no effect, neither there nor here"
        return _joined((name, *notes), f"{was}: {gone.now}.", width)
    return None


def _joined(head: Sequence[str], text: str, width: int, facts: Mapping[str, str] | None = None) -> str:
    """Join the parts of a page: lines as they are, running text, and a table of facts, those that say something."""
    lines = [*head, "", *_wrapped(text, width)]
    shown = {name: fact for name, fact in (facts or {}).items() if fact}
    if shown:
        lines.append("")
    for name, fact in shown.items():
        lines += _wrapped(fact, width, f"  {name:<{_MARGIN - 2}}", " " * _MARGIN)
    return "\n".join(lines)


def _wrapped(text: str, width: int, first: str = "", more: str = "") -> list[str]:
    return textwrap.wrap(
        text,
        max(width, len(more) + _READABLE // 2),
        initial_indent=first,
        subsequent_indent=more,
        break_long_words=False,
        break_on_hyphens=False,
    )


def _alias(row: Property[object], alias: str) -> str:
    return f"{alias}, which wins where both are set" if alias == row.overriding_alias else alias


def _key_facts(row: Property[object]) -> dict[str, str]:
    facts = {
        "kind": row.kind.wanted,
        "default": writing.default_in_words(row),
        "example": _example(row),
        "file": row.file,
        "also": ", ".join(_alias(row, alias) for alias in row.aliases),
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
    return facts


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
    key = f"{row.key}.{FACADE_CLIENT}" if row.qualifiers else row.key
    if row.is_secret:
        return writing.assignment(f"{row.key}.file", f"/etc/oxpushctl/{'-'.join(row.key.split('.')[-2:])}")
    others = [text for text in (row.example, *row.kind.values) if text and text != writing.value(row, row.default)]
    text = others[0] if others else writing.value(row, row.default)
    return writing.assignment(key, text) if text else ""


def _changed(row: Property[object], change: Change) -> str:
    if change.what is What.RENAMED:
        return f"{change.version}: renamed from {change.key}"
    said = f"{change.version}: default {change.now}, before {change.before}"
    here = writing.value(row, row.default)
    return said if here == change.now else f"{said} (here {here})"


def _option_facts(option: OptionRow) -> dict[str, str]:
    return {
        "kind": option.wanted,
        "default": option.default,
        "example": f"{option.name}: {option.example}" if option.example else "",
        "files": "; ".join(option.files),
        "packaged": f"{option.packaged} in CLIENT.properties of oxpushctl.pns.packaged" if option.packaged else "",
        "secret": "never shown" if option.is_secret else "",
    }
