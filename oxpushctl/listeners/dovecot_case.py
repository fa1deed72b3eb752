"""What the rules about Dovecot's configuration look at, and how they say what they find."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING

from oxpushctl.config.check import has_error
from oxpushctl.config.finding import Finding, Reach, Severity
from oxpushctl.config.properties import PASSCRYPT, REGISTRATION
from oxpushctl.config.settings import Origin, Settings
from oxpushctl.listeners.dovecot_config import DovecotConfig, IpAddress
from oxpushctl.registration import SIGNED

if TYPE_CHECKING:
    from oxpushctl.config.reading import Configuration

# Who delivers mail: an MTA over LMTP, or by starting dovecot-lda.
DELIVERING = ("lmtp", "lda")

_NEW_LINE = " ⏎ "


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
        return "write: " + _NEW_LINE.join(new if new and self.dovecot.has_new_syntax else old)

    def found(
        self, severity: Severity, code: str, key: str, message: str, hint: str = "", origin: Origin | None = None
    ) -> Finding:
        """Return a finding about a setting of Dovecot's; without a place of its own it is about the whole file.

        It is the users of that Dovecot who suffer: the engine starts all the same.
        """
        return Finding(severity, Reach.USER, code, message, hint, key=key).at(origin or self.dovecot.origin)


Rule = Callable[[Case], Iterable[Finding]]
