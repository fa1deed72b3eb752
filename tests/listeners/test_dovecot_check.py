"""What a check says about Dovecot's side: one fault at a time, as a file and as the installed doveconf prints it."""

from __future__ import annotations

import os
import re
from collections.abc import Mapping
from pathlib import Path

import pytest

from oxpushctl.config import render
from oxpushctl.config.check import Wishes
from oxpushctl.config.codes import CATALOGUE
from oxpushctl.config.finding import Reach
from oxpushctl.errors import MissingFile
from oxpushctl.listeners.dovecot_check import check_dovecot
from oxpushctl.listeners.dovecot_rules_delivery import NOTIFY_PATH
from oxpushctl.web import notify
from tests.listeners.dovecot_checking import as_printed, brief, checked, configuration_of, write_for_ourselves
from tests.listeners.dovecot_faults import (
    FAULTS,
    OX,
    PASSWORD,
    PASSWORD_KEY,
    PLUGINS_24,
    SAMPLES,
    SIGNED,
    Fault,
    sample,
)


def _replaced(text: str, changes: Mapping[str, str]) -> str:
    for old, new in changes.items():
        assert old in text
        text = text.replace(old, new)
    return text


@pytest.mark.parametrize("version", ["2.3", "2.4"])
@pytest.mark.parametrize("settings", [{}, SIGNED, {"com.openexchange.mail.mailServer": "imap://localhost:143"}])
async def test_a_good_configuration(tmp_path: Path, version: str, settings: dict[str, str | None]) -> None:
    """Of a configuration as it should be nothing is said."""
    assert brief(await checked(tmp_path, sample(version), settings)) == []


@pytest.mark.parametrize("version", ["2.3", "2.4"])
async def test_the_samples_as_they_are(tmp_path: Path, version: str) -> None:
    """The samples suit an installation without log-ins that listens where they say."""
    settings = {"com.openexchange.mail.mailServer": None, "oxpushctl.intake.listen": "192.0.2.10:8019"}
    text = (SAMPLES / f"dovecot-{version}.conf").read_text()

    assert brief(await checked(tmp_path, text, settings)) == []


@pytest.mark.parametrize("version", ["2.3", "2.4"])
@pytest.mark.parametrize("login", ["dovecot:pa", "a:12/pa"])
async def test_a_file_for_everybody(tmp_path: Path, version: str, login: str) -> None:
    """A file that everybody can read is told if it is the one that holds the intake's password, once."""
    whole = sample(version).replace("dovecot:pa", login)
    (tmp_path / "in").mkdir()
    driver = tmp_path / "in/driver.conf"
    write_for_ourselves(driver, whole)
    (tmp_path / "dovecot.conf").write_text("!include in/driver.conf\n")
    (tmp_path / "dovecot.conf").chmod(0o644)
    wishes = Wishes(dovecot_config=tmp_path / "dovecot.conf", is_offline=True)
    before = await check_dovecot(configuration_of(tmp_path), wishes)
    driver.chmod(0o644)
    after = await check_dovecot(configuration_of(tmp_path), wishes)

    assert after[:-1] == before
    assert (after[-1].severity.value, after[-1].code, after[-1].file) == ("warning", "OXP331", str(driver))
    assert after[-1].hint == f"chmod o-r {driver}"


async def test_a_file_for_everybody_without_a_password(tmp_path: Path) -> None:
    """What holds no password of ours may be read by everybody."""
    (tmp_path / "dovecot.conf").write_text(as_printed(tmp_path, sample("2.3"), "-n"))
    (tmp_path / "dovecot.conf").chmod(0o644)
    wishes = Wishes(dovecot_config=tmp_path / "dovecot.conf", is_offline=True)
    found = await check_dovecot(configuration_of(tmp_path), wishes)

    assert [finding.code for finding in found] == ["OXP620"]


