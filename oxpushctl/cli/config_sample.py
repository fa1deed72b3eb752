"""``oxpushctl config sample``: a first configuration to fill in."""

from __future__ import annotations

import os
import secrets
import shlex
from collections.abc import Mapping
from contextlib import suppress
from pathlib import Path

import click

from oxpushctl.cli.completion import complete_folders
from oxpushctl.cli.options import PATH
from oxpushctl.cli.output import say
from oxpushctl.errors import BadData, MissingFile

_REST_LOGIN = "dovecot"


@click.command()
@click.argument("folder", metavar="DIR", type=PATH, shell_complete=complete_folders)
def sample(folder: Path) -> None:
    """Write sample files into DIR: every property and option, explained and commented out.

    They are readable by their owner alone, have a login with a random password for Dovecot's requests, and pass the
    check. When one of the files is already there nothing is written.
    """
    from oxpushctl.config import sample as sampling  # noqa: PLC0415  # config check does without it
    from oxpushctl.config.clients.options import APNS_FILE, GCM_FILE  # noqa: PLC0415  # same

    files = sampling.files(_REST_LOGIN, secrets.token_urlsafe(18))
    _write(folder, files)
    say(f"{len(files)} files written to {folder}, mode 0600: the user that runs oxpushctl must own them.")
    say(
        "What is left to do:\n"
        "  mail.properties      name the mail server\n"
        f"  pns-*-options.yml    configure your apps, {APNS_FILE} and {GCM_FILE}\n"
        "  pns.properties       switch their transports on\n"
        "  server.properties    give Dovecot the lines that stand there\n"
        f"Then: oxpushctl --etc {shlex.quote(str(folder))} config check"
    )


def _write(folder: Path, files: Mapping[str, str]) -> None:
    """Write all files, or raise and leave the folder as it was."""
    there = [name for name in files if os.path.lexists(folder / name)]
    if there:
        others = f" and {len(there) - 1} more of these files" if len(there) > 1 else ""
        raise BadData(f"{folder / there[0]}{others} already there: nothing was written (name an empty folder)")
    is_new = not os.path.lexists(folder)
    written: list[Path] = []
    try:
        if folder.is_file():
            raise MissingFile(f"{folder}: is not a folder")
        folder.mkdir(mode=0o700, parents=True, exist_ok=True)
        for name, text in files.items():
            path = folder / name
            # Not even a file that somebody makes at this moment is overwritten.
            descriptor = os.open(path, os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_CLOEXEC, 0o600)
            written.append(path)
            with os.fdopen(descriptor, "w", encoding="ascii") as file:
                file.write(text)
    except OSError as error:
        _remove(written, folder if is_new else None)
        raise MissingFile(f"{error.filename or folder}: cannot be written: {error.strerror}") from error


def _remove(written: list[Path], folder: Path | None) -> None:
    for path in written:
        path.unlink(missing_ok=True)
    if folder is not None:
        with suppress(OSError):  # it was not made, or somebody else put something into it
            folder.rmdir()
