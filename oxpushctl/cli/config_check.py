"""``oxpushctl config check``: everything that is wrong, or worth knowing, about the configuration."""

from __future__ import annotations

import json

import click

from oxpushctl.cli.options import Invocation
from oxpushctl.config import codes, render
from oxpushctl.config.finding import Severity
from oxpushctl.errors import ConfigurationError


@click.command()
@click.option(
    "--syntax-only", is_flag=True, help="Stop after syntax, keys and kinds: no rules, no files that are named."
)
@click.option("--offline", is_flag=True, help="Ask nothing of the network; this version never does.")
@click.option("--strict", is_flag=True, help="Let warnings fail the check as well.")
@click.option("-f", "--format", "form", type=click.Choice(["text", "json"]), default="text", show_default=True)
@click.pass_context
def check(ctx: click.Context, syntax_only: bool, offline: bool, strict: bool, form: str) -> None:
    """Print everything that is wrong, or worth knowing, about the configuration.

    Ends with 78 when there are errors, or with --strict warnings.
    """
    from oxpushctl import app  # noqa: PLC0415  # knows every part; explain does without them

    if syntax_only and offline:
        raise click.UsageError("--syntax-only leaves out more than --offline: give one of them")
    invocation = ctx.find_object(Invocation)
    assert invocation is not None  # noqa: S101  # made by the group above this one
    configuration = invocation.configuration()
    if syntax_only:
        found = [finding for finding in configuration.findings if codes.is_syntax(finding.code)]
    else:
        found = list(app.check_parts(configuration).findings)
    found = render.in_order(found)
    if form == "json":
        click.echo(json.dumps(render.report(found), indent=2))
    else:
        for finding in found:
            click.echo(render.line(finding))
    errors = render.count(found, Severity.ERROR)
    warnings = render.count(found, Severity.WARNING)
    click.echo(f"{configuration.etc}: {_summary(errors, warnings, len(found))}", err=True)
    if errors or (strict and warnings):
        ctx.exit(ConfigurationError.exit_code)


def _summary(errors: int, warnings: int, total: int) -> str:
    """Say in words what was found."""
    infos = total - errors - warnings
    counted = ((errors, "error"), (warnings, "warning"), (infos, "info"))
    parts = [f"{number} {word}{'' if number == 1 else 's'}" for number, word in counted if number]
    return ", ".join(parts) or "nothing to say against it"
