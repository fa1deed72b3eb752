"""OXP5xx: the database."""

from __future__ import annotations

from oxpushctl.config.catalogue.code import Code

CODES: tuple[Code, ...] = (
    Code(
        "OXP501",
        "A database that cannot be used",
        "oxpushctl.database.url is the URL of a database: sqlite:////var/lib/oxpushctl/oxpushctl.db (four slashes "
        "before an absolute path), mysql://LOGIN:PASSWORD@HOST/SCHEMA or postgresql://LOGIN:PASSWORD@HOST/DATABASE. "
        "Characters such as @, : and / in login and password are written in percent form (%40, %3A, %2F). MariaDB, "
        "MySQL and PostgreSQL need a driver, which an extra of the package installs. Whether the database answers is "
        "not asked.",
    ),
)
