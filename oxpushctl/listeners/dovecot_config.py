"""Dovecot's configuration as it takes effect: which value a setting has for a protocol and a client's address.

``parse`` reads what ``doveconf -n`` prints as well as dovecot.conf with all that it includes, of 2.3 and of 2.4. Only
names that are asked for mean anything here: whether a setting exists is Dovecot's business.
"""

from __future__ import annotations

import ipaddress
import re
from collections.abc import Iterable
from dataclasses import dataclass, field, replace
from pathlib import Path

from oxpushctl.config.files import read_file
from oxpushctl.config.settings import Origin
from oxpushctl.errors import MissingFile
from oxpushctl.listeners.dovecot_syntax import BadDovecotConfig, Kind, decoded, statements

IpAddress = ipaddress.IPv4Address | ipaddress.IPv6Address

_FILTERS = ("protocol", "remote", "local", "local_name")
# 2.3.19.1 (9b53102964): /etc/dovecot/dovecot.conf
_VERSION_PRINTED = re.compile(r"^# ([23](?:\.\d+)+)\S*(?: \([0-9a-f]+\))?: \S", re.MULTILINE)
_VERSION_SET = re.compile(r"\d+(?:\.\d+)*")
_LAST_OLD_SYNTAX = (2, 3)

# More than anybody writes, and little enough for a file that repeats itself not to fill the memory.
_DEEPEST = 50
_LONGEST_VALUE = 64 * 1024
_LONGEST_IN_ALL = 4 * 1024 * 1024
_MOST_INCLUDED = 100_000


@dataclass(frozen=True, slots=True)
class Block:
    """``kind name { … }``, such as ``protocol imap {``."""

    kind: str
    name: str = ""


@dataclass(frozen=True, slots=True)
class Scope:
    """Whom a value is asked for: a protocol, the address of a client (``None``: any), and the server's side."""

    protocol: str
    remote: IpAddress | None = None
    local: tuple[Block, ...] = ()


@dataclass(frozen=True, slots=True)
class Entry:
    """A setting where it is written; a block of its own begins where ``key`` is empty."""

    key: str
    value: str = field(repr=False)
    filters: tuple[Block, ...]
    sections: tuple[Block, ...]
    origin: Origin

    @property
    def is_yes(self) -> bool:
        """Whether the value is what Dovecot takes for true."""
        return self.value.lower() in ("yes", "y", "1")

    def is_called(self, name: str) -> bool:
        """Tell whether this sets what has a full name: sections lend their names to what stands in them.

        ``service imap { process_limit`` is ``service_imap_process_limit``, and so it is with all sections of 2.4.
        """
        if name == self.key:
            return not self.sections
        return name.endswith(f"_{self.key}") and _is_prefix(name[: -len(self.key) - 1], self.sections)


@dataclass(frozen=True, slots=True)
class Plugins:
    """The mail plugins of a protocol, and the place that decides."""

    names: frozenset[str]
    origin: Origin


@dataclass(frozen=True, slots=True)
class DovecotConfig:
    """One configuration; ``version`` is empty where nothing tells it."""

    file: str
    version: tuple[int, ...]
    entries: tuple[Entry, ...]

    @property
    def has_new_syntax(self) -> bool:
        """Whether settings have the names and forms of 2.4."""
        return self.version[:2] > _LAST_OLD_SYNTAX

    @property
    def origin(self) -> Origin:
        """The place of what is not there."""
        return Origin(self.file)

    def matching(self, scope: Scope) -> list[Entry]:
        """Return what holds for somebody, the most specific last."""
        ranked = ((_rank(entry.filters, scope), entry) for entry in self.entries)
        return [entry for rank, entry in sorted(((r, e) for r, e in ranked if r), key=lambda pair: pair[0] or ())]

    def find(self, name: str, scope: Scope) -> Entry | None:
        """Return where a setting gets its value for somebody; ``None``: it has its default."""
        found = [entry for entry in self.matching(scope) if entry.is_called(name)]
        return found[-1] if found else None

    def plugins(self, protocol: str) -> Plugins:
        """Return the plugins that a protocol loads: a list, which blocks of 2.4 add to and take from."""
        names: set[str] = set()
        origin = self.origin
        for entry in self.matching(Scope(protocol)):
            if entry.key == "mail_plugins" and not entry.sections:
                names, origin = set(entry.value.replace(",", " ").split()), entry.origin
            elif entry.key and entry.sections == (Block("mail_plugins"),):
                (names.add if entry.is_yes else names.discard)(entry.key)
                origin = entry.origin
        return Plugins(frozenset(names), origin)


