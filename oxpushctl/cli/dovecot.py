"""``oxpushctl dovecot``: what is registered at Dovecot for our users."""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping
from contextlib import aclosing

import click

from oxpushctl.cli.options import Invocation
from oxpushctl.cli.output import Row, printing, progress, say
from oxpushctl.cli.parameters import context_option, format_option
from oxpushctl.cli.stored import refuse_errors, with_storage
from oxpushctl.config.configuration import Configuration
from oxpushctl.config.listening import DOVEADM_ENABLED, DOVECOT_ENABLED
from oxpushctl.config.properties import MAIL_SERVER_URL
from oxpushctl.engine.clock import SystemClock
from oxpushctl.errors import ConfigurationError, NotPermitted, TryLater, Unsupported
from oxpushctl.listeners.dovecot_registrar import Cleared
from oxpushctl.listeners.dovecot_sync import Result, Sync, Synced
from oxpushctl.listening import NoSessions, opened_listening
from oxpushctl.storage import Storage

_COLUMNS = ("context", "user", "result", "reason")
# In the order of the summary, and the words for it: when registering, and when clearing.
_WORDS: Mapping[Result, tuple[str, str]] = {
    Result.REGISTERED: ("registered", ""),
    Result.REMOVED: ("", "removed"),
    Result.WOULD_REGISTER: ("would be registered", ""),
    Result.WOULD_REMOVE: ("", "would be removed"),
    Result.ALREADY: ("registered already", "without a registration of ours"),
    Result.REFUSED: ("refused", "refused"),
    Result.UNSUPPORTED: ("unsupported", "unsupported"),
    Result.FAILED: ("could not be tried", "could not be tried"),
}
_EXIT_CODES = {
    Result.REFUSED: NotPermitted.exit_code,
    Result.FAILED: TryLater.exit_code,
    Result.UNSUPPORTED: Unsupported.exit_code,
}


@click.group()
def dovecot() -> None:
    """What is registered at Dovecot, so that it tells of new mail: the engine sees to it by itself."""


@dovecot.command()
@context_option()
@click.option(
    "--remove", "is_removing", is_flag=True, help="Clear the mailboxes instead, of whoever has been registered."
)
@click.option("--dry-run", "is_dry", is_flag=True, help="Look, and change nothing.")
@format_option()
@click.pass_context
def sync(ctx: click.Context, context: int | None, is_removing: bool, is_dry: bool, form: str) -> None:
    """Register the mailboxes of all registered users at Dovecot now, rather than within a day.

    Every mailbox is asked, over IMAP or doveadm as the configuration has it, eight at a time. Printed are users whose
    mailboxes were not registered, and why, and those where something else was registered; with --dry-run also those
    that would be. The result is `refused` if nothing at hand opens the mailbox, `unsupported` if the mail server has no
    METADATA, `failed` if it could not be asked.

    With --remove, only what was registered by us, or by the middleware for the same user, is removed. Before, set
    com.openexchange.push.dovecot.enabled=false and reload the engine: else it registers them again.

    Exit code: 0, or 77 if some were refused, 75 if some could not be tried, 69 if some are unsupported.
    """
    invocation = ctx.find_object(Invocation)
    assert invocation is not None  # noqa: S101  # made by the group above
    invocation.start_quiet_logging()
    configuration = invocation.configuration()
    refuse_errors(configuration)
    if not is_removing and not configuration.settings[DOVECOT_ENABLED]:
        raise ConfigurationError(f"{DOVECOT_ENABLED.key} is false, so nobody is to be registered (--remove clears)")
    run = _Run(configuration, context, form, is_removing=is_removing, is_dry=is_dry)
    with_storage(configuration, run.run, is_writing=not is_dry, is_engine_wanted=True)
    say(run.summary)
    ctx.exit(run.exit_code)


class _Run:
    """One run of the command; ``summary`` and ``exit_code`` are there when it has ended."""

    def __init__(
        self, configuration: Configuration, context: int | None, form: str, *, is_removing: bool, is_dry: bool
    ) -> None:
        self._configuration = configuration
        self._context = context
        self._form = form
        self._is_removing = is_removing
        self._is_dry = is_dry
        self._counts: Counter[Result] = Counter()

    @property
    def summary(self) -> str:
        """Say how many there are of each result."""
        parts = [
            f"{self._counts[result]} {words[self._is_removing]}"
            for result, words in _WORDS.items()
            if self._counts[result]
        ]
        return f"Users: {', '.join(parts)}." if parts else "No registered users."

    @property
    def exit_code(self) -> int:
        """Tell of the gravest that was met."""
        return next((code for result, code in _EXIT_CODES.items() if self._counts[result]), 0)

    async def run(self, storage: Storage) -> None:
        """Go through all users, and print those of whom there is something to say."""
        async with opened_listening(self._configuration, storage, SystemClock(), NoSessions()) as listening:
            if not listening.can_reach_mailboxes:
                raise ConfigurationError(
                    f"neither {MAIL_SERVER_URL.key} nor {DOVEADM_ENABLED.key} is set: no mailbox can be reached"
                )
            work = Sync(storage.registrations, listening.registry)
            total = await work.count(context=self._context, is_removing=self._is_removing)
            go = work.remove if self._is_removing else work.register
            synced = go(context=self._context, is_dry=self._is_dry)
            with printing(_COLUMNS, self._form) as show, progress("mailboxes", total) as advance:
                async with aclosing(synced):
                    async for each in synced:
                        self._counts[each.result] += 1
                        if _is_worth_telling(each):
                            show(_row(each))
                        advance(1)


def _is_worth_telling(synced: Synced) -> bool:
    if synced.result in (Result.WOULD_REGISTER, Result.WOULD_REMOVE):
        return True
    return bool(synced.reason) and synced.reason != Cleared.NOTHING.value


def _row(synced: Synced) -> Row:
    return {
        "context": synced.user.context,
        "user": synced.user.user,
        "result": synced.result.value,
        "reason": synced.reason,
    }
