"""The tables as releases of the middleware make them.

8.19: CreatePnsSubscriptionTable, CreatePushTable and CreateCredStorageTable of the middleware's update tasks, and
configdb.sql of com.openexchange.admin. 7.8 had no ``expires`` and no ``meta``, clients in latin1, the character set
utf8, a primary key without the client, and 64 characters for an encrypted password.
"""

from __future__ import annotations

SUBSCRIPTION, WILDCARD, EXACT = "pns_subscription", "pns_subscription_topic_wildcard", "pns_subscription_topic_exact"
REGISTRATION, CONTEXT, CREDENTIAL = "registeredPush", "context2push_registration", "credentials"


def _topics(name: str, charset: str) -> str:
    return f"""
        CREATE TABLE {name} (
          id BINARY(16) NOT NULL,
          cid INT4 UNSIGNED NOT NULL,
          topic VARCHAR(255) CHARACTER SET latin1 NOT NULL,
          PRIMARY KEY (id, topic)
        ) ENGINE=InnoDB DEFAULT CHARSET={charset} COLLATE={charset}_unicode_ci
    """


def _context(charset: str) -> str:
    return f"""
        CREATE TABLE {CONTEXT} (
          cid INT4 UNSIGNED NOT NULL,
          PRIMARY KEY (cid)
        ) ENGINE=InnoDB DEFAULT CHARSET={charset} COLLATE={charset}_unicode_ci
    """


_REGISTRATION = f"""
    CREATE TABLE {REGISTRATION} (
      cid INT4 UNSIGNED NOT NULL,
      user INT4 UNSIGNED NOT NULL,
      client VARCHAR(64) CHARACTER SET latin1 NOT NULL,
      PRIMARY KEY (cid, user, client)
    ) ENGINE=InnoDB DEFAULT CHARSET=latin1
"""

RELEASE_8_19 = {
    SUBSCRIPTION: """
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
    WILDCARD: _topics(WILDCARD, "utf8mb4"),
    EXACT: _topics(EXACT, "utf8mb4"),
    REGISTRATION: _REGISTRATION,
    CONTEXT: _context("utf8mb4"),
    CREDENTIAL: """
        CREATE TABLE credentials (
          cid INT4 UNSIGNED NOT NULL,
          user INT4 UNSIGNED NOT NULL,
          password VARCHAR(512) CHARACTER SET utf8mb4 COLLATE utf8mb4_unicode_ci NOT NULL,
          login VARCHAR(64) CHARACTER SET utf8mb4 COLLATE utf8mb4_unicode_ci NOT NULL,
          PRIMARY KEY (cid, user)
        ) ENGINE=InnoDB DEFAULT CHARSET=utf8mb4 COLLATE=utf8mb4_unicode_ci
    """,
}

RELEASE_7_8 = {
    SUBSCRIPTION: """
        CREATE TABLE pns_subscription (
          id BINARY(16) NOT NULL,
          cid INT4 UNSIGNED NOT NULL,
          user INT4 UNSIGNED NOT NULL,
          token VARCHAR(255) CHARACTER SET latin1 NOT NULL,
          client VARCHAR(64) CHARACTER SET latin1 NOT NULL,
          transport VARCHAR(32) CHARACTER SET latin1 NOT NULL,
          last_modified BIGINT(64) NOT NULL,
          all_flag TINYINT UNSIGNED NOT NULL DEFAULT '0',
          PRIMARY KEY (cid, user, token),
          UNIQUE KEY subscription_id (id)
        ) ENGINE=InnoDB DEFAULT CHARSET=utf8 COLLATE=utf8_unicode_ci
    """,
    WILDCARD: _topics(WILDCARD, "utf8"),
    EXACT: _topics(EXACT, "utf8"),
    REGISTRATION: _REGISTRATION,
    CONTEXT: _context("utf8"),
    CREDENTIAL: """
        CREATE TABLE credentials (
          cid INT4 UNSIGNED NOT NULL,
          user INT4 UNSIGNED NOT NULL,
          password VARCHAR(64) CHARACTER SET utf8 NOT NULL,
          login VARCHAR(64) CHARACTER SET utf8 NOT NULL,
          PRIMARY KEY (cid, user)
        ) ENGINE=InnoDB DEFAULT CHARSET=utf8 COLLATE=utf8_unicode_ci
    """,
}
