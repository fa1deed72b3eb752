"""The state folder: where this node keeps its socket and, by default, its database."""

from __future__ import annotations

import os
from collections.abc import Mapping
from pathlib import Path

from oxpushctl.errors import MissingFile

SYSTEM = Path("/var/lib/oxpushctl")


def state_folder(environ: Mapping[str, str], system: Path = SYSTEM) -> Path:
    """Return ``$STATE_DIRECTORY``, else ``system`` if it can be written or made, else the user's own folder.

    Nothing is made here; ``made`` does that at first use.
    """
    # systemd separates several folders by colons.
    if given := environ.get("STATE_DIRECTORY", "").partition(":")[0]:
        return Path(given).absolute()
    if os.access(system if system.exists() else system.parent, os.W_OK | os.X_OK):
        return system
    home = environ.get("HOME")
    state_home = environ.get("XDG_STATE_HOME", "")
    # The XDG specification wants relative paths to be ignored.
    if not Path(state_home).is_absolute():
        if not home:
            raise MissingFile("no folder to keep state in (set STATE_DIRECTORY)")
        state_home = str(Path(home, ".local", "state"))
    return Path(state_home, "oxpushctl")


def made(folder: Path) -> Path:
    """Make the state folder, readable by its owner only, unless it is there; return it."""
    try:
        folder.mkdir(mode=0o700, parents=True, exist_ok=True)
    except OSError as error:
        raise MissingFile(f"{folder}: the state folder cannot be made: {error.strerror}") from error
    return folder
