"""A slip in a good configuration is told of, or changes nothing: one line dropped, doubled, misspelt or retyped."""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Iterator
from contextlib import suppress
from dataclasses import dataclass, replace
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from oxpushctl import checks
from oxpushctl.config import table
from oxpushctl.config.clients.options import ApnsOptions, ClientOptions
from oxpushctl.config.clients.selection import is_switched_on
from oxpushctl.config.configuration import Configuration
from oxpushctl.config.finding import Finding, Severity
from oxpushctl.config.own import PUSH_CONTENT, TLS_CERTIFICATE, TLS_KEY
from oxpushctl.config.properties import SWITCHES
from oxpushctl.config.settings import Origin
from oxpushctl.transports.credentials import UnusableCredentials
from oxpushctl.transports.identity import load_identity
from tests.config import folders, good

_LETTERS = "abcxyzABZ019.-_ :=#\\&*!\"'[{,%@|>~\t/é"
_OTHER_VALUES = ("", "12", "yes", "text", "1.5", "null", "~", "[a, b]", "{a: b}", "2024-01-01", "*", "'")
_LINE = re.compile(r"(?P<key>[^=:#!\n]*(?:\\:[^=:#!\n]*)*?)(?P<separator> *[=:] *)(?P<value>[^\n]*)")

# Options and settings whose every text is checked against something: a kind of few words, or a file.
_CHECKED_OPTIONS = {"enabled", "authtype", "production", "keystore", "password", "privatekey", "keyPath", "_type"}
_CHECKED_ROWS = (TLS_CERTIFICATE.key, TLS_KEY.key)
# No reader can tell that these are not what was meant: a text of another type is still a name, a password or an id.
_FREE_OPTIONS = {"topic", "password", "keyid", "teamid", "description"}

_EXAMPLES = settings(max_examples=100, deadline=None, derandomize=True)

pytestmark = pytest.mark.slow


@dataclass(frozen=True, slots=True)
class Mutation:
    """One line of one file written otherwise; ``text`` may be several lines, or none."""

    file: str
    number: int
    text: str


class Good:
    """A good configuration in a folder, what is said about it, and how it behaves; mutated in place and repaired."""

    def __init__(self, etc: Path, texts: dict[str, str]) -> None:
        self.etc = etc
        self.lines = {name: text.splitlines(keepends=True) for name, text in texts.items()}
        self.configuration = self._checked()
        self.findings = _told(self.configuration)
        self.behaviour = _behaviour(self.configuration)

    def is_harmless(self, mutation: Mutation) -> bool:
        """Tell whether a mutation is told of, or behaves as the original does."""
        lines = list(self.lines[mutation.file])
        lines[mutation.number] = mutation.text
        path = self.etc / mutation.file
        path.write_text("".join(lines))
        try:
            mutated = self._checked()
        finally:
            path.write_text("".join(self.lines[mutation.file]))
        return bool(_told(mutated) - self.findings) or _behaviour(mutated) == self.behaviour

    def _checked(self) -> Configuration:
        return checks.check_parts(folders.read(self.etc))


def _told(configuration: Configuration) -> Counter[tuple[str, str, str]]:
    """Count what is said; lines move when one is dropped, so places are left out."""
    return Counter((found.code, found.key, _without_places(found)) for found in configuration.findings)


def _without_places(found: Finding) -> str:
    return re.sub(r":\d+", "", found.message)


def _behaviour(configuration: Configuration) -> object:
    """Return all that the engine and the flow go by."""
    values = configuration.settings
    clients = configuration.usable_clients
    # A transport's switch is off for nobody whose own switch is on.
    rows = [row for row in table.TABLE if row not in SWITCHES.values()]
    by_client = sorted(
        (_as_used(client), is_switched_on(client, values), values.qualified(PUSH_CONTENT, client.client))
        for client in clients
    )
    return [values[row] for row in rows], by_client, configuration.facade_clients


def _as_used(client: ClientOptions) -> str:
    """Write a client's options as they are used: a topic that the certificate names need not be set."""
    client = replace(client, origin=Origin(""), written={})
    if isinstance(client, ApnsOptions):
        with suppress(UnusableCredentials):
            client = replace(client, topic=load_identity(client).topic)
        return f"{client} {client.password}"
    return str(client)


@pytest.fixture(scope="module", params=list(good.WRITERS))
def original(request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory) -> Good:
    etc = tmp_path_factory.mktemp("etc")
    return Good(etc, good.WRITERS[request.param](etc))


def test_nothing_is_said_against_the_good_one(original: Good) -> None:
    """No error and no warning, and all of its clients are served."""
    bad = [found for found in original.configuration.findings if found.severity is not Severity.INFO]
    assert bad == []
    served = sorted(client.client for client in original.configuration.usable_clients)
    assert served == sorted([folders.CLIENT, folders.CLIENT, good.BRAND, good.BRAND, good.OWN])


