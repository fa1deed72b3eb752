"""OXP5xx: the database."""

from __future__ import annotations

from oxpushctl.config.catalogue.code import Code

CODES: tuple[Code, ...] = ()
