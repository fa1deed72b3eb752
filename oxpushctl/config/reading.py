"""Read the configuration: everything that an operator said, and what is wrong with it."""

from __future__ import annotations

from collections.abc import Mapping, Sequence, Set
from dataclasses import dataclass, field
from pathlib import Path

from oxpushctl.config import context_sets, source, state, table
from oxpushctl.config.clients import selection
from oxpushctl.config.clients.packaged import read_packaged
from oxpushctl.config.clients.reader import read_options
from oxpushctl.config.configuration import Configuration
from oxpushctl.config.entry import Entry
from oxpushctl.config.finding import Finding
from oxpushctl.config.own import ENDPOINTS, PROXY
from oxpushctl.config.resolve import resolve
from oxpushctl.config.rules import every
from oxpushctl.config.settings import Settings
from oxpushctl.errors import MissingFile


def read(etc: Path, *, environ: Mapping[str, str], overrides: Sequence[str]) -> Configuration:
    """Read a folder, the environment and ``-o`` options.

    What is wrong with their content becomes findings; ``MissingFile`` is raised when the folder itself cannot be read,
    ``BadUsage`` for an override that cannot be meant.
    """
    sources, in_files = _read_sources(etc, environ, overrides)
    options = read_options(etc)
    settings, in_values = sources.settings(options.ids)
    packaged = read_packaged(etc, settings)
    if not packaged.ids <= options.ids:
        settings, in_values = sources.settings(options.ids | packaged.ids)
    of_files, told = selection.of_mail(options, settings)
    clients, contradictions = selection.select((*packaged.clients, *of_files), settings)
    in_options = selection.harmless(told, packaged.clients)
    configuration = Configuration(
        etc=etc,
        state=state.state_folder(environ),
        settings=settings,
        clients=clients,
        facade_clients=frozenset(options.facade_clients),
        findings=(*in_files, *in_options, *packaged.findings, *in_values, *contradictions, *context_sets.told(etc)),
    )
    return configuration.with_findings(every.found(configuration))


@dataclass(frozen=True, slots=True)
class _Sources:
    """Everything that was said, wherever: ``entries`` of the files, the environment, and the layers around that."""

    etc: Path
    environ: Mapping[str, str] = field(repr=False)
    entries: list[Entry]
    credentials: list[Entry]
    overrides: list[Entry]

    def settings(self, ids: Set[str]) -> tuple[Settings, list[Finding]]:
        """Resolve all sources; which clients there are tells what a variable of the environment can mean."""
        written = [entry.key for entry in self.entries if table.find(entry.key) is not None]
        from_environment, told = source.read_environment(self.environ, ids, written)
        layers = (self.credentials, from_environment, self.overrides)
        settings, resolved = resolve(self.etc, self.entries, layers)
        proxy = source.read_proxy(self.environ, [settings[endpoint] for endpoint in ENDPOINTS])
        if proxy and not settings.is_set(PROXY):
            settings, resolved = resolve(self.etc, self.entries, (proxy, *layers))
        return settings, [*told, *resolved]


def _read_sources(etc: Path, environ: Mapping[str, str], overrides: Sequence[str]) -> tuple[_Sources, list[Finding]]:
    try:
        entries, findings = source.read_folder(etc)
    except MissingFile as error:
        hint = (
            "--etc names another folder, `oxpushctl config sample DIR` writes a first one, `oxpushctl demo` needs none"
        )
        raise MissingFile(f"{etc}: the configuration folder {error} ({hint})") from error
    sources = _Sources(etc, environ, entries, source.read_credentials(environ), source.read_overrides(overrides))
    return sources, findings
