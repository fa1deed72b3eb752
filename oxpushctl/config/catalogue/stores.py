"""OXP5xx: the database and Redis."""

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
    Code(
        "OXP502",
        "A Redis that cannot be used",
        "oxpushctl.credentials.url is redis://LOGIN:PASSWORD@HOST:PORT/DATABASE, or rediss:// for TLS, and nothing "
        "more: who is trusted with TLS is said in oxpushctl.tls.ca. Login, password, port and database may be left "
        "out. Characters such as @, :, /, ? and # in login and password are written in percent form (%40, %3A, %2F, "
        "%3F, %23). The library is installed with the package's extra redis. Whether the server answers is not asked.",
    ),
)
