"""What is said about credentials that do not load."""

from __future__ import annotations

from collections.abc import Callable

import pytest

from oxpushctl.transports.credentials import UnusableCredentials

PASSWORD = "hunter2-é"


def fault(load: Callable[[], object]) -> UnusableCredentials:
    """Return what is said, which names no secret."""
    with pytest.raises(UnusableCredentials) as caught:
        load()
    assert PASSWORD not in f"{caught.value} {caught.value.hint} {caught.value!r}"
    assert caught.value.hint
    return caught.value