def read(path: Path) -> DovecotConfig:
    """Read a file and what it includes.

    Raises ``MissingFile`` when it is not there for us, ``BadDovecotConfig`` when it is no configuration.
    """
    try:
        data = read_file(path)
    except MissingFile as error:
        raise MissingFile(f"{path}: Dovecot's configuration {error}") from error
    return parse(decoded(data, str(path)), str(path))


def parse(text: str, file: str) -> DovecotConfig:
    """Parse a configuration; ``file`` is its name in messages, and what included files are relative to."""
    entries: list[Entry] = []
    open_blocks: list[tuple[Block, Origin]] = []
    references = _References()
    for statement in statements(text, file):
        blocks = [block for block, _ in open_blocks]
        if statement.kind is Kind.END:
            if not open_blocks:
                raise BadDovecotConfig("there is no block for this } to end", statement.origin)
            open_blocks.pop()
        elif statement.kind is Kind.BEGIN:
            if len(blocks) == _DEEPEST:
                raise BadDovecotConfig(f"blocks are nested more than {_DEEPEST} deep", statement.origin)
            block = Block(statement.key, statement.value)
            open_blocks.append((block, statement.origin))
            entries.append(_entry("", "", [*blocks, block], statement.origin))
        else:
            *path, key = statement.key.split("/")  # plugin/key, service/imap/key
            more = [Block(*path)] if 0 < len(path) <= 2 else []
            entry = _entry(key, statement.value, [*blocks, *more], statement.origin)
            entries.append(references.expanded(entry))
    if open_blocks:
        block, origin = open_blocks[-1]
        raise BadDovecotConfig(f"there is no }} that ends the block {block.kind}", origin)
    return DovecotConfig(file, _version(text, entries), tuple(_with_groups(entries)))


def network(text: str) -> ipaddress.IPv4Network | ipaddress.IPv6Network | None:
    """Return the addresses that ``1.2.3.0/24`` or ``1.2.3.4`` stands for; ``None`` for a host's name."""
    try:
        return ipaddress.ip_network(text.replace("[", "").replace("]", ""), strict=False)
    except ValueError:
        return None


def is_everybody(remote: Block) -> bool:
    """Tell whether ``remote … {`` leaves nobody out, so that it is as good as not there."""
    addresses = network(remote.name)
    return addresses is not None and addresses.prefixlen == 0


def _entry(key: str, value: str, blocks: Iterable[Block], origin: Origin) -> Entry:
    all_blocks = tuple(blocks)
    filters = tuple(block for block in all_blocks if block.kind in _FILTERS)
    return Entry(key, value, filters, tuple(block for block in all_blocks if block not in filters), origin)


