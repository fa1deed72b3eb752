"""The push notification drivers that a Dovecot runs, and whom they call.

::

    2.3   plugin {
            push_notification_driver = ox:url=http://LOGIN:PASSWORD@HOST:PORT/PATH user_from_metadata
            push_notification_driver2 = dlog
          }
    2.4   push_notification ox {
            ox_url = http://LOGIN:PASSWORD@HOST:PORT/PATH
            ox_user_from_metadata = yes
          }

Source: Dovecot's src/plugins/push-notification, the files push-notification-plugin.c, -driver-ox.c and -settings.c.
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from dataclasses import dataclass, field
from urllib.parse import unquote, urlsplit

from oxpushctl.config.settings import Origin
from oxpushctl.listeners.dovecot_config import DovecotConfig, Entry, Scope
from oxpushctl.listeners.dovecot_syntax import HIDDEN

_OLD_NAMES = ("push_notification_driver", "push_notification_backend")
# http://login:pass/word@host: to a URL's readers the host is login.
_AT_BEHIND_HOST = re.compile(r"://[^/?#]*[/?#].*@", re.DOTALL)
# In a plugin's setting a % begins a variable of 2.3, so that one of a URL is doubled.
_LONE_PERCENT = re.compile(r"(?<!%)(?:%%)*%[0-9A-Fa-f]{2}")


@dataclass(frozen=True, slots=True)
class Target:
    """What a driver's URL comes to; ``user_pass`` is ``None`` where it has none, or doveconf hid it."""

    scheme: str
    host: str
    port: int
    path: str
    user_pass: tuple[str, str] | None = field(repr=False)
    is_hidden: bool = False

    def __str__(self) -> str:
        host = f"[{self.host}]" if ":" in self.host else self.host
        return f"{self.scheme}://{host}:{self.port}{self.path}"


@dataclass(frozen=True, slots=True)
class Driver:
    """One driver; ``name`` is how it is written, ``kind`` what it is. An ignored one stands behind a gap."""

    name: str
    kind: str
    origin: Origin
    url: str | None = field(default=None, repr=False)
    is_user_from_metadata: bool = False
    is_ignored: bool = False
    has_lone_percent: bool = False

    @property
    def is_ox(self) -> bool:
        """Whether it speaks what the notify endpoint understands."""
        return self.kind == "ox"

    @property
    def target(self) -> Target | None:
        """Whom it calls, ``None`` if that is no URL, or cannot be told."""
        return None if self.has_broken_login else _target(self.url or "")

    @property
    def has_broken_login(self) -> bool:
        """Whether a /, ? or # ends the login or password: what reads as host and path may be part of them."""
        return _AT_BEHIND_HOST.search(self.url or "") is not None


def drivers(config: DovecotConfig, protocol: str) -> list[Driver]:
    """Return the drivers that run when a protocol delivers mail, in their order, the ignored ones last."""
    matching = config.matching(Scope(protocol))
    return list(_new_drivers(matching) if config.has_new_syntax else _old_drivers(matching))


def _old_drivers(matching: list[Entry]) -> Iterator[Driver]:
    last = {entry.key: entry for entry in matching if entry.key and _is_plugin_setting(entry)}
    # An empty value takes back what holds for everybody.
    settings = {name: entry for name, entry in last.items() if entry.value}
    # The older name counts only where nothing has the newer one.
    base = next((name for name in _OLD_NAMES if name in settings), _OLD_NAMES[0])
    number = 1
    name = base
    while name in settings:
        yield _old_driver(settings.pop(name))
        number += 1
        name = f"{base}{number}"
    for name, entry in settings.items():
        if re.fullmatch(rf"{base}\d*", name):
            yield _old_driver(entry, is_ignored=True)


def _is_plugin_setting(entry: Entry) -> bool:
    return len(entry.sections) == 1 and entry.sections[0].kind == "plugin"


def _old_driver(entry: Entry, *, is_ignored: bool = False) -> Driver:
    kind, _, options = entry.value.partition(":")
    given = dict(option.partition("=")[::2] for option in options.split())
    url = given.get("url")
    return Driver(
        entry.key,
        kind.strip(),
        entry.origin,
        None if url is None else url.replace("%%", "%"),
        "user_from_metadata" in given,  # a flag: whatever its value
        is_ignored,
        url is not None and _LONE_PERCENT.search(url) is not None,
    )


def _new_drivers(matching: list[Entry]) -> Iterator[Driver]:
    own: dict[str, list[Entry]] = {}
    shared: list[Entry] = []
    for entry in matching:
        is_own = entry.sections[:1] and entry.sections[0].kind == "push_notification"
        (own.setdefault(entry.sections[0].name, []) if is_own else shared).append(entry)
    for name, entries in own.items():

        def last(key: str, entries: list[Entry] = entries) -> Entry | None:
            within = [entry for entry in entries if entry.key and (entry.key == key or entry.is_called(key))]
            found = within or [entry for entry in shared if entry.is_called(key)]
            return found[-1] if found else None

        kind = last("push_notification_driver")
        url = last("push_notification_ox_url")
        flag = last("push_notification_ox_user_from_metadata")
        yield Driver(
            f"push_notification {name}",
            kind.value if kind else name,
            (url or entries[0]).origin,
            # Only %{ begins a variable of 2.4, and %%{ stands for itself.
            url.value.replace("%%{", "%{") if url and url.value else None,
            flag is not None and flag.is_yes,
        )


def _target(url: str) -> Target | None:
    try:
        parts = urlsplit(url)
        port = parts.port or {"http": 80, "https": 443}[parts.scheme]
    except (ValueError, KeyError):
        return None
    if not parts.hostname:
        return None
    is_hidden = HIDDEN in parts.netloc
    user_pass = None
    if not is_hidden and parts.username is not None:
        user_pass = (unquote(parts.username), unquote(parts.password or ""))
    return Target(parts.scheme, parts.hostname, port, parts.path or "/", user_pass, is_hidden)
