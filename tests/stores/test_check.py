"""What config check says about the database, from its URL alone."""

from __future__ import annotations

from importlib.util import find_spec
from pathlib import Path

import pytest

from oxpushctl.config.codes import CATALOGUE
from oxpushctl.config.finding import Finding, Reach, Severity
from oxpushctl.stores.check import check_database
from tests.config import folders

_HAS_MYSQL, _HAS_POSTGRESQL = find_spec("pymysql") is not None, find_spec("psycopg") is not None
_WITH_MYSQL = pytest.mark.skipif(not _HAS_MYSQL, reason="the extra mysql is not installed")
_WITHOUT_MYSQL = pytest.mark.skipif(_HAS_MYSQL, reason="the extra mysql is installed")
_WITH_POSTGRESQL = pytest.mark.skipif(not _HAS_POSTGRESQL, reason="the extra postgresql is not installed")


def found(etc: Path, url: str) -> list[Finding]:
    configuration = folders.read(etc, {"oxpushctl.properties": f"oxpushctl.database.url={url}\n"})
    return list(check_database(configuration))


@pytest.mark.parametrize(
    "url",
    [
        "sqlite:////nowhere/oxpushctl.db",
        "sqlite:///oxpushctl.db",
        pytest.param("mysql://push:sesame@127.0.0.1/push", marks=_WITH_MYSQL),
        pytest.param("mariadb://push:sesame@127.0.0.1/push", marks=_WITH_MYSQL),
        pytest.param("postgresql://push:sesame@127.0.0.1:5432/push?sslmode=require", marks=_WITH_POSTGRESQL),
    ],
)
def test_usable_urls(tmp_path: Path, url: str) -> None:
    """Nobody is asked whether the database is there, and no file is made."""
    assert found(tmp_path, url) == []
    assert [path.name for path in tmp_path.iterdir()] == ["oxpushctl.properties"]


def test_default_database(tmp_path: Path) -> None:
    """Unset is fine."""
    assert list(check_database(folders.read(tmp_path))) == []


@pytest.mark.parametrize(
    ("url", "words"),
    [
        ("sqlite://", "name the path of a file"),
        ("sqlite:///:memory:", "name the path of a file"),
        ("foo://push:sesame@127.0.0.1/push", "no such kind of database"),
        ("mysql+nosuch://push:sesame@127.0.0.1/push", "no such kind of database"),
        ("mssql://push:sesame@127.0.0.1/push", "the driver pyodbc is missing (install the Python package pyodbc)"),
        ("mysql://push:sesame@127.0.0.1:port/push", "not the URL of a database"),
        pytest.param("mysql://push:sesame@127.0.0.1/push", "pip install 'oxpushctl[mysql]'", marks=_WITHOUT_MYSQL),
    ],
)
def test_unusable_urls(tmp_path: Path, url: str, words: str) -> None:
    """An error with which nothing starts, at its line, without the password."""
    (finding,) = found(tmp_path, url)
    assert (finding.code, finding.severity, finding.reach) == ("OXP501", Severity.ERROR, Reach.ENGINE)
    assert finding.code in CATALOGUE
    assert (finding.file, finding.line, finding.key) == ("oxpushctl.properties", 1, "oxpushctl.database.url")
    assert words in finding.message
    assert "oxpushctl.database.url" not in finding.message
    assert "sesame" not in repr(finding)


def test_url_with_an_error(tmp_path: Path) -> None:
    """What is no URL at all was told before."""
    assert found(tmp_path, "nowhere") == []
