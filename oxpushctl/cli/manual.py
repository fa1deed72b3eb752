"""The commands as a page: oxpushctl(1), out of the same objects that ``--help`` is made of."""

from __future__ import annotations

import inspect
from collections.abc import Iterator, Sequence

import click

from oxpushctl import __version__, errors
from oxpushctl.cli import manual_reports, manual_words
from oxpushctl.manual import roff

_PREFORMATTED = "\b"
_HELP = frozenset({"--help", "--version"})


def page(root: click.Group) -> str:
    """Write oxpushctl(1) about a command with all that is below it."""
    context = click.Context(root, info_name=root.name, help_option_names=root.context_settings["help_option_names"])
    commands = list(_commands(root, context))
    return roff.page(
        (
            roff.header("oxpushctl", 1, __version__),
            roff.section("Name"),
            [roff.escape("oxpushctl") + r" \- " + roff.escape("mail push from Dovecot and Open-Xchange to phones")],
            roff.section("Synopsis"),
            *(_synopsis([each]) for each in _global_forms(root, context)),
            roff.section("Description"),
            roff.paragraphs(manual_words.DESCRIPTION),
            roff.section("Global options"),
            roff.paragraph(manual_words.GLOBAL_OPTIONS),
            _options(root, context, without=frozenset()),
            roff.section("Commands"),
            *(line for command, below in commands for line in _command(command, below)),
            roff.section("Exit status"),
            roff.aligned((f"`{code}`", words) for code, words in _exit_codes().items()),
            *_reports(),
            roff.section("Environment"),
            *(roff.entry(name, words) for name, words in manual_words.ENVIRONMENT),
            roff.section("Files"),
            *(roff.entry(name, words) for name, words in manual_words.FILES),
            roff.section("Examples"),
            *(part for words, lines in manual_words.EXAMPLES for part in (roff.paragraph(words), roff.verbatim(lines))),
            roff.section("See also"),
            roff.paragraph(manual_words.SEE_ALSO),
        )
    )


def _commands(group: click.Group, context: click.Context) -> Iterator[tuple[click.Command, click.Context]]:
    """Yield everything below a group, each group before what is in it."""
    for name in group.list_commands(context):
        command = group.get_command(context, name)
        if command is None or command.hidden:
            continue
        below = click.Context(command, info_name=name, parent=context)
        yield command, below
        if isinstance(command, click.Group):
            yield from _commands(command, below)


def _global_forms(root: click.Group, context: click.Context) -> Iterator[str]:
    options = (param for param in root.get_params(context) if isinstance(param, click.Option))
    words = (_usage(option) for option in options if not _HELP & {*option.opts})
    yield f"`oxpushctl` {' '.join(words)} COMMAND"
    yield "`oxpushctl` [COMMAND] `--help`"
    yield "`oxpushctl --version`"


def _command(command: click.Command, context: click.Context) -> Iterator[list[str]]:
    """Set one command: how it is called, what it does, its options. Of a group only what it is about."""
    yield roff.subsection(context.command_path)
    words = list(_words(command, context))
    if words and not isinstance(command, click.Group):
        yield _synopsis([f"`{context.command_path}`", *words])
    yield list(_help(command))
    yield list(_options(command, context, without=_HELP))


def _words(command: click.Command, context: click.Context) -> Iterator[str]:
    """Yield the words of a call: what must be there first, arguments last."""
    params = command.get_params(context)
    options = [param for param in params if isinstance(param, click.Option) and not _HELP & {*param.opts}]
    for option in sorted(options, key=lambda option: not option.required):
        yield _usage(option)
    for param in params:
        if isinstance(param, click.Argument):
            value = _value(param)
            yield value if param.required or value.startswith("[") else f"[{value}]"


def _synopsis(words: Sequence[str]) -> list[str]:
    return roff.paragraph(" ".join(words))


def _help(command: click.Command) -> Iterator[str]:
    for part in inspect.cleandoc(command.help or "").split("\n\n"):
        if part.startswith(_PREFORMATTED):
            yield from roff.verbatim(part.removeprefix(_PREFORMATTED).strip("\n").split("\n"))
        else:
            yield from roff.paragraph(part)


def _options(command: click.Command, context: click.Context, without: frozenset[str]) -> Iterator[str]:
    for param in command.get_params(context):
        if isinstance(param, click.Option) and not param.hidden and not without & {*param.opts}:
            names = ", ".join(f"`{name}`" for name in (*param.opts, *param.secondary_opts))
            yield from roff.entry(f"{names} {_value(param)}".rstrip(), " ".join(_said(param)))


def _said(option: click.Option) -> Iterator[str]:
    """Yield sentences about an option."""
    if option.help:
        yield option.help
    if option.required:
        yield "Required."
    if option.multiple and "repeatable" not in (option.help or ""):
        yield "May be given several times."
    if option.show_default and option.default is not None and not option.is_flag:
        yield f"Default: {option.default}."


def _usage(option: click.Option) -> str:
    name = f"`{option.opts[0]}`"
    word = f"{name}{roff.NO_BREAK}{_value(option)}".rstrip(roff.NO_BREAK)
    many = "..." if option.multiple or option.count else ""
    return f"{word}{many}" if option.required else f"[{word}]{many}"


def _value(param: click.Parameter) -> str:
    """Return what stands for a parameter's value; nothing for a flag."""
    if isinstance(param, click.Option) and (param.is_flag or param.count):
        return ""
    if param.metavar:
        return param.metavar
    if isinstance(param.type, click.Choice):
        return "|".join(map(str, param.type.choices))
    if isinstance(param.type, click.IntRange):
        return "NUMBER"
    return (param.name or "").upper()


def _reports() -> Iterator[list[str]]:
    """Describe what programs read."""
    yield roff.section("Reports as JSON")
    yield roff.paragraphs(manual_reports.INTRODUCTION)
    for what, fields in manual_reports.OBJECTS:
        yield roff.paragraph(what)
        yield roff.aligned((f"`{name}`", f"({kind}) {meaning}") for name, kind, meaning in fields)
    words, lines = manual_reports.EXAMPLE
    yield roff.paragraph(words)
    yield roff.verbatim(lines)


def _exit_codes() -> dict[int, str]:
    """Return what each exit code means: that of our errors, and what the page says better or besides."""
    ours = {error.exit_code: error.__doc__ or "" for error in errors.OxpushctlError.__subclasses__()}
    return dict(sorted((ours | manual_words.EXIT_CODES).items()))
