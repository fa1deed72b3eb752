"""``oxpushctl credentials verify``: try at the mail server what is to open mailboxes."""

from __future__ import annotations

import sys
from collections import deque
from collections.abc import AsyncGenerator, AsyncIterator, Callable, Iterable, Iterator
from contextlib import aclosing, nullcontext
from typing import TypeVar

import click

from oxpushctl.cli.kept import in_words, kept_of, mailboxes_of, storing_configuration, with_vault
from oxpushctl.cli.options import Invocation
from oxpushctl.cli.output import Row, printing, progress
from oxpushctl.cli.parameters import context_option, format_option, user_option
from oxpushctl.cli.stored import named_user
from oxpushctl.config.configuration import Configuration
from oxpushctl.config.mailboxes import is_master_wanted
from oxpushctl.errors import NotPermitted, TryLater, UnknownEntry
from oxpushctl.listeners.verification import Result, Verification, Verified
from oxpushctl.model import KeptCredential, PushUser
from oxpushctl.storage import Storage
from oxpushctl.stores import cipher
from oxpushctl.stores.vault import Vault

S = TypeVar("S")

_COLUMNS = ("context", "user", "login", "result", "reason", "format")
_EXIT_CODES = {
    Result.OPENED: 0,
    Result.REFUSED: NotPermitted.exit_code,
    Result.UNDECIPHERABLE: NotPermitted.exit_code,
    Result.UNTRIED: TryLater.exit_code,
}
_GRAVEST_FIRST = (NotPermitted.exit_code, TryLater.exit_code, 0)


@click.command()
@context_option()
@user_option()
@click.option("--all", "are_all", is_flag=True, help="Try everybody's, eight at a time.")
@format_option()
@click.pass_context
def verify(ctx: click.Context, context: int | None, user: str | None, are_all: bool, form: str) -> None:
    """Log in at the mail server with a user's kept password, or with everybody's.

    Where the master password opens all mailboxes, it is tried at those of all registered users.

    The result is `opened`, `refused`, `untried` if the mail server could not be asked, or `undecipherable` if the
    passphrase does not open what is kept. The format is that of the encryption, 8.x or 7.x: `credentials rotate`
    brings older ones to that of 8.x.

    Exit code: 0 all opened, 77 at least one is refused or undecipherable and wants to be set again, 75 at least one
    could not be tried, 67 no password of the user is kept.
    """
    if are_all == (user is not None):
        raise click.UsageError("give a user (-u), or --all")
    invocation = ctx.find_object(Invocation)
    assert invocation is not None  # noqa: S101  # made by the group above
    configuration = storing_configuration(invocation)
    run = _Run(configuration, context, user, form)
    with_vault(configuration, run.run)
    ctx.exit(run.exit_code)


class _Run:
    """One run of the command; ``exit_code`` is there when it has ended."""

    def __init__(self, configuration: Configuration, context: int | None, user: str | None, form: str) -> None:
        self._configuration = configuration
        self._context = context
        self._user = user
        self._form = form
        self._order = _Order()
        self._codes: set[int] = set()

    @property
    def exit_code(self) -> int:
        """Tell of the worst that was found."""
        return next((code for code in _GRAVEST_FIRST if code in self._codes), 0)

    async def run(self, storage: Storage, vault: Vault) -> None:
        """Try the mailboxes and print what became of each, in the order of context and user."""
        settings = self._configuration.settings
        async with aclosing(mailboxes_of(self._configuration)) as mailboxes:
            verification = Verification(mailboxes, storage.users, settings)
            if is_master_wanted(settings):
                users = await self._users(storage)
                trying = verification.users(self._order.noted(_each(users), lambda user: user))
                await self._print(trying, len(users), if_none="No registered users.")
            else:
                kept = self._order.noted(self._kept(storage, vault), lambda kept: kept.user)
                trying = verification.kept(kept, vault, cipher.is_legacy)
                total = 1 if self._user else await vault.count(context=self._context)
                await self._print(trying, total, if_none="No kept passwords.")

    async def _users(self, storage: Storage) -> list[PushUser]:
        """Return whom the master password is tried for."""
        if self._user is None:
            registered = await storage.registrations.listing(context=self._context)
            return sorted({each.user for each in registered})
        owner = await named_user(storage.database, self._context, self._user)
        if await storage.users.entry(owner) is None:
            raise UnknownEntry(f"the directory has no {in_words(owner)}, and so no login for the master password")
        return [owner]

    async def _kept(self, storage: Storage, vault: Vault) -> AsyncIterator[KeptCredential]:
        if self._user is None:
            async for kept in vault.kept(context=self._context):
                yield kept
            return
        owner = await named_user(storage.database, self._context, self._user)
        found = await kept_of(vault, owner)
        if found is None:
            raise UnknownEntry(f"no password of {in_words(owner)} is kept")
        yield found

    async def _print(self, trying: AsyncGenerator[Verified, None], total: int, *, if_none: str) -> None:
        # On a screen, rows that come one by one tell themselves how far it is.
        is_bar_wanted = self._form == "table" or not sys.stdout.isatty()
        bar = progress("mailboxes", total) if is_bar_wanted else nullcontext(lambda _steps: None)
        with printing(_COLUMNS, self._form, if_none=if_none) as show, bar as advance:
            async with aclosing(trying) as results:
                async for verified in results:
                    self._codes.add(_EXIT_CODES[verified.result])
                    for each in self._order.ready(verified):
                        show(_row(each, has_format=not is_master_wanted(self._configuration.settings)))
                    advance(1)


class _Order:
    """Puts what comes as it is done into the order in which it was begun."""

    def __init__(self) -> None:
        self._begun: deque[PushUser] = deque()
        self._done: dict[PushUser, Verified] = {}

    async def noted(self, subjects: AsyncIterator[S], user_of: Callable[[S], PushUser]) -> AsyncIterator[S]:
        """Hand subjects on, and note their order."""
        async for subject in subjects:
            self._begun.append(user_of(subject))
            yield subject

    def ready(self, verified: Verified) -> Iterator[Verified]:
        """Take one, and yield those that nothing before them is waited for."""
        self._done[verified.user] = verified
        while self._begun and self._begun[0] in self._done:
            yield self._done.pop(self._begun.popleft())


async def _each(users: Iterable[PushUser]) -> AsyncIterator[PushUser]:
    for user in users:
        yield user


def _row(verified: Verified, *, has_format: bool) -> Row:
    return {
        "context": verified.user.context,
        "user": verified.user.user,
        "login": verified.login,
        "result": verified.result.value,
        "reason": verified.reason,
        "format": ("7.x" if verified.is_legacy else "8.x") if has_format else None,
    }
