"""OXP6xx: Dovecot's own configuration."""

from __future__ import annotations

from oxpushctl.config.catalogue.code import Code

CODES: tuple[Code, ...] = ()
