"""What config check says about the database, from its answers."""

from __future__ import annotations

from pathlib import Path

import pytest

from oxpushctl.config.check import Wishes
from oxpushctl.config.codes import CATALOGUE
from oxpushctl.config.finding import Finding, Severity
from oxpushctl.model import Credential, Origin, PushUser, Seals
from oxpushctl.stores.cipher import Cipher
from oxpushctl.stores.database_check import check_stored
from oxpushctl.stores.sql.connecting import opened
from oxpushctl.stores.sql.credentials import SqlCredentialRows
from oxpushctl.stores.sql.database import Database
from oxpushctl.stores.vault import Vault
from tests.config import folders
from tests.peers.mariadb import MariaDb
from tests.peers.ports import free_port
from tests.stores.middleware_tables import RELEASE_7_8

STORAGE = "com.openexchange.push.credstorage"
KEPT = f"{STORAGE}.enabled=true\n{STORAGE}.passcrypt=sesame\n{STORAGE}.rdb=true\n"


async def found(etc: Path, url: str, *, more: str = "", kept: str = KEPT, is_offline: bool = False) -> list[Finding]:
    """Return what the check says: known codes, at most warnings, and no secret."""
    own = f"oxpushctl.database.url={url}\n{more}"
    configuration = folders.read(etc, {"oxpushctl.properties": own, "mail-push.properties": kept})
    findings = await check_stored(configuration, Wishes(is_offline=is_offline))
    for finding in findings:
        assert finding.code in CATALOGUE
        assert finding.severity is Severity.WARNING
        assert "sesame" not in repr(finding)
    return findings


def codes(findings: list[Finding]) -> list[str]:
    return [finding.code for finding in findings]


async def test_database_as_it_should_be(tmp_path: Path, url: str, database: Database) -> None:
    """Nothing is said of a database that answers, and nothing is written to it."""
    assert await found(tmp_path, url) == []
    await Vault(SqlCredentialRows(database), "sesame").put(Credential(PushUser(1, 3), "anna", "pw"), Origin.COMMAND)
    assert await found(tmp_path, url) == []


async def test_no_database_yet(tmp_path: Path) -> None:
    """Looking at a file that is not there does not make it."""
    file = tmp_path / "state" / "oxpushctl.db"
    assert (await found(tmp_path, f"sqlite:///{file}"), file.exists()) == ([], False)


@pytest.mark.parametrize("is_offline", [False, True])
async def test_database_away(tmp_path: Path, is_offline: bool) -> None:
    """A server that does not answer is told, unless nobody is to be asked."""
    url = f"mysql://push:sesame@127.0.0.1:{free_port()}/push"
    assert codes(await found(tmp_path, url, is_offline=is_offline)) == ([] if is_offline else ["OXP741"])


async def test_wrong_login(tmp_path: Path, mariadb: MariaDb) -> None:
    """A server that refuses the login is told apart from one that is away."""
    with mariadb.fresh() as url:
        assert codes(await found(tmp_path, url.replace(":pw@", ":sesame@"))) == ["OXP742"]


async def test_another_passphrase(tmp_path: Path, url: str, database: Database) -> None:
    """A member whose passphrase is another one hears of it before it is started."""
    await Vault(SqlCredentialRows(database), "the others'").put(Credential(PushUser(1, 3), "a", "pw"), Origin.COMMAND)
    assert codes(await found(tmp_path, url)) == ["OXP744"]


async def test_unfinished_rotation(tmp_path: Path, url: str, database: Database) -> None:
    """While passwords are under two passphrases nothing starts, with either."""
    seals = Seals(Cipher("former").seal(), Cipher("sesame").seal())
    await SqlCredentialRows(database).seal(Seals(), seals)
    [finding] = await found(tmp_path, url)
    assert (finding.code, "not finished" in finding.message) == ("OXP744", True)


async def test_older_tables_of_the_middleware(tmp_path: Path, mariadb: MariaDb) -> None:
    """What database upgrade would widen is named, and so is that the middleware's users are not ours to make."""
    with mariadb.fresh() as url:
        database = Database.open(url)
        engine = opened(url).engine
        with engine.begin() as connection:
            for statement in RELEASE_7_8.values():
                connection.exec_driver_sql(statement)
        engine.dispose()
        await database.prepare()
        findings = await found(tmp_path, url, more="oxpushctl.users.autoCreate=true\noxpushctl.public.listen=h:1\n")
        await database.aclose()
    assert codes(findings) == ["OXP743", "OXP745"]
