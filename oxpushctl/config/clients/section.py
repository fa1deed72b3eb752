"""One client's section of an options file while it is read: values by kind, and findings with their place.

A YAML file has one for each client, a ``*.properties`` of a package is one for each transport.
"""

from __future__ import annotations

import difflib
import re
from collections.abc import Collection
from dataclasses import dataclass, field
from pathlib import Path
from typing import TypeVar

from oxpushctl.config.clients.options import ApnsOptions, FcmOptions, Written
from oxpushctl.config.clients.yaml_file import Option, Section
from oxpushctl.config.files import absence
from oxpushctl.config.finding import Finding, Reach, Severity
from oxpushctl.config.property import Kind
from oxpushctl.config.settings import Origin
from oxpushctl.config.text import shortened

T = TypeVar("T")

NO_LEGACY_KEY = "legacy FCM server keys are void: Google switched their protocol off in 2024"
# Names of Kubernetes secrets, and the option that takes their place.
_KUBERNETES = {"keystoreId": "keystore", "privatekeyId": "privatekey"}
_TRUE = frozenset({"true", "yes", "on"})
_FALSE = frozenset({"false", "no", "off"})


def _yaml_boolean(text: str) -> bool:
    lowered = text.lower()
    if lowered not in _TRUE | _FALSE:
        raise ValueError
    return lowered in _TRUE


def _apple_id(text: str) -> str | None:
    if re.fullmatch("[A-Za-z0-9]{10}", text) is None:
        raise ValueError
    return text


APPLE_ID: Kind[str | None] = Kind("id", "an id of Apple's: ten letters and digits", _apple_id)
YAML_BOOLEAN: Kind[bool] = Kind("boolean", "true or false", _yaml_boolean)


@dataclass(frozen=True, slots=True)
class OptionsSection:
    """The options of ``client`` on ``transport`` (``apn``, ``gcm`` or neither); what is wrong goes to ``findings``.

    ``folder`` is what files named in it are relative to, ``boolean`` how true and false are written.
    """

    folder: Path
    file: str
    section: Section
    client: str
    transport: str
    findings: list[Finding] = field(default_factory=list)
    boolean: Kind[bool] = YAML_BOOLEAN

    @property
    def origin(self) -> Origin:
        """Where the section begins."""
        return Origin(self.file, self.section.line, self.section.column)

    @property
    def written(self) -> dict[str, Written]:
        """The options that are set, as the file writes them."""
        return {
            option.name: Written(option.written, Origin(self.file, option.line, option.column))
            for option in self.section.options
            if option.text
        }

    def tell(self, severity: Severity, code: str, message: str, hint: str = "", option: Option | None = None) -> None:
        """Keep a finding about the client, or about one of its options."""
        place: Option | Section = option or self.section
        self.findings.append(
            Finding(
                severity,
                Reach.CLIENT,
                code,
                message,
                hint,
                file=self.file,
                line=place.line,
                column=place.column,
                key=f"{self.section.name}.{option.written}" if option else self.section.name,
                client=self.client,
                transport=self.transport,
            )
        )

    def option(self, name: str) -> Option | None:
        """Return an option that has a text."""
        return next((option for option in self.section.options if option.name == name and option.text), None)

    def text(self, name: str) -> str | None:
        """Return an option's text as it was written."""
        option = self.option(name)
        return option.text if option else None

    def value(self, name: str, kind: Kind[T], default: T) -> T:
        """Return an option's value, or the default when it is not set or not of its kind."""
        option = next((option for option in self.section.options if option.name == name), None)
        if option is None:
            return default
        if not option.text:
            self.tell(Severity.WARNING, "OXP215", "has no value", "write one, or remove the line", option)
            return default
        try:
            return kind.parse(option.text)
        except ValueError:
            self.tell(Severity.ERROR, "OXP204", f"'{shortened(option.text)}' is not {kind.wanted}", option=option)
            return default

    def path(self, name: str, *, must_exist: bool) -> Path | None:
        """Return the file that an option names."""
        option = self.option(name)
        if option is None or option.text is None:
            return None
        path = self.folder / option.text
        if must_exist and (gone := absence(path)):
            self.tell(Severity.ERROR, "OXP301", gone.reason, gone.hint, option)
        return path

    def apns(
        self,
        authtype: str,
        switch: str,
        *,
        is_enabled: bool = True,
        must_exist: bool = True,
        topic: str | None = None,
        is_packaged: bool = False,
    ) -> ApnsOptions:
        """Return the options of an iPhone client; ``topic`` is what goes for one that is not set.

        ``must_exist`` wants the file to be there that the authtype needs.
        """
        return ApnsOptions(
            client=self.client,
            origin=self.origin,
            authtype=authtype,
            topic=self.text("topic") or topic,
            keystore=self.path("keystore", must_exist=must_exist and authtype == "certificate"),
            password=self.text("password"),
            privatekey=self.path("privatekey", must_exist=must_exist and authtype == "jwt"),
            keyid=self.value("keyid", APPLE_ID, None) if is_enabled else self.text("keyid"),
            teamid=self.value("teamid", APPLE_ID, None) if is_enabled else self.text("teamid"),
            is_production=self.value("production", self.boolean, True),
            is_enabled=is_enabled,
            switch=switch,
            is_packaged=is_packaged,
            written=self.written,
        )

    def fcm(self, *, is_enabled: bool = True, is_packaged: bool = False) -> FcmOptions:
        """Return the options of an Android client."""
        return FcmOptions(
            client=self.client,
            origin=self.origin,
            key_path=self.path("keyPath", must_exist=is_enabled),
            is_enabled=is_enabled,
            is_packaged=is_packaged,
            written=self.written,
        )

    def require(self, *names: str, why: str) -> None:
        """Tell which of the options are not set, nor meant by a name that nobody knows."""
        meanings = {meant(option.name, names) for option in self.section.options if option.name not in names}
        missing = [name for name in names if self.option(name) is None and name not in meanings]
        if missing:
            self.tell(Severity.ERROR, "OXP205", f"{' and '.join(missing)} must be set {why}")

    def check_names(self, known: Collection[str]) -> None:
        """Tell which options nobody reads."""
        for option in self.section.options:
            if option.name in known:
                continue
            if option.name in _KUBERNETES:
                hint = f"put the secret into a file and name that with {_KUBERNETES[option.name]}"
                self.tell(Severity.ERROR, "OXP208", "secrets are not taken from Kubernetes", hint, option)
                continue
            close = meant(option.name, known)
            hint = f"did you mean {close}?" if close else f"known are {', '.join(sorted(known))}"
            self.tell(Severity.ERROR, "OXP203", "is not an option", hint, option)


def meant(name: str, known: Collection[str]) -> str:
    """Return the option that a wrong name was probably meant to be, or nothing."""
    if name in _KUBERNETES:
        return _KUBERNETES[name]
    return next(iter(difflib.get_close_matches(name, known, n=1)), "")
