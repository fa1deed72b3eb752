"""What can be configured, as pages: oxpushctl(5) for ``man``, and a section of the README."""

from __future__ import annotations

import re
import textwrap
from collections.abc import Iterator, Sequence

from oxpushctl import __version__
from oxpushctl.config import codes, table, writing
from oxpushctl.config.changes import REMOVED, Change, What, changes_of
from oxpushctl.config.clients import option_table
from oxpushctl.config.clients.option_table import APNS_FILES, FCM_FILES, UNIFIED_FILES, OptionRow
from oxpushctl.config.clients.options import FACADE_CLIENTS_FILE, UNIFIED_FOLDER
from oxpushctl.config.property import Effect, Property
from oxpushctl.config.text import first_sentence
from oxpushctl.manual import roff
from oxpushctl.manual import words as manual_words

_README_WIDTH = 120
_RST_SPECIAL = re.compile(r"[*`|\\]|_(?!\w)")
_WHERE: dict[tuple[str, ...], str] = {
    (UNIFIED_FILES,): f"In the folder {UNIFIED_FOLDER}",
    (APNS_FILES,): "For Apple",
    (FCM_FILES,): "For Google",
    (FACADE_CLIENTS_FILE,): f"In {FACADE_CLIENTS_FILE}",
}


def page() -> str:
    """Write oxpushctl(5)."""
    return roff.page(
        (
            roff.header("oxpushctl", 5, __version__),
            roff.section("Name"),
            [roff.escape("oxpushctl") + r" \- " + roff.escape("the configuration of mail push")],
            *_chapters(manual_words.BEFORE_OPTIONS),
            _option_entries(),
            *_chapters(manual_words.BEFORE_PROPERTIES),
            _property_entries(),
            *_chapters(manual_words.BEFORE_REMOVED),
            _removed_entries(),
            *_chapters(manual_words.BEFORE_CODES),
            roff.aligned((f"`{code.code}`", f"{code.title}.") for code in codes.CATALOGUE.values()),
            roff.section("Files"),
            *(roff.entry(name, words) for name, words in manual_words.FILES),
            roff.section("See also"),
            roff.paragraph(manual_words.SEE_ALSO),
        )
    )


def readme_section() -> str:
    """Write the README's tables: those properties that something here heeds by file, the others by name."""
    return "\n".join(_readme_lines()) + "\n"


def _chapters(chapters: Sequence[tuple[str, str]]) -> Iterator[list[str]]:
    for title, text in chapters:
        yield roff.section(title)
        yield roff.paragraphs(text)


def _files() -> dict[str, list[Property[object]]]:
    """Return the rows by their customary file, both in the table's order."""
    return {file: [row for row in table.TABLE if row.file == file] for file in (each.file for each in table.TABLE)}


def _option_entries() -> Iterator[str]:
    where = ""
    for option in option_table.OPTIONS:
        if where != (where := _WHERE.get(option.files, "Everywhere")):
            yield from roff.subsection(where)
        yield from roff.entry(f"`{option.name}`", option.doc, _option_facts(option))


def _option_facts(option: OptionRow) -> str:
    facts = (
        f"Value: {option.wanted}.",
        f"Default: {option.default}.",
        f"Packaged as `{option.packaged}`." if option.packaged else "",
        "A secret." if option.is_secret else "",
    )
    return " ".join(fact for fact in facts if fact)


def _property_entries() -> Iterator[str]:
    for file, rows in _files().items():
        yield from roff.subsection(file)
        for row in rows:
            yield from roff.entry(f"`{row.key}`", row.doc, _property_facts(row))


def _property_facts(row: Property[object]) -> str:
    """Return what the columns of a row say, in sentences."""
    qualifiers = "".join(f".<{each}>" for each in row.qualifiers)
    changed = (_changed(change) for change in changes_of(row.key))
    facts = (
        f"Value: {row.kind.wanted}.",
        f"Default: {writing.default_in_words(row)}.",
        f"May be followed by `{qualifiers}`." if qualifiers else "",
        f"Also spelled {' and '.join(f'`{alias}`' for alias in row.aliases)}." if row.aliases else "",
        "A secret." if row.is_secret else "",
        f"Since version {row.since} of the middleware." if row.since else "",
        *changed,
        "The middleware may know other values for some contexts and users." if row.is_cascaded else "",
        "" if row.effect is Effect.ENGINE else f"Heeded by {row.effect.value}.",
        "A reload applies a change." if row.is_reloadable and row.effect is Effect.ENGINE else "",
    )
    return " ".join(fact for fact in facts if fact)


def _changed(change: Change) -> str:
    if change.what is What.RENAMED:
        return f"Called `{change.key}` before version {change.version}."
    return f"The middleware's default is {change.now} since version {change.version}, before it was {change.before}."


def _removed_entries() -> Iterator[str]:
    for key, change in REMOVED.items():
        yield from roff.entry(f"`{key}`", f"Gone since version {change.version}; {change.now}.")


def _readme_lines() -> Iterator[str]:
    for file, rows in _files().items():
        heeded = [row for row in rows if row.effect is not Effect.NONE]
        if heeded:
            yield from (f"**{file}**", "", ".. list-table::", "   :header-rows: 1", "   :widths: 40 20 40", "")
            yield from _cells("key", "default", "meaning")
            for row in heeded:
                qualifiers = "".join(f"[.{each.upper()}" for each in row.qualifiers) + "]" * len(row.qualifiers)
                yield from _cells(f"``{row.key}{qualifiers}``", _default(row), _rst(first_sentence(row.doc)))
            yield ""
    inert = ", ".join(f"``{row.key}``" for row in table.TABLE if row.effect is Effect.NONE)
    yield from _filled(f"Accepted and checked, without effect here: {inert}.")


def _default(row: Property[object]) -> str:
    # A default in words is no value that a file could have.
    if row.default_text or not writing.default(row):
        return _rst(writing.default_in_words(row))
    return f"``{writing.default(row)}``"


def _cells(*cells: str) -> Iterator[str]:
    for at, cell in enumerate(cells):
        yield from _filled(cell, " " * 7, "   * - " if at == 0 else "     - ")


def _filled(text: str, indent: str = "", first: str = "") -> list[str]:
    return textwrap.wrap(
        text,
        _README_WIDTH,
        initial_indent=first,
        subsequent_indent=indent,
        break_long_words=False,
        break_on_hyphens=False,
    )


def _rst(text: str) -> str:
    """Escape what reStructuredText takes for markup."""
    return _RST_SPECIAL.sub(r"\\\g<0>", text)
