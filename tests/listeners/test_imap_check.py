"""What config check says about the mail server, from its answers."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest

from oxpushctl.config.check import Mailbox, Wishes
from oxpushctl.config.codes import CATALOGUE
from oxpushctl.config.configuration import Configuration
from oxpushctl.config.finding import Finding, Severity
from oxpushctl.listeners.imap_check import check_mail_server
from tests.config import folders
from tests.listeners.scripted import scripted
from tests.peers.certificates import Authority
from tests.peers.dovecot import PASSWORD, Dovecot, LogIns
from tests.peers.ports import free_port

ANTON = Mailbox("anton", PASSWORD)
DOVEADM = """\
com.openexchange.push.dovecot.preferDoveadmForMetadata=true
com.openexchange.dovecot.doveadm.enabled=true
com.openexchange.dovecot.doveadm.apiSecret=key
com.openexchange.dovecot.doveadm.endpoints=http://127.0.0.1:8080/doveadm/v1
"""
GLOBAL = "com.openexchange.mail.passwordSource=global\ncom.openexchange.mail.masterPassword=sesame\n"


@pytest.fixture(scope="module")
def dovecot(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Dovecot]:
    certificate = Authority(tmp_path_factory.mktemp("authority")).server()
    with Dovecot(log_ins=LogIns(certificate=certificate, master=("push", "sesame"))) as running:
        yield running


@pytest.fixture(scope="module")
def bare_dovecot() -> Iterator[Dovecot]:
    """One whose mailboxes have no METADATA."""
    with Dovecot(log_ins=LogIns(has_metadata=False)) as running:
        yield running


def configured(etc: Path, server: object, more: str = "") -> Configuration:
    return folders.read(etc, {"mail.properties": f"com.openexchange.mail.mailServer={server}\n{more}"})


async def found(configuration: Configuration, mailbox: Mailbox | None = None) -> list[Finding]:
    """Return what the check says: known codes at the line of the server, at most warnings."""
    findings = await check_mail_server(configuration, Wishes(mailbox=mailbox))
    for finding in findings:
        assert finding.code in CATALOGUE
        assert (finding.key, finding.severity is Severity.ERROR) == ("com.openexchange.mail.mailServer", False)
        assert "sesame" not in repr(finding)
    return findings


async def test_server_that_answers(tmp_path: Path, dovecot: Dovecot) -> None:
    """Nothing is said of a mail server as it has to be."""
    assert await found(configured(tmp_path, f"127.0.0.1:{dovecot.imap_port}")) == []


async def test_no_mail_server(tmp_path: Path) -> None:
    """That none is set is told by others, unless somebody is to be logged in."""
    configuration = folders.read(tmp_path)
    assert await found(configuration) == []
    (finding,) = await found(configuration, ANTON)
    assert (finding.code, finding.message) == ("OXP714", "is not set: nobody is logged in")


async def test_offline(tmp_path: Path) -> None:
    """Nobody is asked."""
    async with scripted() as (port, heard):
        assert await check_mail_server(configured(tmp_path, f"127.0.0.1:{port}"), Wishes(is_offline=True)) == []
    assert heard == []


async def test_server_with_an_error(tmp_path: Path) -> None:
    """What is no address was told, and leads nowhere."""
    assert await found(configured(tmp_path, "pop3://mail.example.com")) == []


async def test_nobody_listens(tmp_path: Path) -> None:
    """A warning at the line where the server is set."""
    (finding,) = await found(configured(tmp_path, f"127.0.0.1:{(port := free_port())}"))
    assert (finding.code, finding.severity, finding.file, finding.line) == (
        "OXP711",
        Severity.WARNING,
        "mail.properties",
        1,
    )
    assert finding.message == f"imap://127.0.0.1:{port} refuses connections"
    assert "start the mail server" in finding.hint


async def test_certificate_that_nobody_vouches_for(tmp_path: Path, dovecot: Dovecot) -> None:
    """The way out is named: the file of the authority."""
    (finding,) = await found(configured(tmp_path, f"imaps://127.0.0.1:{dovecot.imaps_port}"), ANTON)
    assert (finding.code, "oxpushctl.tls.ca" in finding.hint) == ("OXP712", True)


async def test_another_service(tmp_path: Path) -> None:
    """Something that is no mail server is shown with what it says."""
    async with scripted("220 mail.example.com ESMTP\r\n") as (port, _):
        (finding,) = await found(configured(tmp_path, f"127.0.0.1:{port}"))
    assert (finding.code, "220 mail.example.com ESMTP" in finding.message) == ("OXP713", True)


async def test_server_that_turns_us_away(tmp_path: Path) -> None:
    """A limit is not the configuration's fault, and told all the same."""
    async with scripted("* BYE Maximum number of connections\r\n") as (port, _):
        (finding,) = await found(configured(tmp_path, f"127.0.0.1:{port}"))
    assert (finding.code, "turns us away" in finding.message) == ("OXP715", True)


async def test_user_is_let_in(tmp_path: Path, dovecot: Dovecot) -> None:
    """Who asked for a log-in is told what it led to."""
    (finding,) = await found(configured(tmp_path, f"127.0.0.1:{dovecot.imap_port}"), ANTON)
    assert (finding.code, finding.severity) == ("OXP718", Severity.INFO)
    assert finding.message == "'anton' is let in and offered METADATA and IDLE"


async def test_master_password_lets_a_user_in(tmp_path: Path, dovecot: Dovecot) -> None:
    """Without a password of its own the mailbox is opened by the master user."""
    more = f"{GLOBAL}oxpushctl.imap.masterUser=push\n"
    (finding,) = await found(configured(tmp_path, f"127.0.0.1:{dovecot.imap_port}", more), Mailbox("anton"))
    assert (finding.code, finding.message.partition(" is ")[0]) == ("OXP718", "'anton*push'")


