"""The error object, as apps know it from the middleware."""

from __future__ import annotations

import logging
import re

import orjson
import pytest

from oxpushctl.web import ox_error
from oxpushctl.web.ox_error import Category


def _members(code: str = "PNS-0007", category: Category = Category.USER_INPUT, **more: object) -> dict[str, object]:
    response = ox_error.answer(code, "Text.", category, **more)  # type: ignore[arg-type]  # whatever a test gives
    assert (response.status, response.content_type) == (200, "application/json")
    assert isinstance(response.body, bytes)
    members: dict[str, object] = orjson.loads(response.body)
    return members


def test_members() -> None:
    """It has exactly the middleware's members, under status 200."""
    members = _members(params=("ox mail", 5), desc="not a topic")
    error_id = str(members.pop("error_id"))

    assert members == {
        "error": "Text.",
        "error_params": ["ox mail", 5],
        "code": "PNS-0007",
        "categories": "USER_INPUT",
        "category": 1,
        "error_desc": "not a topic",
    }
    assert re.fullmatch(r"-\d+-\d+", error_id)


@pytest.mark.parametrize(
    ("category", "number"),
    [
        (Category.USER_INPUT, 1),
        (Category.CONFIGURATION, 2),
        (Category.PERMISSION_DENIED, 3),
        (Category.TRY_AGAIN, 4),
        (Category.ERROR, 8),
    ],
)
def test_categories(category: Category, number: int) -> None:
    """The categories have the middleware's numbers, and without a description the text stands for it."""
    members = _members(category=category)

    assert (members["categories"], members["category"]) == (category.name, number)
    assert (members["error_params"], members["error_desc"]) == ([], "Text.")


def test_ids_differ() -> None:
    """No two errors have one id."""
    assert len({_members()["error_id"] for _ in range(100)}) == 100


def test_record(caplog: pytest.LogCaptureFixture) -> None:
    """What the app is told can be found in the log by its id, whoever's mistake it is, and more stands there."""
    caplog.set_level(logging.INFO)
    _members()
    told = _members("PNS-0003", Category.TRY_AGAIN, reason="db.internal is away")

    _, record = caplog.records
    assert record.__dict__["fields"] == {"code": "PNS-0003", "id": told["error_id"], "reason": "db.internal is away"}
    assert "db.internal" not in str(told)


def test_half_a_character() -> None:
    """What UTF-8 cannot say is replaced."""
    members = _members(params=("\ud800",), desc="\udcff")

    assert (members["error_params"], members["error_desc"]) == (["?"], "?")
