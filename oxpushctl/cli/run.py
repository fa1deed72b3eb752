"""``oxpushctl run``: the engine, in the foreground."""

from __future__ import annotations

import asyncio
import os
import signal

import click

from oxpushctl.cli.options import Invocation
from oxpushctl.config import render
from oxpushctl.config.configuration import Configuration
from oxpushctl.errors import ConfigurationError


@click.command()
@click.pass_obj
def run(invocation: Invocation) -> None:
    """Run the engine in the foreground until SIGTERM or SIGINT.

    Prints one line beginning "ready" on standard output when it serves; everything else is logged to standard error.
    SIGHUP reads the configuration again; a second SIGTERM or SIGINT ends the orderly stop at once.
    """
    # A reload that is asked for while we start, as by logrotate, finds nothing to read again.
    signal.signal(signal.SIGHUP, signal.SIG_IGN)
    from oxpushctl import checks, serving  # noqa: PLC0415  # takes half a second, which the line above has to precede
    from oxpushctl.cli.stored import refuse_errors  # noqa: PLC0415  # same
    from oxpushctl.web.inherited import VARIABLES, inherited  # noqa: PLC0415  # same

    sockets = inherited({name: os.environ.pop(name) for name in VARIABLES if name in os.environ}, os.getpid())
    invocation.start_logging()
    configuration = checks.check_parts(invocation.configuration())
    refuse_errors(configuration)

    def read_again() -> Configuration:
        again = checks.check_parts(invocation.configuration())
        if again.engine_errors:
            lines = map(render.line, render.in_order(again.engine_errors))
            raise ConfigurationError("; ".join(lines))
        return again

    with asyncio.Runner(loop_factory=serving.loop_factory()) as runner:
        runner.run(
            serving.serve(
                configuration,
                read_again=read_again,
                announce=click.echo,
                notify_socket=os.environ.get("NOTIFY_SOCKET"),
                inherited=sockets,
            )
        )
