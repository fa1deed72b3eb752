"""What the program writes of itself: man pages, completions and a part of the README."""

from __future__ import annotations

import re
import shutil
import subprocess
from pathlib import Path

import click
import pytest

from oxpushctl.cli import written
from oxpushctl.cli.main import oxpushctl
from oxpushctl.config import codes
from oxpushctl.config.clients import option_table
from oxpushctl.config.flow.flow import FactObject, FlowObject, LineObject, StepObject
from oxpushctl.config.render import FindingObject, Report
from oxpushctl.config.table import TABLE
from tests.house.tree import ROOT

PAGES = written.pages(ROOT)
MAN_PAGES = ("man/oxpushctl.1", "man/oxpushctl.5")


def rendered(name: str, columns: int = 80) -> str:
    """Return a manual page as ``man`` shows it on a terminal, without bold; groff has nothing to warn of."""
    length = f"-rLL={columns - 2}n"
    done = subprocess.run(
        ["groff", "-man", "-ww", "-Tutf8", "-P-c", length, ROOT / name], capture_output=True, text=True, check=True
    )
    assert done.stderr == ""
    return re.sub(".\b", "", done.stdout)


@pytest.mark.parametrize("name", list(PAGES))
def test_file_is_fresh(name: str) -> None:
    """What is checked in is what the program would write."""
    there = (ROOT / name).read_bytes() if (ROOT / name).is_file() else b""

    assert there == PAGES[name].encode(), f"{name} is stale: run make docs"


def test_stale_file_is_written(tmp_path: Path) -> None:
    """Only what differs is written anew, and what is around the README's section stays."""
    (tmp_path / "README.rst").write_text(f"Before\n\n{written.BEGIN}\n\nold\n\n{written.END}\n\nAfter\n")
    first = written.write(tmp_path)
    (tmp_path / "man" / "oxpushctl.5").write_text("old")

    again = written.write(tmp_path)

    assert (sorted(first), again) == (sorted(PAGES), ["man/oxpushctl.5"])
    readme = (tmp_path / "README.rst").read_text()
    assert readme.startswith("Before\n\n")
    assert readme.endswith("\n\nAfter\n")
    assert "\nold\n" not in readme


@pytest.mark.parametrize("columns", [80, 60])
@pytest.mark.parametrize("name", MAN_PAGES)
def test_man_page_is_sound(name: str, columns: int) -> None:
    """groff has nothing to warn of, no line is wider than the terminal, and the page is the same tomorrow."""
    text = rendered(name, columns)

    assert [line for line in text.splitlines() if len(line) > columns] == []
    assert text == rendered(name, columns)


@pytest.mark.parametrize(
    ("what", "kind"),
    [
        ("oxpushctl config check prints:", Report.__annotations__),
        ("A finding is:", FindingObject.__annotations__),
        ("A flow, which is what oxpushctl config flow prints, is:", FlowObject.__annotations__),
        ("A step is:", StepObject.__annotations__),
        ("A setting that decided is:", FactObject.__annotations__),
        ("A setting of a remedy is:", LineObject.__annotations__),
    ],
)
def test_man_page_of_reports(what: str, kind: dict[str, object]) -> None:
    """oxpushctl(1) has every field of what programs read, and says which may be null."""
    part = rendered("man/oxpushctl.1").partition(f"       {what}\n\n")[2].partition("\n\n")[0]

    fields = dict(re.findall(r"^ {7}(\w+)\s+\(([a-z ]+)\)", part, re.MULTILINE))
    assert fields.keys() == kind.keys()
    nullable = {name for name, hint in kind.items() if "None" in str(hint)}
    assert {name for name, said in fields.items() if said.endswith(" or null")} == nullable


@pytest.mark.skipif(shutil.which("mandoc") is None, reason="mandoc is not installed")
@pytest.mark.parametrize("name", MAN_PAGES)
def test_man_page_for_mandoc(name: str) -> None:
    """The other renderer of man pages misses only a date, which would make a page stale every day."""
    found = subprocess.run(["mandoc", "-Tlint", ROOT / name], capture_output=True, text=True, check=False)

    complaints = [line for line in found.stdout.splitlines() if "missing date" not in line]
    assert complaints == []


def test_man_page_of_properties() -> None:
    """oxpushctl(5) has every property, option of a client and code, each in one piece."""
    words = {word.strip(".,;:()") for word in rendered("man/oxpushctl.5").split()}
    wanted = {row.key for row in TABLE} | {option.name for option in option_table.OPTIONS} | set(codes.CATALOGUE)

    assert wanted - words == set()


def test_readme_names_every_property() -> None:
    """So does the README of properties."""
    section = PAGES["README.rst"].partition(written.BEGIN)[2]

    assert [row.key for row in TABLE if f"``{row.key}" not in section] == []


def test_man_page_of_commands() -> None:
    """oxpushctl(1) has every command with each of its options, and the exit codes."""
    page = rendered("man/oxpushctl.1")

    missing = [
        f"{path}: {name}"
        for path, command, part in commands(page)
        for option in command.params
        if isinstance(option, click.Option)
        for name in option.opts
        if not re.search(rf"^ {{7}}(?:\S+, )*{re.escape(name)}\b", part, re.MULTILINE)
    ]
    assert missing == []
    assert re.search(r"^ {7}78 ", page, re.MULTILINE)


def commands(page: str) -> list[tuple[str, click.Command, str]]:
    """Return every command by its path, with its part of the page; empty if it has none."""
    parts = dict(re.findall(r"^ {3}(oxpushctl .*)\n((?:\n| {7}.*\n)*)", page, re.MULTILINE))
    found: list[tuple[str, click.Command, str]] = []

    def walk(group: click.Group, context: click.Context, before: str) -> None:
        for name in group.list_commands(context):
            command = group.get_command(context, name)
            assert command is not None
            path = f"{before} {name}"
            found.append((path, command, parts.get(path, "")))
            assert path in parts
            if isinstance(command, click.Group):
                walk(command, context, path)

    walk(oxpushctl, click.Context(oxpushctl), "oxpushctl")
    return found
