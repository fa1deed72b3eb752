"""Resolved values, read by the row that describes them: ``settings[DELAY_DURATION]``."""

from __future__ import annotations

from collections.abc import Collection, Iterable, Mapping
from copy import copy
from dataclasses import dataclass
from typing import Any, TypeVar

from oxpushctl.config.property import Property

T = TypeVar("T")


@dataclass(frozen=True, slots=True)
class Origin:
    """Where a value came from: a file and line, ``environment``, ``-o``, or a secret's own file."""

    file: str
    line: int | None = None
    column: int | None = None

    def __str__(self) -> str:
        return self.file if self.line is None else f"{self.file}:{self.line}"


class Settings:
    """The values of one reading of the configuration; keys that are unset or unusable have their default."""

    def __init__(self, values: Mapping[str, object], origins: Mapping[str, Origin] | None = None) -> None:
        self._values = dict(values)
        self._origins = dict(origins or {})

    def __getitem__(self, row: Property[T]) -> T:
        value: Any = self._values.get(row.key, row.default)
        return value  # type: ignore[no-any-return]  # the reader parsed it with row.kind

    def qualified(self, row: Property[T], *qualifiers: str) -> T:
        """Return the value of the most specific name: KEY.a.b, KEY.a, then KEY."""
        value: Any = self._values.get(self.deciding(row, *qualifiers), row.default)
        return value  # type: ignore[no-any-return]  # the reader parsed it with row.kind

    def deciding(self, row: Property[T], *qualifiers: str) -> str:
        """Return the name that ``qualified`` takes the value of; the key where none is set."""
        names = (".".join((row.key, *qualifiers[:count])) for count in range(len(qualifiers), 0, -1))
        return next((name for name in names if name in self._values), row.key)

    def is_set(self, row: Property[T]) -> bool:
        """Tell whether the key was set to a usable value."""
        return row.key in self._values

    def origin(self, row: Property[T]) -> Origin | None:
        """Return where the value was set; ``None`` means that it is the default."""
        return self._origins.get(row.key)

    def with_those_of(self, before: Settings, rows: Iterable[Property[object]]) -> Settings:
        """Return these settings, but with the values that some rows had before."""
        keys = {row.key for row in rows}
        mixed = copy(self)
        mixed._values = _mixed(self._values, before._values, keys)
        mixed._origins = _mixed(self._origins, before._origins, keys)
        return mixed

    @property
    def origins(self) -> Mapping[str, Origin]:
        """Where each setting was set, by its key with the qualifiers."""
        return self._origins


def _mixed(now: Mapping[str, T], before: Mapping[str, T], keys: Collection[str]) -> dict[str, T]:
    """Return what is now, but for some keys what was before."""
    return {key: value for key, value in now.items() if key not in keys} | {
        key: value for key, value in before.items() if key in keys
    }
