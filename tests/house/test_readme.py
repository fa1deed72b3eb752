"""README.rst shows commands that exist."""

from __future__ import annotations

import pytest

from oxpushctl.cli.main import oxpushctl
from tests.house.readme import command_lines, complaint
from tests.house.tree import texts


def test_commands_of_readme() -> None:
    """Every sub-command and option typed in the README can be typed."""
    typed = command_lines(texts().get("README.rst", ""))

    complaints = {" ".join(words): complaint(oxpushctl, words) for words in typed}

    assert {line: wrong for line, wrong in complaints.items() if wrong} == {}


def test_commands_are_found_in_text() -> None:
    """Only lines with a prompt are commands; pipes, quotes, variables and continued lines are understood."""
    text = """\
Quick tour

.. code-block:: console

    $ .venv/bin/oxpushctl --etc DIR config check | less
    user=249, context=1, permanent=true
    # FOO=1 sudo -u mail oxpushctl users add -c 1 \\
          --login 'an ton'

    $ make demo

Afterwards ``oxpushctl run``.

.. code-block:: ini

    $ oxpushctl no such thing
"""

    assert list(command_lines(text)) == [
        ["--etc", "DIR", "config", "check"],
        ["users", "add", "-c", "1", "--login", "an ton"],
    ]


@pytest.mark.parametrize(
    ("words", "named"),
    [
        (["--etc=DIR", "-o", "a=b", "frobnicate", "--force"], "frobnicate"),
        (["--frobnicate"], "--frobnicate"),
        (["-o"], "-o"),
    ],
)
def test_wrong_command(words: list[str], named: str) -> None:
    """A command or option that does not exist, or lacks its value, is named."""
    assert named in complaint(oxpushctl, words)


@pytest.mark.parametrize("words", [["--version"], ["--etc", "frobnicate", "-vv", "--help"]])
def test_right_command(words: list[str]) -> None:
    """The value of an option is neither command nor option."""
    assert complaint(oxpushctl, words) == ""
