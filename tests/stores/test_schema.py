from __future__ import annotations

import re

import pytest
from sqlalchemy.dialects import mysql
from sqlalchemy.schema import CreateTable

from oxpushctl.stores import schema
from tests.stores.middleware_tables import RELEASE_8_19

# Ways to write the same thing in MySQL (its manual, 13.1.20 and 11.1.1): left, one of them; right, ours to compare by.
SYNONYMS = (
    (r"\bINT4\b", "INTEGER"),
    (r"CONSTRAINT (\w+) UNIQUE", r"UNIQUE KEY \1"),
    (r"(BIGINT\(20\)|TEXT [^,]*?) DEFAULT NULL", r"\1"),
    (r"DEFAULT CHARSET", "CHARSET"),
    (r"`(\w+)`", r"\1"),
    (r"(CHARSET|COLLATE|ENGINE)=", r"\1 "),
)


def _normalised(ddl: str) -> str:
    for pattern, replacement in SYNONYMS:
        ddl = re.sub(pattern, replacement, ddl)
    return re.sub(r" ?([(),]) ?", r"\1", " ".join(ddl.split()))


@pytest.mark.parametrize("name", RELEASE_8_19)
def test_mysql_layout(name: str) -> None:
    """On MySQL the tables that the middleware has as well are its own to the letter, so that it can share them."""
    ours = str(CreateTable(schema.metadata.tables[name]).compile(dialect=mysql.dialect()))

    assert _normalised(ours) == _normalised(RELEASE_8_19[name])


def test_token_index() -> None:
    """Whose token it is can be looked up: the index of the middleware's update task is there from the start."""
    indexes = {
        index.name: [column.name for column in index.columns]
        for index in schema.metadata.tables["pns_subscription"].indexes
    }

    assert indexes == {"tokenIndex": ["token", "transport", "client"]}
