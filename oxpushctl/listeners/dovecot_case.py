"""What the rules about Dovecot's configuration look at, and how they say what they find."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass

from oxpushctl.config.check import has_error
from oxpushctl.config.configuration import Configuration
from oxpushctl.config.finding import Finding, Reach, Severity
from oxpushctl.config.listening import DOVEADM_ENABLED, DOVEADM_ENDPOINTS, DOVEADM_SECRET, PREFER_DOVEADM
from oxpushctl.config.mailboxes import is_doveadm_first
from oxpushctl.config.own import REGISTRATION
from oxpushctl.config.properties import PASSCRYPT
from oxpushctl.config.settings import Origin, Settings
from oxpushctl.listeners.dovecot_config import DovecotConfig, IpAddress
from oxpushctl.registration import SIGNED

# Who delivers mail: an MTA over LMTP, or by starting dovecot-lda.
DELIVERING = ("lmtp", "lda")

# How root writes down what Dovecot takes, into a file that nobody else reads.
DOVECONF_BY_HAND = "as root: (umask 077; doveconf -nP > FILE), then --dovecot-config FILE"

_NEW_LINE = " ⏎ "
_NEW_LINE_EXPLAINED = " (⏎: a new line)"


@dataclass(frozen=True, slots=True)
class Case:
    """A Dovecot's configuration beside ours.

    ``own_addresses`` are those that Dovecot may see our log-ins from; empty where nobody logs in, or that cannot be
    told.
    """

    configuration: Configuration
    dovecot: DovecotConfig
    own_addresses: tuple[IpAddress, ...] = ()

    @property
    def settings(self) -> Settings:
        """What our configuration says."""
        return self.configuration.settings

    @property
    def is_signed(self) -> bool:
        """Whether only registrations are believed that carry our signature."""
        return self.settings[REGISTRATION] == SIGNED and bool(self.settings[PASSCRYPT])

    @property
    def is_registration_known(self) -> bool:
        """Whether our own settings about registrations could be read."""
        return not has_error(self.configuration, REGISTRATION, PASSCRYPT)

    def worded(self, old: str, new: str) -> str:
        """Return the words for 2.3, or those for 2.4."""
        return new if self.dovecot.has_new_syntax else old

    def hint(self, old: Sequence[str], new: Sequence[str] = ()) -> str:
        """Say which lines to write into Dovecot's configuration: those for 2.3, or for 2.4 where they differ."""
        lines = new if new and self.dovecot.has_new_syntax else old
        return f"write{_NEW_LINE_EXPLAINED if len(lines) > 1 else ''}: {_NEW_LINE.join(lines)}"

    def found(
        self, severity: Severity, code: str, key: str, message: str, hint: str = "", origin: Origin | None = None
    ) -> Finding:
        """Return a finding about a setting of Dovecot's; without a place of its own it is about the whole file.

        It is the users of that Dovecot who suffer: the engine starts all the same.
        """
        return Finding(severity, Reach.USER, code, message, hint, key=key).at(origin or self.dovecot.origin)


Rule = Callable[[Case], Iterable[Finding]]


def registers_over_imap(configuration: Configuration) -> bool:
    """Tell whether users are registered over IMAP rather than doveadm; not where errors leave that open."""
    rows = (PREFER_DOVEADM, DOVEADM_ENABLED, DOVEADM_SECRET, DOVEADM_ENDPOINTS)
    return not is_doveadm_first(configuration.settings) and not has_error(configuration, *rows)
