"""Check a text as Dovecot's configuration, with settings that fit the good samples."""

from __future__ import annotations

import shutil
import subprocess
from collections.abc import Mapping
from pathlib import Path

from oxpushctl.config.check import Wishes
from oxpushctl.config.configuration import Configuration
from oxpushctl.config.finding import Finding
from oxpushctl.listeners.dovecot_check import check_dovecot
from tests.config import folders
from tests.listeners.dovecot_faults import (
    SETTINGS,
)


def configuration_of(folder: Path, settings: Mapping[str, str | None] = {}) -> Configuration:
    lines = [f"{key}={value}" for key, value in {**SETTINGS, **settings}.items() if value is not None]
    etc = folder / "etc"
    etc.mkdir(exist_ok=True)
    return folders.read(etc, {"oxpushctl.properties": "\n".join(lines)})


async def checked(folder: Path, text: str, settings: Mapping[str, str | None] = {}) -> list[Finding]:
    write_for_ourselves(folder / "dovecot.conf", text)
    wishes = Wishes(dovecot_config=folder / "dovecot.conf", is_offline=True)
    return await check_dovecot(configuration_of(folder, settings), wishes)


def write_for_ourselves(path: Path, text: str) -> None:
    path.touch(0o600)
    path.write_text(text)


def as_printed(folder: Path, text: str, *options: str) -> str:
    """Return what the installed doveconf prints about a configuration."""
    (folder / "asked.conf").write_text(text)
    program = shutil.which("doveconf")
    assert program is not None, "install dovecot-core"
    command = [program, "-c", str(folder / "asked.conf"), *options]
    return subprocess.run(command, check=True, capture_output=True, text=True).stdout


def brief(found: list[Finding]) -> list[str]:
    return [f"{finding.severity.value} {finding.code} {finding.key}: {finding.message}" for finding in found]