@pytest.mark.parametrize("times", [pytest.param(0, id="dropped"), pytest.param(2, id="doubled")])
def test_a_line_that_is_dropped_or_doubled(original: Good, times: int) -> None:
    """Each line of each file, one at a time."""
    holes = [
        (name, line)
        for name, lines in original.lines.items()
        for number, line in enumerate(lines)
        if not original.is_harmless(Mutation(name, number, line * times))
    ]
    assert holes == []


@_EXAMPLES
@given(st.data())
def test_a_name_that_is_misspelt(original: Good, data: st.DataObject) -> None:
    """One edit in a key, a client's id or an option's name."""
    name, number, match = data.draw(st.sampled_from(list(_assignments(original))))
    key = data.draw(_edited(match["key"]))
    line = original.lines[name][number]
    assert original.is_harmless(Mutation(name, number, line[: match.start()] + key + line[match.end("key") :]))


@_EXAMPLES
@given(st.data())
def test_a_value_that_is_misspelt(original: Good, data: st.DataObject) -> None:
    """One edit in a value that is one of a few words, or a file."""
    checked = [found for found in _assignments(original) if _is_checked(original, *found)]
    name, number, match = data.draw(st.sampled_from(checked))
    value = data.draw(_edited(match["value"]))
    assert original.is_harmless(Mutation(name, number, _with_value(original, name, number, match, value)))


@_EXAMPLES
@given(st.data())
def test_a_value_of_another_type(original: Good, data: st.DataObject) -> None:
    """A number for a word, a list for a text, nothing for something."""
    name, number, match = data.draw(st.sampled_from(list(_assignments(original))))
    value = data.draw(st.sampled_from(_OTHER_VALUES).filter(lambda text: _is_of_another_type(name, match, text)))
    assert original.is_harmless(Mutation(name, number, _with_value(original, name, number, match, value)))


@_EXAMPLES
@given(st.data())
def test_a_line_of_anything(original: Good, data: st.DataObject) -> None:
    """Whatever is typed there, the check has an answer: it may find no fault with it, but never raises."""
    name = data.draw(st.sampled_from(sorted(original.lines)))
    number = data.draw(st.integers(0, len(original.lines[name]) - 1))
    text = data.draw(st.text(st.characters(exclude_categories=["Cs"]), max_size=40))
    original.is_harmless(Mutation(name, number, text + "\n"))


def _assignments(original: Good) -> Iterator[tuple[str, int, re.Match[str]]]:
    """Yield file, line and what matched for each line that sets something, or begins a client."""
    for name, lines in original.lines.items():
        for number, line in enumerate(lines):
            match = _LINE.fullmatch(line.rstrip("\n"))
            if match and match["key"].strip():
                yield name, number, match


def _is_checked(original: Good, name: str, number: int, match: re.Match[str]) -> bool:
    """Tell whether a wrong text can be told from a right one."""
    key = match["key"].strip()
    if name.endswith(".yml"):
        return key in _CHECKED_OPTIONS
    found = table.find(key.replace("\\:", ":"))
    return found is not None and (found.is_file or bool(found.row.kind.values) or found.row.key in _CHECKED_ROWS)


def _is_of_another_type(name: str, match: re.Match[str], text: str) -> bool:
    """Tell whether a text is none that could stand there."""
    key = match["key"].strip()
    if name.endswith(".yml"):
        is_collection = text.startswith(("[", "{"))
        return is_collection or (key not in _FREE_OPTIONS and not (key in ("enabled", "production") and text == "yes"))
    found = table.find(key.replace("\\:", ":"))
    if found is None:
        return False
    if not text and found.row.default is None:
        return True
    try:
        found.row.kind.parse(text)
    except ValueError:
        return True
    return found.is_file or found.row.key in _CHECKED_ROWS


def _with_value(original: Good, name: str, number: int, match: re.Match[str], value: str) -> str:
    line = original.lines[name][number]
    return line[: match.start("value")] + value + "\n"


def _edited(text: str) -> st.SearchStrategy[str]:
    """Draw a text that differs by one character: one too many, one missing, another one, or two swapped."""
    letters = st.sampled_from(_LETTERS)
    edits = [st.builds(lambda at, new: text[:at] + new + text[at:], st.integers(0, len(text)), letters)]
    if text:
        places = st.integers(0, len(text) - 1)
        edits += [
            st.builds(lambda at: text[:at] + text[at + 1 :], places),
            st.builds(lambda at, new: text[:at] + new + text[at + 1 :], places, letters),
            st.builds(lambda at: text[:at] + text[at : at + 2][::-1] + text[at + 2 :], places),
        ]
    return st.one_of(edits).filter(lambda edited: edited != text)
