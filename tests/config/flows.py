"""Evaluate the decision flow of a configuration that is written for one test."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path

from oxpushctl.config.configuration import Configuration
from oxpushctl.config.finding import Finding, Reach, Severity
from oxpushctl.config.flow import drawing
from oxpushctl.config.flow.flow import Flow, evaluate
from oxpushctl.config.flow.registration import Target
from oxpushctl.config.flow.step import Step
from oxpushctl.model import PushUser
from tests.config import folders

PUSH = "com.openexchange.push."
MAIL = "com.openexchange.mail."
DOVEADM = "com.openexchange.dovecot.doveadm."
SERVER = {f"{MAIL}mailServer": "imaps://mail.example.com"}
MASTER = {f"{MAIL}passwordSource": "global", f"{MAIL}masterPassword": "sesame-1"}
KEPT = {f"{PUSH}credstorage.enabled": "true", f"{PUSH}credstorage.passcrypt": "sesame-2"}
API = {
    f"{DOVEADM}enabled": "true",
    f"{DOVEADM}apiSecret": "sesame-3",
    f"{DOVEADM}endpoints": "http://d:8080/doveadm",
}
NO_DOVECOT = {f"{PUSH}dovecot.enabled": "false"}
IDLE = {f"{PUSH}imapidle.enabled": "true", f"{PUSH}imapidle.supportsPermanentListeners": "true"}
NOTIFY = {f"{PUSH}mail.notify.enabled": "true"}
TOKENS = {f"{MAIL}authType": "xoauth2"}
APNS = {"pns-apns-options.yml": f"{folders.CLIENT}:\n  keystore: none.p12\n  password: x\n"}
USER = PushUser(1, 3)


def flow_of(folder: Path, values: Mapping[str, str], target: Target | None = None) -> Flow:
    lines = [f"{key}={value}\n" for key, value in values.items()]
    return evaluate(folders.read(folder, {"any.properties": "".join(lines), **APNS}), target)


def steps_of(flow: Flow) -> dict[str, Step]:
    """Return all steps by their names."""
    found: dict[str, Step] = {}

    def collect(steps: tuple[Step, ...]) -> None:
        for step in steps:
            found[step.name] = step
            collect(step.steps)

    collect(flow.steps)
    return found


def outcome_of(flow: Flow) -> str | None:
    """Return the implementation that serves, or the step that stops it."""
    return flow.implementation or (flow.stop.name if flow.stop else None)


def checked(folder: Path, values: Mapping[str, str], *codes: str) -> Configuration:
    """Return a configuration with findings about Dovecot, as a check of the world adds them."""
    lines = [f"{key}={value}\n" for key, value in values.items()]
    configuration = folders.read(folder, {"any.properties": "".join(lines), **APNS})
    return configuration.with_findings(Finding(Severity.ERROR, Reach.USER, code, "was found") for code in codes)


def on_one_line(flow: Flow) -> str:
    """Return the drawing without its breaks."""
    return " ".join(drawing.drawn(flow).replace("│", "").split())