@pytest.mark.parametrize(
    ("more", "mailbox", "hint"),
    [
        (
            "",
            Mailbox("anton", "sesame"),
            "com.openexchange.mail.loginSource is login) and the password that was given",
        ),
        (GLOBAL, Mailbox("anton"), "check com.openexchange.mail.masterPassword, and the login"),
        (GLOBAL, Mailbox("anton"), "from a master user only: name it in oxpushctl.imap.masterUser"),
        (f"{GLOBAL}oxpushctl.imap.masterUser=puhs\n", Mailbox("anton"), "masterPassword, oxpushctl.imap.masterUser, "),
    ],
)
async def test_user_is_refused(tmp_path: Path, dovecot: Dovecot, more: str, mailbox: Mailbox, hint: str) -> None:
    """What to look at depends on what opens mailboxes."""
    (finding,) = await found(configured(tmp_path, f"127.0.0.1:{dovecot.imap_port}", more), mailbox)
    assert (finding.code, finding.severity, hint in finding.hint) == ("OXP714", Severity.WARNING, True), finding
    assert "[AUTHENTICATIONFAILED]" in finding.message


async def test_master_user_that_is_refused(tmp_path: Path, dovecot: Dovecot) -> None:
    """Who named a master user is not told to name one."""
    more = f"{GLOBAL}oxpushctl.imap.masterUser=puhs\n"
    (finding,) = await found(configured(tmp_path, f"127.0.0.1:{dovecot.imap_port}", more), Mailbox("anton"))
    assert "name it in" not in finding.hint


async def test_password_that_has_expired(tmp_path: Path) -> None:
    """What the server knows better than anybody is told in the place of what is guessed."""
    answers = {"AUTHENTICATE": "+ \r\n", "": "TAG NO [EXPIRED] too old\r\n"}
    async with scripted(answers=answers) as (port, _):
        (finding,) = await found(configured(tmp_path, f"127.0.0.1:{port}"), ANTON)
    assert (finding.code, finding.hint) == ("OXP714", "the password has to be changed at the mail server")


async def test_user_without_a_password(tmp_path: Path, dovecot: Dovecot) -> None:
    """No password and no master password: nobody is asked."""
    (finding,) = await found(configured(tmp_path, f"127.0.0.1:{dovecot.imap_port}"), Mailbox("anton"))
    assert (finding.code, "no password is given" in finding.message) == ("OXP714", True)


async def test_no_metadata(tmp_path: Path, bare_dovecot: Dovecot) -> None:
    """Dovecot as the implementation needs METADATA, and the setting that switches it on is named."""
    (finding,) = await found(configured(tmp_path, f"127.0.0.1:{bare_dovecot.imap_port}"), ANTON)
    assert (finding.code, "imap_metadata = yes" in finding.hint) == ("OXP716", True)


@pytest.mark.parametrize(
    "more", ["com.openexchange.push.dovecot.enabled=false\ncom.openexchange.push.imapidle.enabled=true\n", DOVEADM]
)
async def test_no_metadata_where_nobody_needs_it(tmp_path: Path, bare_dovecot: Dovecot, more: str) -> None:
    """IDLE sessions, and registrations over doveadm, do without."""
    (finding,) = await found(configured(tmp_path, f"127.0.0.1:{bare_dovecot.imap_port}", more), ANTON)
    assert (finding.code, finding.message) == ("OXP718", "'anton' is let in and offered IDLE")


@pytest.mark.parametrize("lacking", DOVEADM.splitlines())
async def test_no_metadata_and_no_doveadm_either(tmp_path: Path, bare_dovecot: Dovecot, lacking: str) -> None:
    """A doveadm that is not fully set up registers nobody: then METADATA is needed all the same."""
    configuration = configured(tmp_path, f"127.0.0.1:{bare_dovecot.imap_port}", DOVEADM.replace(f"{lacking}\n", ""))
    (finding,) = await found(configuration, ANTON)
    assert finding.code == "OXP716"


async def test_no_idle(tmp_path: Path) -> None:
    """A server behind a proxy may lack what IDLE sessions live on."""
    more = "com.openexchange.push.dovecot.enabled=false\ncom.openexchange.push.imapidle.enabled=true\n"
    offer = {"CAPABILITY": "* CAPABILITY IMAP4rev1\r\nTAG OK done\r\n", "LOGIN": "TAG OK in\r\n"}
    async with scripted(answers=offer) as (port, _):
        (finding,) = await found(configured(tmp_path, f"127.0.0.1:{port}", more), ANTON)
    assert finding.code == "OXP717"


@pytest.mark.parametrize("is_on", [True, False])
async def test_idle_that_is_not_offered_to_strangers(tmp_path: Path, is_on: bool) -> None:
    """Users may be offered more than who is not logged in: where IDLE is wanted, it is told how to find out."""
    more = f"com.openexchange.push.imapidle.enabled={str(is_on).lower()}\n"
    answers = {"CAPABILITY": "* CAPABILITY IMAP4rev1 AUTH=PLAIN\r\nTAG OK done\r\n"}
    async with scripted(answers=answers) as (port, _):
        findings = await found(configured(tmp_path, f"127.0.0.1:{port}", more))
    assert [(each.code, each.severity) for each in findings] == ([("OXP717", Severity.INFO)] if is_on else [])
    assert all("--probe-user" in each.hint for each in findings)
