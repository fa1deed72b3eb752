"""``oxpushctl config check``: everything that is wrong, or worth knowing, about the configuration."""

from __future__ import annotations

import json
import re
from collections.abc import Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from oxpushctl.cli.options import PATH, Invocation
from oxpushctl.cli.output import progress, say
from oxpushctl.cli.parameters import report_format_option
from oxpushctl.config import codes, render
from oxpushctl.config.check import Mailbox, Wishes
from oxpushctl.config.finding import Finding, Severity
from oxpushctl.errors import ConfigurationError

if TYPE_CHECKING:
    from oxpushctl.config.configuration import Configuration
    from oxpushctl.config.flow.flow import Flow
    from oxpushctl.model import DirectoryEntry
    from oxpushctl.storage import Storage


@click.command()
@click.option(
    "--syntax-only", is_flag=True, help="Stop after syntax, keys and kinds: no rules, no files that are named."
)
@click.option("--offline", is_flag=True, help="Ask neither the network nor another program.")
@click.option("--strict", is_flag=True, help="Let warnings fail the check as well.")
@click.option(
    "--dovecot-config",
    type=PATH,
    metavar="FILE",
    help="Dovecot's configuration: a file of it, or what `doveconf -nP` printed; -n alone hides the driver's login and "
    "password. Otherwise that program is asked.",
)
@click.option(
    "--probe-user",
    metavar="U@C",
    help="Log in at the mail server as this user of the directory (id@context, or a login). Unless the master password "
    "does, its password is asked for, or is the first line of standard input.",
)
@click.option(
    "--password-file",
    type=PATH,
    metavar="FILE",
    help="Take the password of --probe-user from the first line of a file.",
)
@click.option(
    "--probe-providers", is_flag=True, help="Try each client's credentials at Apple and Google, with no device."
)
@report_format_option()
@click.pass_context
def check(ctx: click.Context, /, **given: Any) -> None:
    """Print everything that is wrong, or worth knowing, about the configuration, then the decision flow.

    Looks whether the engine could listen, connects to the mail server and asks `doveconf`, unless --offline or
    --syntax-only is given. Ends with 78 when there are errors, or with --strict warnings.
    """
    invocation = ctx.find_object(Invocation)
    assert invocation is not None  # noqa: S101  # made by the group above this one
    wish = _Wish(**given)
    wish.check()
    configuration = invocation.configuration()
    if wish.syntax_only:
        found = render.in_order(found for found in configuration.findings if codes.is_syntax(found.code))
        flow = None
    else:
        configuration, flow = _judged(configuration, wish)
        found = render.in_order(configuration.findings)
    _print(found, flow, wish.form)
    errors, warnings = render.count(found, Severity.ERROR), render.count(found, Severity.WARNING)
    say(f"{configuration.etc}: {_summary(errors, warnings, len(found))}")
    if errors or (wish.strict and warnings):
        ctx.exit(ConfigurationError.exit_code)


@dataclass(frozen=True, slots=True)
class _Wish:
    """The options as they were given."""

    syntax_only: bool
    offline: bool
    strict: bool
    dovecot_config: Path | None
    probe_user: str | None
    password_file: Path | None
    probe_providers: bool
    form: str

    def check(self) -> None:
        """Refuse what does not go together."""
        if self.syntax_only and self.offline:
            raise click.UsageError("--syntax-only leaves out more than --offline: give one of them")
        if self.syntax_only and self.dovecot_config:
            raise click.UsageError("--syntax-only is about our own files: --dovecot-config has no part in it")
        for name, is_given in (("--probe-user", self.probe_user), ("--probe-providers", self.probe_providers)):
            if is_given and (self.offline or self.syntax_only):
                raise click.UsageError(f"{name} asks the network, which --offline and --syntax-only do not")
        if self.password_file and not self.probe_user:
            raise click.UsageError("--password-file has the password of --probe-user")


def _judged(configuration: Configuration, wish: _Wish) -> tuple[Configuration, Flow]:
    """Return the configuration with what parts and world find, and the decision flow."""
    from oxpushctl import checks  # noqa: PLC0415  # knows every part; --syntax-only does without them
    from oxpushctl.config.flow import flow  # noqa: PLC0415  # same

    configuration = checks.check_parts(configuration)
    wishes = Wishes(
        dovecot_config=wish.dovecot_config, are_providers_probed=wish.probe_providers, is_offline=wish.offline
    )
    if not wish.offline or wish.dovecot_config:
        import asyncio  # noqa: PLC0415  # takes as long as reading the configuration

        if wish.probe_user:
            wishes = replace(wishes, mailbox=_mailbox(configuration, wish.probe_user, wish.password_file))
        with progress("Asking the network …", None):
            configuration = asyncio.run(checks.check_world(configuration, wishes))
    return configuration, flow.evaluate(configuration)


def _mailbox(configuration: Configuration, user: str, password_file: Path | None) -> Mailbox | None:
    """Return whom --probe-user means, with the password unless the master password opens the mailbox."""
    if configuration.engine_errors:
        say(f"--probe-user {user}: nobody is logged in with an erroneous configuration")
        return None
    from oxpushctl.cli.passwords import given_password  # noqa: PLC0415  # seldom wanted
    from oxpushctl.cli.stored import with_storage  # noqa: PLC0415  # same
    from oxpushctl.listeners.mail_server import mail_login, master_log_in  # noqa: PLC0415  # same

    entry = with_storage(configuration, lambda storage: _entry(storage, user))
    login = mail_login(entry, configuration.settings)
    if password_file is None and master_log_in(login, configuration.settings) is not None:
        return Mailbox(login)
    return Mailbox(login, given_password(f"Password of {login}", password_file))


async def _entry(storage: Storage, user: str) -> DirectoryEntry:
    """Return the user of the directory that is written ``id@context``, or as a login or alias."""
    from oxpushctl.cli.stored import named_user  # noqa: PLC0415  # seldom wanted
    from oxpushctl.errors import UnknownEntry  # noqa: PLC0415  # same

    match = re.fullmatch(r"([0-9]+)@([0-9]+)", user)
    context, name = (int(match[2]), match[1]) if match else (None, user)
    named = await named_user(storage.database, context, name)
    entry = await storage.users.entry(named)
    if entry is None:
        raise UnknownEntry(f"--probe-user {user}: the directory has no such user: add it with `oxpushctl users add`")
    return entry


def _print(found: Sequence[Finding], flow: Flow | None, form: str) -> None:
    """Write findings and flow to stdout; without a flow, JSON has a null."""
    if form == "json":
        from oxpushctl.config.flow.flow import as_object  # noqa: PLC0415  # as above

        report = render.report(found, None if flow is None else as_object(flow))
        click.echo(json.dumps(report, indent=2))
        return
    for finding in found:
        click.echo(render.line(finding))
    if flow is not None:
        from oxpushctl.cli.config_flow import drawn_flow  # noqa: PLC0415  # as above

        tree = drawn_flow(flow)
        click.echo(f"\n{tree}" if found else tree)


def _summary(errors: int, warnings: int, total: int) -> str:
    """Say in words what was found."""
    infos = total - errors - warnings
    counted = ((errors, "error"), (warnings, "warning"), (infos, "info"))
    parts = [f"{number} {word}{'' if number == 1 else 's'}" for number, word in counted if number]
    return ", ".join(parts) or "nothing to say against it"
