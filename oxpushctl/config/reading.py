"""Read the configuration: everything that an operator said, and what is wrong with it."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path

from oxpushctl.config import rules, selection, source, state, table
from oxpushctl.config.finding import Finding, Reach, Severity
from oxpushctl.config.options import ClientOptions
from oxpushctl.config.options_reader import read_options
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
        return tuple(client for client in self.clients if client.is_enabled and not self.has_error(client))

    @property
    def admin_listen(self) -> tuple[str, ...]:
        """Where the commands find the engine, the default filled in."""
        return self.settings[ADMIN_LISTEN] or (f"unix:{self.state / 'admin.sock'}",)

    @property
    def database_url(self) -> str:
        """Where devices and users are kept, the default filled in."""
        return self.settings[DATABASE_URL] or f"sqlite:///{self.state / 'oxpushctl.db'}"

    def has_error(self, client: ClientOptions) -> bool:
        """Tell whether an error puts a client out of service."""
        transport = selection.transport_of(client)
        return any(
            finding.client == client.client and finding.transport in ("", transport) for finding in self.client_errors
        )

    def with_findings(self, more: Iterable[Finding]) -> Configuration:
        """Return this configuration with further findings."""
        return replace(self, findings=(*self.findings, *more))


def read(etc: Path, *, environ: Mapping[str, str], overrides: Sequence[str]) -> Configuration:
    """Read a folder, the environment and ``-o`` options.

    What is wrong with their content becomes findings; ``MissingFile`` is raised when the folder itself cannot be read,
    ``BadUsage`` for an override that cannot be meant.
    """
    try:
        entries, findings = source.read_folder(etc)
    except MissingFile as error:
        hint = "--etc names another folder, `oxpushctl demo` needs none"
        raise MissingFile(f"{etc}: the configuration folder {error} ({hint})") from error
    options = read_options(etc)
    ids = {client.client for client in options.clients}
    written = [entry.key for entry in entries if table.find(entry.key) is not None]
    from_environment, told = source.read_environment(environ, ids, written)
    layers = (source.read_credentials(environ), from_environment, source.read_overrides(overrides))
    settings, resolved = resolve(etc, entries, layers)
    if not settings.is_set(PROXY):
        proxy = source.read_proxy(environ, [settings[endpoint] for endpoint in ENDPOINTS])
        settings, resolved = resolve(etc, entries, (proxy, *layers))
    clients, contradictions = selection.select(options.clients, settings)
    configuration = Configuration(
        etc=etc,
        state=state.state_folder(environ),
        settings=settings,
        clients=clients,
        facade_clients=frozenset(options.facade_clients),
        findings=(*findings, *options.findings, *told, *resolved, *contradictions),
    )
    return configuration.with_findings(rules.found(configuration))
