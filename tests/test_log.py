"""The log: one line a record, fields that can be split, secrets that stay secret."""

from __future__ import annotations

import io
import json
import logging
import re
from collections.abc import Iterator

import pytest

from oxpushctl import log

_TIME = r"\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d\.\d{3}Z"


@pytest.fixture
def stream() -> Iterator[io.StringIO]:
    """What a configured log writes to; the process's logging is put back afterwards."""
    root, own = logging.getLogger(), logging.getLogger("oxpushctl")
    before = root.handlers[:], root.level, own.level
    yield io.StringIO()
    root.handlers[:], level, own_level = before
    root.setLevel(level)
    own.setLevel(own_level)


def _line(stream: io.StringIO) -> str:
    text = stream.getvalue()
    assert text.count("\n") == 1
    return text.rstrip("\n")


def test_text_record(stream: io.StringIO) -> None:
    """A record is its time in UTC, its level, the event and its fields; what is ``None`` is left out."""
    log.configure(stream, level=logging.INFO)
    log.get("oxpushctl.test").info("push delivered", client="app", status=200, reason=None, subject="a b")

    assert re.fullmatch(_TIME + r' info push delivered client=app status=200 subject="a b"', _line(stream))


def test_json_record(stream: io.StringIO) -> None:
    """As JSON the fields keep their kinds."""
    log.configure(stream, level=logging.INFO, as_json=True)
    log.get("oxpushctl.test").warning("push late", seconds=1.5, is_retry=True)

    record = json.loads(_line(stream))
    assert re.fullmatch(_TIME, record.pop("time"))
    assert record == {"level": "warning", "event": "push late", "seconds": 1.5, "is_retry": True}


@pytest.mark.parametrize("value", ["two\nlines", 'a "quoted" b', "", "tab\t", "x=1"])
def test_value_stays_one_word(value: str) -> None:
    """A value that would break the line or look like several fields is written as a JSON text."""
    written = log.quote(value)

    assert "\n" not in written
    assert json.loads(written) == value


@pytest.mark.parametrize("name", ["token", "password", "passcrypt", "authorization", "secret"])
def test_secret_field(stream: io.StringIO, name: str) -> None:
    """A field that is called like a secret is shortened until it is no longer one."""
    log.configure(stream, level=logging.DEBUG)
    log.get("oxpushctl.test").debug("seen", **{name: "abcdef0123456789"})

    line = _line(stream)
    assert "abcdef" in line
    assert "0123456789" not in line


def test_short_secret_is_not_shown() -> None:
    """Of a short secret nothing is left."""
    assert log.mask("hunter2") == "…"


def test_levels(stream: io.StringIO) -> None:
    """Below the level nothing is written; of libraries only warnings are."""
    log.configure(stream, level=logging.DEBUG)
    logging.getLogger("somelibrary").info("chatter")
    log.get("oxpushctl.test").debug("told")

    assert _line(stream).endswith(" debug told")
    assert log.get("oxpushctl.test").is_debug


@pytest.mark.parametrize("with_traceback", [False, True])
def test_exception_of_a_library(stream: io.StringIO, with_traceback: bool) -> None:
    """An exception is a field; its traceback appears only when it was asked for."""
    log.configure(stream, level=logging.INFO, with_traceback=with_traceback)
    try:
        raise ValueError("no\ngood")
    except ValueError:
        logging.getLogger("somelibrary").exception("it\nfailed")

    first, *rest = stream.getvalue().splitlines()
    assert first.endswith(r' error it failed exception="ValueError: no\ngood"')
    assert bool(rest) == with_traceback


@pytest.mark.parametrize("as_json", [False, True])
def test_terminal_is_not_commanded(stream: io.StringIO, as_json: bool) -> None:
    """Whatever a mailbox owner writes into a registration, a terminal shows it and obeys nothing of it."""
    log.configure(stream, level=logging.INFO, as_json=as_json)
    log.get("oxpushctl.test").info("who\x9b1m", user="\x9b31m\u2028\u202eevil\x07")

    assert _line(stream).isprintable()
