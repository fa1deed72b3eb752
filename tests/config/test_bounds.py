"""Files of any size, and thousands of mistakes in them, are read in a time that nobody minds."""

from __future__ import annotations

import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest

from oxpushctl.config import files, render
from oxpushctl.config.properties import DELAY_DURATION, GCM_ENABLED
from oxpushctl.config.source import read_environment, read_folder
from oxpushctl.errors import MissingFile
from tests.config import folders


@contextmanager
def _within(seconds: float) -> Iterator[None]:
    before = time.process_time()
    yield
    assert time.process_time() - before < seconds


def test_a_misspelt_key_of_each_of_many_clients(tmp_path: Path) -> None:
    """What was meant is looked for a few times, not for each of them."""
    clients = "".join(f"open-xchange-mobile-api-facade-{number}:\n  enabled: true\n" for number in range(1500))
    keys = "".join(f"{GCM_ENABLED.key}.open-xchange-mobil-api-facade-{number}=true\n" for number in range(1500))
    with _within(15):
        found = folders.read(tmp_path, {"pns-mobile-api-facade-clients.yml": clients, "pns.properties": keys}).findings
    told = [one for one in found if one.code == "OXP310"]
    assert len(told) == 1500
    assert told[0].hint.startswith("did you mean open-xchange-mobile-api-facade-")


def test_thousands_of_unknown_variables() -> None:
    """The same for the environment."""
    environ = {f"OXPUSHCTL_com_openexchange_pns_delayDuration{number}": "1" for number in range(3000)}
    with _within(2):
        _, findings = read_environment(environ, (), ())
    assert len(findings) == 3000
    assert findings[0].hint == f"did you mean OXPUSHCTL_{DELAY_DURATION.key.replace('.', '_')}?"


def test_a_large_file_of_other_programs(tmp_path: Path) -> None:
    """Of keys that nothing is said of nothing is kept."""
    (tmp_path / "a.properties").write_text("a=1\n" * 200_000 + f"{DELAY_DURATION.key}=7\n")
    entries, _ = read_folder(tmp_path)
    assert [(entry.key, entry.text, entry.origin.line) for entry in entries] == [(DELAY_DURATION.key, "7", 200_001)]


def test_a_key_as_long_as_a_file(tmp_path: Path) -> None:
    """A line on the terminal stays one."""
    configuration = folders.read(tmp_path, {"a.properties": f"oxpushctl.{'x' * 1_000_000}=1\n"})
    lines = [*folders.lines(configuration), *(one["key"] for one in render.report(configuration.findings)["findings"])]
    assert max(map(len, lines)) < 1000


@pytest.mark.skipif(not Path("/proc/kmsg").exists(), reason="a file of Linux")
def test_a_file_of_the_kernel_that_has_nothing_to_say() -> None:
    """It is a regular one, and whoever waits for it waits for ever; whoever may not read it is told that."""
    try:
        data = files.read_file(Path("/proc/kmsg"))
    except MissingFile as error:
        assert "cannot be read" in str(error)
    else:
        assert data  # the kernel had something to say
