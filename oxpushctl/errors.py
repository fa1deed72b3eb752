"""Every error that is raised on purpose, each with the exit code that a command ends with.

::

    OxpushctlError              1   a bug when it reaches the top undressed
    ├── BadUsage                2   a command line that cannot be meant
    ├── BadData                65   input that cannot be used: a line of an import, a token, a date
    │   └── Undecipherable     65   a kept password that the passphrase does not open, or that is damaged
    ├── MissingFile            66   no such file or folder
    ├── UnknownEntry           67   no such user, token or registration
    ├── NotReachable           69   engine, database or server does not answer
    │   └── Unsupported        69   the mail server does not offer what is needed
    ├── TryLater               75   what failed may work in a while
    │   ├── NotKept            75   an event could not be put into the outbox
    │   └── OverLimit          75   one more would be more than a limit of ours allows
    ├── NotPermitted           77   the credentials given are refused
    └── ConfigurationError     78   nothing can start with this configuration

Exit codes are those of sysexits(3).
"""


class OxpushctlError(Exception):
    """An expected failure: its text is meant for an operator and holds no secret."""

    exit_code = 1


class BadUsage(OxpushctlError):
    """A command line that cannot be meant."""

    exit_code = 2


class BadData(OxpushctlError):
    """Input data that cannot be used."""

    exit_code = 65


class Undecipherable(BadData):
    """A kept password that the passphrase does not open, or that is damaged: never taken for a password."""


class MissingFile(OxpushctlError):
    """A file or folder that was named does not exist or cannot be read."""

    exit_code = 66


class UnknownEntry(OxpushctlError):
    """A user, token or registration that is not there."""

    exit_code = 67


class NotReachable(OxpushctlError):
    """The engine, a database or another server does not answer."""

    exit_code = 69


class Unsupported(NotReachable):
    """The mail server does not offer what is needed: asking again changes nothing until it is changed itself."""


class TryLater(OxpushctlError):
    """What failed may work in a while."""

    exit_code = 75


class NotKept(TryLater):
    """An event could not be put into the outbox, so it must not be acknowledged as kept."""


class OverLimit(TryLater):
    """One more would be more than a limit of ours allows; there may be room in a while."""


class NotPermitted(OxpushctlError):
    """The credentials that were given are refused."""

    exit_code = 77


class ConfigurationError(OxpushctlError):
    """Nothing can start with this configuration."""

    exit_code = 78
