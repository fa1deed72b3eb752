"""A YAML file of client options, as sections of marked scalars: text as written, line and column from 1.

::

    open-xchange-mobile-api-facade:      a Section, named for the client
        password: 01234567               an Option; its text is 01234567, whatever YAML makes of it
        keystore:                        an Option without text
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from dataclasses import dataclass, field

import yaml

_MAX_DEPTH = 16
_MAX_MERGED = 100
_NULL = "tag:yaml.org,2002:null"
_MERGE = "tag:yaml.org,2002:merge"


@dataclass(frozen=True, slots=True)
class Option:
    """One option of a client; ``text`` is ``None`` when nothing or ``null`` was written.

    ``key`` is what another format than YAML calls it.
    """

    name: str
    text: str | None = field(repr=False)
    line: int
    column: int
    key: str = ""

    @property
    def written(self) -> str:
        """What its file calls it."""
        return self.key or self.name


@dataclass(frozen=True, slots=True)
class Problem:
    """What cannot be read; ``code`` is a finding's, ``section`` the client it concerns, or empty for the whole file."""

    code: str
    message: str
    line: int
    column: int
    hint: str = ""
    section: str = ""
    option: str = ""


@dataclass(frozen=True, slots=True)
class Section:
    """The options of one client, in the order of the file."""

    name: str
    options: tuple[Option, ...]
    line: int
    column: int


class _Loader(yaml.SafeLoader):
    """Composes nodes, which have marks, and never constructs objects; bounds what is nested."""

    depth = 0

    def compose_node(self, parent: yaml.Node | None, index: int) -> yaml.Node | None:
        self.depth += 1
        if self.depth > _MAX_DEPTH:
            raise yaml.MarkedYAMLError(problem="nested too deeply", problem_mark=self.get_mark())
        # An anchor may be used again: an alias is its last one before (YAML 1.2, 7.1). PyYAML would refuse it.
        event = self.peek_event()  # type: ignore[no-untyped-call]  # its stubs have no types
        if not isinstance(event, yaml.AliasEvent):
            self.anchors.pop(event.anchor, None)
        node = super().compose_node(parent, index)
        self.depth -= 1
        if isinstance(node, yaml.ScalarNode) and any("\ud800" <= c <= "\udfff" for c in node.value):
            raise yaml.MarkedYAMLError(problem="an escape that is no character", problem_mark=node.start_mark)
        return node


class _Unreadable(Exception):
    """The file is no YAML document, as its problem says."""

    def __init__(self, problem: Problem) -> None:
        super().__init__(problem.message)
        self.problem = problem


def parse(data: bytes) -> tuple[list[Section], list[Problem]]:
    """Return the sections of a file and what is wrong with the rest of it; a syntax error leaves no sections."""
    try:
        node = _compose(data)
    except _Unreadable as error:
        return [], [error.problem]
    if node is None or node.tag == _NULL:
        return [], []
    if not isinstance(node, yaml.MappingNode):
        return [], [Problem("OXP201", "is not a mapping of client ids to options", *_place(node))]
    return _sections(node)


def _compose(data: bytes) -> yaml.Node | None:
    try:
        text = data.decode("utf-8-sig")
    except UnicodeDecodeError as error:
        before = data[: error.start].decode("iso-8859-1")
        raise _Unreadable(_problem_after(before, "is not UTF-8")) from error
    try:
        return _Loader(text).get_single_node()
    except yaml.MarkedYAMLError as error:
        raise _Unreadable(_syntax_problem(error)) from error
    except yaml.reader.ReaderError as error:
        raise _Unreadable(_problem_after(text[: error.position], "a control character")) from error
    except (ValueError, OverflowError) as error:
        # PyYAML does not check the numbers of \U escapes and of %YAML directives.
        raise _Unreadable(Problem("OXP201", "a number out of range in an escape or directive", 1, 1)) from error


def _problem_after(before: str, message: str) -> Problem:
    return Problem("OXP201", message, before.count("\n") + 1, len(before) - before.rfind("\n"))


def _syntax_problem(error: yaml.MarkedYAMLError) -> Problem:
    mark = error.problem_mark or error.context_mark
    # PyYAML quotes names, which are a password's when that begins with a character that has a meaning in YAML.
    message = re.sub(r"'(?![<\\])[^']{2,}'", "'…'", str(error.problem or error.context or "is not YAML"))
    if message.startswith("but "):
        message = f"{error.context}, {message}"
    if "\\t" in message:
        hint = "indent with blanks"
    else:
        hint = "put values with special characters between quotes" if "alias" in message or "token" in message else ""
    return Problem("OXP201", message, mark.line + 1 if mark else 1, mark.column + 1 if mark else 1, hint)


def _sections(root: yaml.MappingNode) -> tuple[list[Section], list[Problem]]:
    sections: dict[str, Section] = {}
    problems: list[Problem] = []
    for key, value in root.value:
        line, column = _place(key)
        if key.tag == _MERGE:
            message = "clients are not merged, only their options are"
            problems.append(Problem("OXP201", message, line, column, "write <<: below a client's id"))
        elif not isinstance(key, yaml.ScalarNode) or not key.value or key.tag == _NULL:
            problems.append(Problem("OXP201", "a client id must be a text", line, column))
        elif key.value in sections:
            message = f"the client is already configured in line {sections[key.value].line}"
            problems.append(Problem("OXP202", message, line, column, section=key.value))
        elif not isinstance(value, yaml.MappingNode):
            problems.append(Problem("OXP201", "the client has no options", line, column, section=key.value))
        else:
            options, wrong = _options(key.value, value)
            sections[key.value] = Section(key.value, tuple(options), line, column)
            problems += wrong
    return list(sections.values()), problems


def _options(section: str, node: yaml.MappingNode) -> tuple[list[Option], list[Problem]]:
    options: dict[str, Option] = {}
    problems: list[Problem] = []
    for key, value in node.value:
        line, column = _place(value)
        if key.tag == _MERGE:
            continue
        if not isinstance(key, yaml.ScalarNode):
            problems.append(Problem("OXP201", "an option's name must be a text", *_place(key), section=section))
        elif not isinstance(value, yaml.ScalarNode):
            problems.append(Problem("OXP204", "is not a single value", line, column, section=section, option=key.value))
        elif key.value in options:
            message = f"is already set in line {options[key.value].line}"
            problems.append(Problem("OXP202", message, *_place(key), section=section, option=key.value))
        else:
            options[key.value] = Option(key.value, None if value.tag == _NULL else value.value, line, column)
    for merged in _merged(node):
        options.setdefault(merged.name, merged)
    return list(options.values()), problems


def _merged(node: yaml.MappingNode) -> Iterator[Option]:
    """Yield what ``<<: *shared`` brings in, nearest first; mappings that merge themselves are followed but once."""
    waiting = [node]
    seen: set[int] = set()
    while waiting and len(seen) < _MAX_MERGED:
        mapping = waiting.pop(0)
        if id(mapping) in seen:
            continue
        seen.add(id(mapping))
        for key, value in mapping.value:
            if key.tag == _MERGE:
                shared = value.value if isinstance(value, yaml.SequenceNode) else [value]
                waiting += [item for item in shared if isinstance(item, yaml.MappingNode)]
            elif mapping is not node and isinstance(key, yaml.ScalarNode) and isinstance(value, yaml.ScalarNode):
                text = None if value.tag == _NULL else value.value
                yield Option(key.value, text, *_place(value))


def _place(node: yaml.Node) -> tuple[int, int]:
    return node.start_mark.line + 1, node.start_mark.column + 1
