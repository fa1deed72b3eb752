"""What can be configured and what can be found is explained."""

from __future__ import annotations

import re

import pytest
from click.testing import CliRunner

from oxpushctl.cli.main import oxpushctl
from oxpushctl.config.clients.option_table import OPTIONS, OptionRow
from oxpushctl.config.property import Property
from oxpushctl.config.table import TABLE
from tests.house.tree import texts

_CODES = sorted(
    {
        code
        for path, text in texts().items()
        if path.startswith("oxpushctl/")
        for code in re.findall(r"\bOXP[0-9]{3}\b", text)
    }
)


@pytest.mark.parametrize("row", TABLE, ids=lambda row: row.key)
def test_property_is_documented(row: Property[object]) -> None:
    """Every property says in a sentence what it does, and in which file it is looked for."""
    assert re.fullmatch(r"[A-Z].{10,}\.", row.doc)
    assert row.file.endswith(".properties")


@pytest.mark.parametrize("row", [row for row in TABLE if row.example], ids=lambda row: row.key)
def test_example_is_a_value(row: Property[object]) -> None:
    """An example is of the kind that it is an example of."""
    assert row.kind.parse(row.example) != row.default


@pytest.mark.parametrize("option", OPTIONS, ids=lambda option: option.name)
def test_option_is_documented(option: OptionRow) -> None:
    """Every option of a client says in a sentence what it does, and in which files it may stand."""
    assert re.fullmatch(r"[A-Z].{10,}\.", option.doc)
    assert all(".yml" in name for name in option.files)


def test_property_keys_are_unique() -> None:
    """A key has one row."""
    keys = [row.key for row in TABLE]

    assert sorted(set(keys)) == sorted(keys)


@pytest.mark.parametrize("code", _CODES)
def test_code_is_explained(code: str) -> None:
    """Every code that a finding may carry has its page in ``config explain``."""
    shown = CliRunner().invoke(oxpushctl, ["config", "explain", code])

    assert shown.exit_code == 0, shown.output
    assert len(shown.stdout.split()) > 10
