"""Included files, and how far a configuration may go."""

from __future__ import annotations

import os
import time
import tracemalloc
from pathlib import Path

import pytest

from oxpushctl.listeners import dovecot_config
from oxpushctl.listeners.dovecot_config import DovecotConfig, Scope, parse
from oxpushctl.listeners.dovecot_syntax import BadDovecotConfig, UnreadableInclude

_IMAP = Scope("imap")


def _value(config: DovecotConfig, name: str, scope: Scope = _IMAP) -> str | None:
    found = config.find(name, scope)
    return found.value if found else None


def _write(folder: Path, files: dict[str, str]) -> Path:
    for name, text in files.items():
        (folder / name).parent.mkdir(parents=True, exist_ok=True)
        (folder / name).write_text(text)
    return folder / "dovecot.conf"


def test_included_files(tmp_path: Path) -> None:
    """Included files stand in their places, in the order of their names, relative to the file that includes them."""
    path = _write(
        tmp_path,
        {
            "dovecot.conf": "!include conf.d/*.conf\n!include_try nowhere\n!include conf.d\n!include none/*.conf\n",
            "conf.d/20.conf": "mail_home = b\nprotocol imap {\n!include sub/imap.inc\n}\n",
            "conf.d/10.conf": "mail_home = a\n",
            "conf.d/30.{x}": "",
            "conf.d/sub/imap.inc": "imap_metadata = yes\n",
        },
    )
    config = dovecot_config.read(path)

    assert _value(config, "mail_home") == "b"
    entry = config.find("imap_metadata", _IMAP)
    assert entry is not None
    assert str(entry.origin) == f"{tmp_path}/conf.d/sub/imap.inc:1"


def test_braces_of_an_include(tmp_path: Path) -> None:
    """Braces name alternatives, as in a shell."""
    files = {"dovecot.conf": "!include {b,a}.conf\n", "a.conf": "mail_home = a\n", "b.conf": "mail_home = b\n"}

    assert _value(dovecot_config.read(_write(tmp_path, files)), "mail_home") == "a"


@pytest.mark.parametrize(
    ("pattern", "names"),
    [
        ("{a,b}{c,d}", ["ac", "ad", "bc", "bd"]),
        ("{b,a{d,c}}", ["b", "ad", "ac"]),
        ("{a}{}", ["a"]),
        ("{b,x}?", ["bc", "bd"]),
    ],
)
def test_several_braces_of_an_include(tmp_path: Path, pattern: str, names: list[str]) -> None:
    """Each group of braces is expanded, the last changing fastest, as by the shell."""
    files = {f"x/{name}.conf": f"key = {name}\n" for name in ("a", "b", "ac", "ad", "bc", "bd")}
    config = dovecot_config.read(_write(tmp_path, {"dovecot.conf": f"!include x/{pattern}.conf\n", **files}))

    assert [entry.value for entry in config.entries] == names


@pytest.mark.parametrize("folder", ["a[bc]d", "a*", "wh?t", "[", "[!x]"])
def test_a_folder_named_like_a_pattern(tmp_path: Path, folder: str) -> None:
    """What looks like a pattern in the name of the folder is none: only what is written is."""
    files = {"dovecot.conf": "!include a.conf\n!include c*.conf\n", "a.conf": "mail_home = a\n", "c1.conf": "key = c\n"}
    config = dovecot_config.read(_write(tmp_path / folder, files))

    assert [entry.value for entry in config.entries] == ["a", "c"]


def _doubling(lines: int) -> str:
    return "a0 = x\n" + "".join(f"a{n + 1} = $SET:a{n} $SET:a{n}\n" for n in range(lines))


@pytest.mark.parametrize(
    ("text", "line", "words"),
    [
        ("a {\n" * 20_000 + "}\n" * 20_000, 51, "blocks are nested more than 50 deep"),
        (_doubling(26), 17, "too long to be judged"),
        ("a = " + "x" * 60_000 + "\nb =" + " $SET:a" * 100_000 + "\n", 2, "too long to be judged"),
        (
            "".join(f"mail_plugins = $mail_plugins p{n}\n" for n in range(20_000)),
            None,
            "what mail_plugins refers to makes it too long to be judged",
        ),
        (
            "group @g h {\n" + "a = b\n" * 5_000 + "}\n" + "@g = h\n" * 5_000,
            5_022,
            "the groups that are included hold too many settings",
        ),
        ("!include " + "{a,b}" * 40 + "\n", 1, "there is no end of files in its braces"),
    ],
    ids=["deep", "doubling", "many-in-a-line", "growing", "groups", "braces"],
)
def test_text_that_multiplies_itself(text: str, line: int | None, words: str) -> None:
    """What would take minutes or gigabytes ends at its line, at once and in little memory."""
    tracemalloc.start()
    began = time.monotonic()
    try:
        with pytest.raises(BadDovecotConfig, match=words) as raised:
            parse(text, "dovecot.conf")
        _, most_bytes = tracemalloc.get_traced_memory()
    finally:
        tracemalloc.stop()

    assert raised.value.origin.line is not None
    assert line in (None, raised.value.origin.line)
    assert most_bytes < 100 * 1024 * 1024
    assert time.monotonic() - began < 20


def test_settings_far_inside() -> None:
    """The most blocks that are read cost next to nothing when a setting is asked for by its full name."""
    text = "service imap {\n" + "a b {\n" * 49 + "key = value\n" + "}\n" * 50
    config = parse(text, "dovecot.conf")

    assert _value(config, "service_imap" + "_a_b" * 48 + "_a_key") == "value"
    assert _value(config, "a_b_key") == "value"
    assert _value(config, "service_a_c_key") is None


@pytest.mark.parametrize("first", ["!include dovecot.conf", "!include other.conf", "!include ../*/dovecot.conf"])
def test_files_that_include_themselves(tmp_path: Path, first: str) -> None:
    """A loop of includes ends with its place, in whatever words it is written."""
    path = _write(tmp_path / "d", {"dovecot.conf": f"{first}\n", "other.conf": "!include dovecot.conf\n"})
    with pytest.raises(BadDovecotConfig, match=r"includes itself, or there is no end of files"):
        dovecot_config.read(path)


def test_an_included_file_for_others_only(tmp_path: Path) -> None:
    """A part that we may not read is told apart from one that is not there."""
    path = _write(tmp_path, {"dovecot.conf": "!include_try secret.conf\n"})
    os.mkfifo(tmp_path / "secret.conf")  # root may read every file
    with pytest.raises(UnreadableInclude) as caught:
        dovecot_config.read(path)

    assert str(caught.value.origin) == f"{path}:1"
