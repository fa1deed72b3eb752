"""The command ``oxpushctl``: global options, sub-commands loaded when they are called, errors to exit codes."""

from __future__ import annotations

import importlib
import io
import os
import sys
import traceback
from pathlib import Path
from typing import Any

import click
from click.shell_completion import CompletionItem

from oxpushctl import __version__
from oxpushctl.cli.completion import complete_folders, complete_settings, register
from oxpushctl.cli.options import DEFAULT_ETC, PATH, Invocation
from oxpushctl.errors import BadUsage, OxpushctlError

INTERRUPTED = 130
_COMPLETION = "_OXPUSHCTL_COMPLETE"  # what a shell sets that asks for completions

_COMMANDS = {
    "run": "the engine, in the foreground, until SIGTERM or SIGINT",
    "status": "how the running engine fares",
    "listpushusers": "for whom new mail is listened for",
    "config": "check, show and explain the configuration",
    "users": "the directory of push users",
    "registrations": "for which users and apps mailboxes are listened to",
    "credentials": "the mail passwords that are kept for users whom nobody logs in",
    "subscriptions": "the devices that want to be told",
    "dovecot": "what is registered at Dovecot, so that it tells of new mail",
    "database": "the tables that users and devices are kept in",
    "test-push": "one push through the real path, step by step",
    "sandbox": "a local stand-in for Apple and Google, with a page that shows the phones",
    "demo": "sandbox, engine, one user with two phones, and a first push",
    "completion": "the script with which bash, zsh or fish completes all of this",
}


class _ReaderGone(Exception):
    """Who read our output went away, as ``head`` does: the work ends, and nobody is left to be told."""


class _LazyGroup(click.Group):
    """Imports a command's module when the command is called: ``--version`` must not wait for them.

    Arguments that are no text are refused here: databases and providers take none.
    """

    # click would end the process with 1 for a broken pipe: these two are all of its work in which we or it print.

    def make_context(self, *args: Any, **extra: Any) -> click.Context:
        try:
            return super().make_context(*args, **extra)
        except BrokenPipeError as error:
            raise _ReaderGone from error

    def invoke(self, ctx: click.Context) -> object:
        try:
            return super().invoke(ctx)
        except BadUsage as error:
            raise click.UsageError(str(error), ctx) from error
        except BrokenPipeError as error:
            raise _ReaderGone from error

    def parse_args(self, ctx: click.Context, args: list[str]) -> list[str]:
        for arg in args:
            try:
                arg.encode()
            except UnicodeEncodeError as error:
                raise click.UsageError(f"{arg!a} is not UTF-8", ctx) from error
        return super().parse_args(ctx, args)

    def list_commands(self, ctx: click.Context) -> list[str]:
        return list(_COMMANDS)

    def get_command(self, ctx: click.Context, cmd_name: str) -> click.Command | None:
        if cmd_name not in _COMMANDS:
            return None
        name = cmd_name.replace("-", "_")
        command = getattr(importlib.import_module(f"oxpushctl.cli.{name}"), name)
        assert isinstance(command, click.Command)  # noqa: S101  # one of ours, named after its module
        if isinstance(command, click.Group):
            for each in command.commands.values():
                each.short_help = each.short_help or _first_paragraph(each.help)
        return command

    def format_commands(self, ctx: click.Context, formatter: click.HelpFormatter) -> None:
        with formatter.section("Commands"):
            formatter.write_dl(list(_COMMANDS.items()))

    def shell_complete(self, ctx: click.Context, incomplete: str) -> list[CompletionItem[str]]:
        """Offer commands and options; click would import every command for its help."""
        commands = [CompletionItem(name, help=_COMMANDS[name]) for name in _COMMANDS if name.startswith(incomplete)]
        return [*commands, *click.Command.shell_complete(self, ctx, incomplete)]


def _first_paragraph(text: str | None) -> str:
    """Return what a command's line in the list of its group says; click would cut it off at the edge."""
    return " ".join((text or "").partition("\n\n")[0].split())


@click.group(cls=_LazyGroup, context_settings={"help_option_names": ["-h", "--help"], "max_content_width": 100})
@click.option(
    "--etc",
    type=PATH,
    envvar="OXPUSHCTL_ETC",
    default=DEFAULT_ETC,
    show_default=True,
    metavar="DIR",
    shell_complete=complete_folders,
    help="Folder of the configuration files; OXPUSHCTL_ETC names another one, too.",
)
@click.option(
    "-o",
    "overrides",
    multiple=True,
    metavar="KEY=VALUE",
    shell_complete=complete_settings,
    help="Set a property, over files and environment.",
)
@click.option("-v", "--verbose", count=True, help="Log more.")
@click.option("-q", "--quiet", is_flag=True, help="Log warnings and errors only.")
@click.option(
    "--log-format",
    type=click.Choice(["text", "json"]),
    default="text",
    show_default=True,
    help="A log record is a line of text, or a line of JSON.",
)
@click.option("--debug", is_flag=True, help="Show the traceback of an unexpected error.")
@click.version_option(__version__, prog_name="oxpushctl", message="%(prog)s %(version)s")
@click.pass_context
def oxpushctl(
    ctx: click.Context, etc: Path, overrides: tuple[str, ...], verbose: int, quiet: bool, log_format: str, debug: bool
) -> None:
    """Mail push from Dovecot and Open-Xchange installations to Apple's APNs and Google's FCM."""
    if not all("=" in override for override in overrides):
        raise click.UsageError("-o wants KEY=VALUE", ctx)
    ctx.obj = Invocation(
        etc=etc,
        overrides=overrides,
        verbosity=-1 if quiet else verbose,
        is_json_log=log_format == "json",
        is_debug=debug,
    )


def main() -> None:
    """Run the command and end the process with its exit code: one line for every error, a bug included."""
    if isinstance(sys.stdout, io.TextIOWrapper):
        # A terminal that cannot show a character gets its escape rather than nothing at all.
        sys.stdout.reconfigure(errors="backslashreplace")
    try:
        if _COMPLETION in os.environ:
            register()
        code = oxpushctl.main(standalone_mode=False, complete_var=_COMPLETION)
    except click.ClickException as error:
        error.show()
        code = error.exit_code
    except (click.Abort, KeyboardInterrupt):
        code = INTERRUPTED
    except OxpushctlError as error:
        click.echo(f"oxpushctl: {error}", err=True)
        code = error.exit_code
    except _ReaderGone:
        # What is left in the buffer would meet the broken pipe again when Python ends.
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
        code = 0
    except Exception as error:  # noqa: BLE001  # the last door: a bug becomes one line and exit code 1
        click.echo(f"oxpushctl: bug: {type(error).__name__}: {error} (--debug shows where)", err=True)
        if "--debug" in sys.argv:
            traceback.print_exc()
        code = 1
    sys.exit(code if isinstance(code, int) else 0)