@pytest.mark.parametrize("options", ["-nP", "-aP"])
async def test_a_good_configuration_as_doveconf_prints_it(tmp_path: Path, options: str) -> None:
    """What doveconf prints of it is good as well, with all defaults or none."""
    printed = as_printed(tmp_path, sample("2.3"), options)

    assert brief(await checked(tmp_path, printed)) == []


@pytest.mark.parametrize("options", ["-n", "-a"])
async def test_a_good_configuration_without_its_secrets(tmp_path: Path, options: str) -> None:
    """Credentials that doveconf hides cannot be compared, which is told, with a way that shows them to root only."""
    printed = as_printed(tmp_path, sample("2.3"), options)
    (found,) = await checked(tmp_path, printed)

    assert brief([found]) == [
        f"info OXP620 {OX}: has its login and password hidden by doveconf: they are not compared with ours"
    ]
    assert "(umask 077; doveconf -nP > FILE)" in found.hint
    assert await checked(tmp_path, printed, {PASSWORD_KEY: None}) == []


@pytest.mark.parametrize("address", ["a:12/S3CRET", "dovecot/S3CRET", "a:12?S3CRET", "a:b/S3CRET", "S3CRET/x"])
@pytest.mark.parametrize("path", [NOTIFY_PATH, "/x"])
async def test_a_password_that_ends_at_a_slash(tmp_path: Path, address: str, path: str) -> None:
    """Where the login and password of a URL end too early, nothing of the URL is printed."""
    url = f"http://{address}@127.0.0.1:8019{path}"
    for version, key in (("2.3", OX), ("2.4", "push_notification ox")):
        (found,) = await checked(tmp_path, re.sub(r"http://\S+", url, sample(version)))

        assert brief([found]) == [
            f"error OXP613 {key}: has a url whose login or password holds a /, ? or #, so that it calls somebody else"
        ]
        assert "S3CRET" not in render.line(found)
        assert "hexadecimal digits" in found.hint


async def test_a_password_cut_off_by_a_comment(tmp_path: Path) -> None:
    """What an unquoted # leaves of a password looks like a path, and is not printed either."""
    text = re.sub(r"http://\S+", f"http://a:12/S3C #RET@127.0.0.1:8019{NOTIFY_PATH}", sample("2.3"))
    found = await checked(tmp_path, text)

    assert "OXP613" in {finding.code for finding in found}
    assert not [line for line in map(render.line, found) if "S3C" in line]


async def test_metadata_for_everybody_is_for_us_only(tmp_path: Path) -> None:
    """The way out of METADATA for everybody is one that keeps the registrations there are believed."""
    (found,) = await checked(tmp_path, sample("2.3") + "imap_metadata = yes\n")

    assert (found.code, "signed" in found.hint) == ("OXP607", False)
    assert found.hint.startswith("write")


@pytest.mark.parametrize("fault", FAULTS, ids=lambda fault: fault.name)
async def test_a_fault_of_2_3(tmp_path: Path, fault: Fault) -> None:
    """A fault is told once, at its line, and nothing else is."""
    text = _replaced(sample("2.3"), fault.old)
    found = await checked(tmp_path, text, fault.settings)

    assert brief(found) == fault.said
    assert {finding.file for finding in found} <= {str(tmp_path / "dovecot.conf")}
    assert {finding.code for finding in found} <= set(CATALOGUE)
    assert Reach.ENGINE not in {finding.reach for finding in found}  # the engine starts all the same
    if fault.line:
        assert found[0].line is not None
        assert text.splitlines()[found[0].line - 1].removesuffix(" user_from_metadata") == fault.line.removesuffix(
            " user_from_metadata"
        )
    assert not any(PASSWORD in render.line(finding) or "%24s" in render.line(finding) for finding in found)


@pytest.mark.parametrize("fault", FAULTS, ids=lambda fault: fault.name)
async def test_a_fault_of_2_3_as_doveconf_prints_it(tmp_path: Path, fault: Fault) -> None:
    """The same is said about what the installed doveconf makes of the file."""
    printed = as_printed(tmp_path, _replaced(sample("2.3"), fault.old), "-nP")

    assert brief(await checked(tmp_path, printed, fault.settings)) == fault.said


