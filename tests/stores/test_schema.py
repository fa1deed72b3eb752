from __future__ import annotations

import re

import pytest
from sqlalchemy.dialects import mysql
from sqlalchemy.schema import CreateTable

from oxpushctl.stores import schema

# The middleware 8.19, com.openexchange.pns.subscription.storage.groupware.CreatePnsSubscriptionTable and its siblings.
MIDDLEWARE = {
    "pns_subscription": """
        CREATE TABLE pns_subscription (
          id BINARY(16) NOT NULL,
          cid INT4 UNSIGNED NOT NULL,
          user INT4 UNSIGNED NOT NULL,
          token VARCHAR(255) CHARACTER SET latin1 NOT NULL,
          client VARCHAR(64) CHARACTER SET utf8mb4 COLLATE utf8mb4_unicode_ci NOT NULL,
          transport VARCHAR(32) CHARACTER SET latin1 NOT NULL,
          last_modified BIGINT(64) NOT NULL,
          all_flag TINYINT UNSIGNED NOT NULL DEFAULT '0',
          expires BIGINT(20) DEFAULT NULL,
          meta TEXT CHARACTER SET utf8mb4 COLLATE utf8mb4_unicode_ci DEFAULT NULL,
          PRIMARY KEY (cid, user, token, client),
          UNIQUE KEY subscription_id (id)
        ) ENGINE=InnoDB DEFAULT CHARSET=utf8mb4 COLLATE=utf8mb4_unicode_ci
    """,
    **{
        name: f"""
        CREATE TABLE {name} (
          id BINARY(16) NOT NULL,
          cid INT4 UNSIGNED NOT NULL,
          topic VARCHAR(255) CHARACTER SET latin1 NOT NULL,
          PRIMARY KEY (id, topic)
        ) ENGINE=InnoDB DEFAULT CHARSET=utf8mb4 COLLATE=utf8mb4_unicode_ci
        """
        for name in ("pns_subscription_topic_wildcard", "pns_subscription_topic_exact")
    },
}

# Ways to write the same thing in MySQL (its manual, 13.1.20 and 11.1.1): left, one of them; right, ours to compare by.
SYNONYMS = (
    (r"\bINT4\b", "INTEGER"),
    (r"CONSTRAINT (\w+) UNIQUE", r"UNIQUE KEY \1"),
    (r"(BIGINT\(20\)|TEXT [^,]*?) DEFAULT NULL", r"\1"),
    (r"DEFAULT CHARSET", "CHARSET"),
    (r"(CHARSET|COLLATE|ENGINE)=", r"\1 "),
)


def _normalised(ddl: str) -> str:
    for pattern, replacement in SYNONYMS:
        ddl = re.sub(pattern, replacement, ddl)
    return re.sub(r" ?([(),]) ?", r"\1", " ".join(ddl.split()))


@pytest.mark.parametrize("name", MIDDLEWARE)
def test_mysql_layout(name: str) -> None:
    """On MySQL the tables of subscriptions are the middleware's to the letter, so that it can share them."""
    ours = str(CreateTable(schema.metadata.tables[name]).compile(dialect=mysql.dialect()))

    assert _normalised(ours) == _normalised(MIDDLEWARE[name])


def test_token_index() -> None:
    """Whose token it is can be looked up: the index of the middleware's update task is there from the start."""
    indexes = {
        index.name: [column.name for column in index.columns]
        for index in schema.metadata.tables["pns_subscription"].indexes
    }

    assert indexes == {"tokenIndex": ["token", "transport", "client"]}