class _References:
    """Writes out ``$name`` at the begin of a value (2.3) and ``$SET:name`` (2.4); later changes do not count."""

    def __init__(self) -> None:
        self._last: dict[tuple[str, tuple[Block, ...], tuple[Block, ...]], tuple[int, str]] = {}
        self._count = 0
        self._left = _LONGEST_IN_ALL

    def expanded(self, entry: Entry) -> Entry:
        """Return an entry with its value written out; what comes after it may refer to it."""
        left = min(_LONGEST_VALUE, self._left)

        def written_out(match: re.Match[str]) -> str:
            nonlocal left
            value = self._value(entry, match[1])
            # A list that nothing was said about is empty; other defaults are not known here.
            text = value if value is not None else "" if match[1] == entry.key else match[0]
            left -= len(text)
            if left < 0:
                raise BadDovecotConfig(f"what {entry.key} refers to makes it too long to be judged", entry.origin)
            return text

        value = re.sub(r"(?:^\$(?!SET:|ENV:)|(?<!\S)\$SET:)([^\s]+)", written_out, entry.value).strip()
        if value != entry.value:
            self._left -= len(value)
            entry = replace(entry, value=value)
        self._count += 1
        self._last[entry.key, entry.filters, entry.sections] = self._count, value
        return entry

    def _value(self, entry: Entry, name: str) -> str | None:
        """Return what a setting was last set to where an entry stands, in its own section or outside of all."""
        for depth in range(len(entry.filters), -1, -1):
            places = ((name, entry.filters[:depth], sections) for sections in ((), entry.sections))
            if found := [self._last[place] for place in places if place in self._last]:
                return max(found)[1]
        return None


def _with_groups(entries: list[Entry]) -> list[Entry]:
    """Put the settings of 2.4's groups where ``@label = name`` includes them; they give way to all others."""
    groups: dict[Block, list[Entry]] = {}
    others: list[Entry] = []
    for entry in entries:
        is_of_group = entry.sections[:1] and entry.sections[0].kind == "group"
        (groups.setdefault(entry.sections[0], []) if is_of_group else others).append(entry)
    included: list[Entry] = []
    for use in others:
        if not use.key.startswith("@"):
            continue
        group = groups.get(Block("group", f"{use.key} {use.value}"), [])
        if len(included) + len(group) > _MOST_INCLUDED:
            raise BadDovecotConfig("the groups that are included hold too many settings to be judged", use.origin)
        for entry in group:
            sections = (*use.sections, *entry.sections[1:])
            included.append(replace(entry, filters=(*use.filters, *entry.filters), sections=sections))
    return included + others


def _version(text: str, entries: list[Entry]) -> tuple[int, ...]:
    """Return the version whose names hold: as set, which 2.4 demands, or as printed by doveconf."""
    told = [entry.value for entry in entries if entry.key == "dovecot_config_version" and not entry.sections]
    match = _VERSION_SET.match(told[-1]) if told else _VERSION_PRINTED.search(text)
    if match is None:
        return ()
    return tuple(int(part[:9]) for part in match[match.lastindex or 0].split("."))


def _rank(filters: tuple[Block, ...], scope: Scope) -> tuple[int, ...] | None:
    """Return how specific filters are that let somebody through, ``None`` where they do not.

    Most specific last: by server address, then client address, then server name, then protocol.
    """
    ranks = {"local": 0, "remote": 0, "local_name": 0, "protocol": 0}
    for block in filters:
        if block.kind == "protocol":
            is_in = block.name != f"!{scope.protocol}" and (block.name == scope.protocol or block.name[:1] == "!")
            weight = 1
        elif block.kind == "remote":
            addresses = network(block.name)
            is_in = is_everybody(block) or (
                addresses is not None and scope.remote is not None and scope.remote in addresses
            )
            weight = addresses.prefixlen if addresses else 0
        else:
            is_in = block in scope.local
            weight = 1 + scope.local.index(block) if is_in else 0
        if not is_in:
            return None
        ranks[block.kind] = weight
    return tuple(ranks.values())


def _is_prefix(text: str, sections: tuple[Block, ...]) -> bool:
    """Tell whether sections lend a text to what stands in them: the innermost's name, behind those of outer ones.

    ``service`` or ``service_imap``, and so on outwards: any of them may be the outermost.
    """
    lefts = {text}  # what outer sections have to make up
    for block in reversed(sections):
        forms = (block.kind, f"{block.kind}_{block.name}") if block.name else (block.kind,)
        if not lefts.isdisjoint(forms):
            return True
        lefts = {left[: -len(form) - 1] for left in lefts for form in forms if left.endswith(f"_{form}")}
    return False