@pytest.mark.parametrize("fault", [f for f in FAULTS if f.new is not None], ids=lambda fault: fault.name)
async def test_a_fault_of_2_4(tmp_path: Path, fault: Fault) -> None:
    """The same fault in the syntax of 2.4 is told as well."""
    assert fault.new is not None
    found = await checked(tmp_path, _replaced(sample("2.4"), fault.new), fault.settings)

    assert brief(found) == (fault.said if fault.said_new is None else fault.said_new)


@pytest.mark.parametrize("fault", FAULTS, ids=lambda fault: fault.name)
async def test_a_hint_is_what_to_write(tmp_path: Path, fault: Fault) -> None:
    """The lines of a hint are Dovecot's syntax, and cure the fault."""
    text = _replaced(sample("2.3"), fault.old)
    for finding in await checked(tmp_path, text, fault.settings):
        if finding.code in ("OXP606", "OXP609", "OXP610", "OXP617", "OXP618", "OXP619"):
            text += "\n" + re.sub(r"^write(?: \(⏎: a new line\))?: | instead$", "", finding.hint).replace(" ⏎ ", "\n")
            text += "\n"
            as_printed(tmp_path, text)
    left = {finding.code for finding in await checked(tmp_path, text, fault.settings)}

    assert left.isdisjoint({"OXP606", "OXP609", "OXP610", "OXP617", "OXP618", "OXP619"})


def test_the_path_is_that_of_the_endpoint() -> None:
    """The path that drivers are held against is the one that is served."""
    assert notify.PATH == NOTIFY_PATH


async def test_the_lines_for_2_4(tmp_path: Path) -> None:
    """To a Dovecot 2.4 the hint speaks 2.4."""
    (found,) = await checked(
        tmp_path,
        "dovecot_config_version = 2.4.0\n" + _replaced(sample("2.4"), {f"protocol lda {{\n{PLUGINS_24}}}\n": ""}),
    )

    assert found.hint == (
        "write (⏎: a new line): protocol lda { ⏎ mail_plugins { ⏎ notify = yes ⏎ push_notification = yes ⏎ } ⏎ }"
    )


@pytest.mark.parametrize(
    ("listen", "host", "is_ours"),
    [
        ("0.0.0.0:8019", "192.0.2.7:8019", True),
        ("[::]:8019", "push.example.com:8019", True),
        ("0.0.0.0:8019", "192.0.2.7:8020", False),
        ("push.example.com:8019", "PUSH.example.com:8019", True),
        ("push.example.com:8019", "other.example.com:8019", False),
        ("192.0.2.10:8019", "push.example.com:8019", True),
        ("127.0.0.1:8019", "localhost:8019", True),
        ("127.0.0.1:8019", "[::1]:8019", False),
        ("127.0.0.1:8019", "push.example.com:8019", False),
        ("127.0.0.1:1, 192.0.2.10:8019", "192.0.2.10:8019", True),
        ("192.0.2.10:80", "192.0.2.10", True),
        ("unix:/run/push.sock", "push.example.com", True),
    ],
)
async def test_whose_address_a_driver_calls(tmp_path: Path, listen: str, host: str, is_ours: bool) -> None:
    """An address is ours if we listen there, or may: names are not looked up."""
    text = sample("2.3").replace("@127.0.0.1:8019", f"@{host}")
    found = await checked(tmp_path, text, {"oxpushctl.intake.listen": listen})

    assert [finding.code for finding in found] == ([] if is_ours else ["OXP613"])


async def test_dovecot_push_that_is_off(tmp_path: Path) -> None:
    """Where Dovecot tells nothing on purpose, only what log-ins meet with is looked at."""
    found = await checked(tmp_path, "", {"com.openexchange.push.dovecot.enabled": "false"})

    assert [finding.code for finding in found] == ["OXP617"]


