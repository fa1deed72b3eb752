"""Read the configuration: everything that an operator said, and what is wrong with it."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence, Set
from dataclasses import dataclass, field, replace
from pathlib import Path

from oxpushctl.config import context_sets, rules, selection, source, state, table
from oxpushctl.config.entry import Entry
from oxpushctl.config.finding import Finding, Reach, Severity
from oxpushctl.config.options import ClientOptions
from oxpushctl.config.options_reader import read_options
from oxpushctl.config.packaged import read_packaged
from oxpushctl.config.properties import ADMIN_LISTEN, DATABASE_URL, ENDPOINTS, PROXY
from oxpushctl.config.resolve import resolve
from oxpushctl.config.settings import Settings
from oxpushctl.errors import MissingFile


@dataclass(frozen=True, slots=True)
class Configuration:
    """One reading of the configuration.

    ``state`` is the state folder, made by ``state.made`` at first use. ``clients`` are all whose options could be
    read; ``facade_clients`` those that the mobile API facade serves besides its own.
    """

    etc: Path
    state: Path
    settings: Settings
    clients: tuple[ClientOptions, ...]
    facade_clients: frozenset[str]
    findings: tuple[Finding, ...]

    @property
    def engine_errors(self) -> tuple[Finding, ...]:
        """The errors with which nothing starts."""
        return tuple(
            finding for finding in self.findings if finding.severity is Severity.ERROR and finding.reach is Reach.ENGINE
        )

    @property
    def client_errors(self) -> tuple[Finding, ...]:
        """The errors that put clients out of service, or a whole file of them."""
        return tuple(
            finding for finding in self.findings if finding.severity is Severity.ERROR and finding.reach is Reach.CLIENT
        )

    @property
    def usable_clients(self) -> tuple[ClientOptions, ...]:
        """The clients that are enabled and have no error."""
        lost = self._lost
        return tuple(client for client in self.clients if client.is_enabled and not _named(client) & lost)

    @property
    def admin_listen(self) -> tuple[str, ...]:
        """Where the commands find the engine, the default filled in."""
        return self.settings[ADMIN_LISTEN] or (f"unix:{self.state / 'admin.sock'}",)

    @property
    def database_url(self) -> str:
        """Where devices and users are kept, the default filled in."""
        return self.settings[DATABASE_URL] or f"sqlite:///{self.state / 'oxpushctl.db'}"

    @property
    def _lost(self) -> set[tuple[str, str]]:
        """Clients and transports with an error; no transport stands for all of them."""
        return {(finding.client, finding.transport) for finding in self.client_errors}

    def has_error(self, client: ClientOptions) -> bool:
        """Tell whether an error puts a client out of service."""
        return bool(_named(client) & self._lost)

    def with_findings(self, more: Iterable[Finding]) -> Configuration:
        """Return this configuration with further findings."""
        return replace(self, findings=(*self.findings, *more))


def _named(client: ClientOptions) -> set[tuple[str, str]]:
    return {(client.client, ""), (client.client, selection.transport_of(client))}


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
    clients, contradictions = selection.select((*packaged.clients, *options.clients), settings)
    in_options = selection.harmless(options.findings, packaged.clients)
    configuration = Configuration(
        etc=etc,
        state=state.state_folder(environ),
        settings=settings,
        clients=clients,
        facade_clients=frozenset(options.facade_clients),
        findings=(*in_files, *in_options, *packaged.findings, *in_values, *contradictions, *context_sets.told(etc)),
    )
    return configuration.with_findings(rules.found(configuration))


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
