"""Server annotations of many mailboxes over doveadm: read, write and remove one entry.

::

    ["mailboxMetadataGet", {"user": …, "mailbox": "", "allowEmptyMailboxName": true, "key": "/private/…"}, tag]

A server annotation is one of the mailbox ``""``; without ``allowEmptyMailboxName`` Dovecot refuses that name (64).
An entry that is empty and one that is not set look alike. Each function answers for each name on its own.
"""

from __future__ import annotations

from collections.abc import Collection, Mapping, Sequence
from typing import Protocol

from oxpushctl.errors import OxpushctlError
from oxpushctl.listeners.doveadm_answers import Answer, Command, Failed


class AsksDoveadm(Protocol):
    """What asks doveadm: ``doveadm.Doveadm``."""

    async def ask(self, commands: Sequence[Command]) -> Sequence[Answer]:
        """Return the answers in the order of the commands; nothing is raised."""


async def get(doveadm: AsksDoveadm, entry: str, names: Collection[str]) -> Mapping[str, str | OxpushctlError | None]:
    """Return the entry of each mailbox, ``None`` where it is not set or empty, or why it is not known.

    ``names`` are what doveadm knows users by (``doveadm_names.name_of``), a user each.
    """
    asked = dict.fromkeys(names)
    answers = await _answers(doveadm, [Command("mailboxMetadataGet", _parameters(name, entry)) for name in asked])
    return {
        name: answer if isinstance(answer, OxpushctlError) else _value(answer)
        for name, answer in zip(asked, answers, strict=True)
    }


async def set_each(doveadm: AsksDoveadm, entry: str, values: Mapping[str, str]) -> Mapping[str, OxpushctlError | None]:
    """Write the entry of each mailbox; return what failed, ``None`` for what did not."""
    commands = [
        Command("mailboxMetadataSet", {**_parameters(name, entry), "value": value}) for name, value in values.items()
    ]
    return _failures(values, await _answers(doveadm, commands))


async def unset(doveadm: AsksDoveadm, entry: str, names: Collection[str]) -> Mapping[str, OxpushctlError | None]:
    """Remove the entry of each mailbox, which it need not have; return what failed, ``None`` for what did not."""
    asked = dict.fromkeys(names)
    answers = await _answers(doveadm, [Command("mailboxMetadataUnset", _parameters(name, entry)) for name in asked])
    return _failures(asked, answers)


def _parameters(name: str, entry: str) -> dict[str, object]:
    return {"user": name, "mailbox": "", "allowEmptyMailboxName": True, "key": entry}


async def _answers(
    doveadm: AsksDoveadm, commands: Sequence[Command]
) -> Sequence[Sequence[Mapping[str, str]] | OxpushctlError]:
    """Return the rows of each command, or why there are none."""
    answers = await doveadm.ask(commands)
    return [answer.error if isinstance(answer, Failed) else answer.rows for answer in answers]


def _value(rows: Sequence[Mapping[str, str]]) -> str | None:
    return (rows[0].get("value") or None) if rows else None


def _failures(
    names: Collection[str], answers: Sequence[Sequence[Mapping[str, str]] | OxpushctlError]
) -> Mapping[str, OxpushctlError | None]:
    return {
        name: answer if isinstance(answer, OxpushctlError) else None
        for name, answer in zip(names, answers, strict=True)
    }
