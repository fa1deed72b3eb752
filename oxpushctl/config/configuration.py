"""What an operator said, as one reading of the configuration left it, with everything that is wrong with it."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass, replace
from pathlib import Path

from oxpushctl.config.clients.options import ClientOptions, transport_of
from oxpushctl.config.finding import Finding, Reach, Severity
from oxpushctl.config.own import ADMIN_LISTEN, DATABASE_URL, OUTBOX_PATH
from oxpushctl.config.settings import Settings


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
    def outbox_path(self) -> Path:
        """The file of a durable outbox, the default filled in."""
        given = self.settings[OUTBOX_PATH]
        return self.etc / given if given else self.state / "outbox.db"

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
    return {(client.client, ""), (client.client, transport_of(client))}
