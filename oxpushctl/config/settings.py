"""Resolved values, read by the row that describes them: ``settings[DELAY_DURATION]``."""

from __future__ import annotations

from collections.abc import Mapping
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

    @property
    def origins(self) -> Mapping[str, Origin]:
        """Where each setting was set, by its key with the qualifiers."""
        return self._origins