async def test_a_dovecot_without_the_driver(tmp_path: Path) -> None:
    """A Dovecot from before the driver is told, and so is one from before https."""
    old = "# 2.2.9: /etc/dovecot/dovecot.conf\n" + sample("2.3")
    (found,) = await checked(tmp_path, old)
    assert brief([found]) == ["error OXP605 Dovecot: is 2.2.9: the driver ox came with 2.2.19"]

    found, _ = await checked(tmp_path, old.replace("2.2.9", "2.2.36").replace("http:", "https:"))
    assert brief([found]) == [f"error OXP605 {OX}: calls https, which Dovecot can from 2.3 on"]


async def test_https_for_one_way_of_delivery(tmp_path: Path) -> None:
    """A driver that only dovecot-lda runs calls https as little as any, and one for all is told once."""
    only_lda = f"protocol lda {{\n  plugin {{\n    {OX} = ox:url=https://h/x user_from_metadata\n  }}\n}}\n"
    found = await checked(tmp_path, "# 2.2.36: /etc/dovecot/dovecot.conf\n" + sample("2.3") + only_lda)
    for_all = await checked(
        tmp_path, "# 2.2.36: /etc/dovecot/dovecot.conf\n" + sample("2.3").replace("http:", "https:")
    )

    assert [finding.message for finding in found if finding.code == "OXP605"] == [
        "calls https, which Dovecot can from 2.3 on"
    ]
    assert [finding.code for finding in for_all].count("OXP605") == 1


async def test_the_first_of_several_places(tmp_path: Path) -> None:
    """Where METADATA is open in many places the first is told, the same at every run."""
    opened = "".join(f"local_name mail{n}.example.com {{\n  imap_metadata = yes\n}}\n" for n in range(20))
    text = sample("2.3") + opened
    (found,) = await checked(tmp_path, text)

    assert (found.code, found.line) == ("OXP607", text.splitlines().index("local_name mail0.example.com {") + 2)


async def test_credentials_that_are_not_ours_to_judge(tmp_path: Path) -> None:
    """Without a login of our own there is nothing to compare: that is said elsewhere."""
    assert brief(await checked(tmp_path, sample("2.3"), {PASSWORD_KEY: None})) == []


async def test_a_syntax_error(tmp_path: Path) -> None:
    """A file that Dovecot would refuse is one finding at its line."""
    (found,) = await checked(tmp_path, "protocol imap {\n")

    assert render.line(found) == (
        f"{tmp_path}/dovecot.conf:1: error OXP601: there is no }} that ends the block protocol"
    )


async def test_a_part_for_others_only(tmp_path: Path) -> None:
    """What hangs on a part that cannot be read is not guessed at."""
    os.mkfifo(tmp_path / "secret.conf")  # root may read every file
    (found,) = await checked(tmp_path, "!include_try secret.conf\n")

    assert (found.severity.value, found.code, found.line) == ("warning", "OXP602", 1)


async def test_a_file_that_is_not_there(tmp_path: Path) -> None:
    """A file that was named and is not there ends the check."""
    with pytest.raises(MissingFile, match=r"nowhere.conf: Dovecot's configuration cannot be read: No such file"):
        await check_dovecot(configuration_of(tmp_path), Wishes(dovecot_config=tmp_path / "nowhere.conf"))


async def test_either_address_of_localhost_is_enough(tmp_path: Path) -> None:
    """Where log-ins may come from two addresses it is told that one is enough, and one is."""
    settings = {"com.openexchange.mail.mailServer": "imap://localhost"}
    text = sample("2.3").replace("login_trusted_networks = 127.0.0.1\n", "")
    (found,) = await checked(tmp_path, text, settings)

    assert found.message.startswith("lacks 127.0.0.1 or ::1 (one of them is enough): ")
    for address in ("127.0.0.1", "::1"):
        assert await checked(tmp_path, f"{text}login_trusted_networks = {address}\n", settings) == []
