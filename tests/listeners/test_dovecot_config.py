"""Dovecot's configuration as text: what is read from it, held against Dovecot 2.3's own reading where it is at hand."""

from __future__ import annotations

import ipaddress
import shutil
import subprocess
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from oxpushctl.listeners import dovecot_config
from oxpushctl.listeners.dovecot_config import Block, DovecotConfig, Scope, parse
from oxpushctl.listeners.dovecot_driver import drivers
from oxpushctl.listeners.dovecot_syntax import BadDovecotConfig

_IMAP = Scope("imap")


def _value(config: DovecotConfig, name: str, scope: Scope = _IMAP) -> str | None:
    found = config.find(name, scope)
    return found.value if found else None


def _doveconf(path: Path, *options: str) -> str:
    program = shutil.which("doveconf")
    assert program is not None, "install dovecot-core"
    command = [program, "-c", str(path), *options]
    return subprocess.run(command, check=True, capture_output=True, text=True).stdout


def _write(folder: Path, files: dict[str, str]) -> Path:
    for name, text in files.items():
        (folder / name).parent.mkdir(parents=True, exist_ok=True)
        (folder / name).write_text(text)
    return folder / "dovecot.conf"


@pytest.mark.parametrize(
    ("written", "value"),
    [
        ("key = value", "value"),
        ("  key=value  ", "value"),
        ("\tkey\t=\ta b ", "a b"),
        ("key = a # comment", "a"),
        ("key = a#comment", "a"),
        ('key = "a # b" # comment', "a # b"),
        ("key = 'a # b'", "a # b"),
        (r'key = "a\"b\\c"', 'a"b\\c'),
        ('key = "a" b', '"a" b'),
        ('key = say "#1" # comment', 'say "#1"'),
        ("key = a \\\n   b\\\n\tc", "a b c"),
        ("key =", ""),
        ("key = </etc/dovecot/secret", "</etc/dovecot/secret"),
        ("key = a\r", "a"),
        ("key = <<END\none\n  two\nEND", "one\n  two"),
        ("# key = a\nkey = b\n;", "b"),
    ],
)
def test_a_value_as_it_is_written(written: str, value: str) -> None:
    """Comments, quotes, long lines and inline files are read as Dovecot reads them."""
    config = parse(written.removesuffix("\n;"), "dovecot.conf")

    assert _value(config, "key") == value


@pytest.mark.parametrize(
    "written",
    [
        "a # comment",
        "a#comment",
        '"a # b" # comment',
        "'a # b'",
        r'"a\"b\\c"',
        '"a" b',
        'say "#1" # comment',
        "a \\\n   b\\\n\tc",
        "a \\\n\nmail_log_prefix = c",
        "a\\b \\\n# comment\nmail_log_prefix = c",
        "$mail_home/x",
    ],
)
def test_dovecot_reads_a_value_alike(tmp_path: Path, written: str) -> None:
    """What doveconf makes of a line is what we make of it."""
    path = _write(tmp_path, {"dovecot.conf": f"mail_home = h\nmail_log_prefix = {written}\n"})
    theirs = _doveconf(path, "-h", "mail_log_prefix").removesuffix("\n")

    assert _value(dovecot_config.read(path), "mail_log_prefix") == theirs


@pytest.mark.parametrize(
    ("text", "line", "message"),
    [
        ("a = b\nprotocol imap {\n", 2, "there is no } that ends the block protocol"),
        ("a = b\n}\n", 2, "there is no block for this } to end"),
        ("protocol imap { imap_metadata = yes }\n", 1, "there is more on the line after the {"),
        ("\n= b\n", 2, "there is no name before the ="),
        (
            "protocol imap\n{\n}",
            1,
            "this line is neither a setting (key = value) nor a block (name {, and } on a line of its own)",
        ),
        (
            "service imap{\n}",
            1,
            "this line is neither a setting (key = value) nor a block (name {, and } on a line of its own)",
        ),
        ("!include nowhere.conf\n", 1, "!include: there is no file nowhere.conf"),
        ("a = <<END\nb\n", 1, "there is no line END that ends the value"),
    ],
)
def test_broken_syntax(text: str, line: int, message: str) -> None:
    """What Dovecot would refuse is told with its place."""
    with pytest.raises(BadDovecotConfig) as caught:
        parse(text, "dovecot.conf")

    assert (str(caught.value), caught.value.origin.file, caught.value.origin.line) == (message, "dovecot.conf", line)


def test_the_place_of_a_long_line() -> None:
    """A setting over several lines stands where it begins."""
    found = parse("\nkey = a \\\n b\nother = c\n", "dovecot.conf")

    assert [str(entry.origin) for entry in found.entries] == ["dovecot.conf:2", "dovecot.conf:4"]


_PLUGINS = """\
mail_plugins = quota
protocol lmtp {
  mail_plugins = $mail_plugins notify push_notification
}
protocol !lmtp {
  mail_plugins = $mail_plugins acl
}
remote 10.0.0.0/8 {
  protocol lmtp {
    mail_plugins = $mail_plugins far
  }
}
"""


def test_plugins_of_2_3(tmp_path: Path) -> None:
    """$mail_plugins stands for the plugins set before it, in the blocks around; a block counts for its protocol."""
    config = parse(_PLUGINS, "dovecot.conf")
    path = _write(tmp_path, {"dovecot.conf": _PLUGINS})

    assert {name: sorted(config.plugins(name).names) for name in ("lmtp", "lda")} == {
        name: sorted(_doveconf(path, "-f", f"service={name}", "-h", "mail_plugins").split()) for name in ("lmtp", "lda")
    }
    assert config.plugins("lmtp").names == {"quota", "notify", "push_notification"}


def test_plugins_of_2_4() -> None:
    """A list replaces what was before, a block adds to it and takes from it."""
    text = """\
dovecot_config_version = 2.4.1
mail_plugins = quota,acl
mail_plugins {
  notify = yes
}
protocol lmtp {
  mail_plugins {
    push_notification = yes
    acl = no
  }
}
protocol lda {
  mail_plugins = sieve
}
"""
    config = parse(text, "dovecot.conf")

    assert {name: set(config.plugins(name).names) for name in ("imap", "lmtp", "lda")} == {
        "imap": {"quota", "acl", "notify"},
        "lmtp": {"quota", "notify", "push_notification"},
        "lda": {"sieve"},
    }


@pytest.mark.parametrize(
    ("remote", "expected"),
    [("10.1.2.3", "c"), ("10.2.0.1", "b"), ("192.0.2.1", "a"), ("2001:db8::1", "d")],
)
def test_the_most_specific_block_decides(tmp_path: Path, remote: str, expected: str) -> None:
    """Of blocks for the client's address the narrowest has the say, wherever it stands, as with Dovecot."""
    text = """\
remote 10.1.0.0/16 {
  mail_log_prefix = c
}
remote 10.0.0.0/8 {
  mail_log_prefix = b
}
remote 2001:db8::/32 {
  mail_log_prefix = d
}
mail_log_prefix = a
"""
    path = _write(tmp_path, {"dovecot.conf": text})
    found = _value(dovecot_config.read(path), "mail_log_prefix", Scope("imap", ipaddress.ip_address(remote)))
    theirs = _doveconf(path, "-f", "service=imap", "-f", f"remote={remote}", "-h", "mail_log_prefix").strip()

    assert (found, theirs) == (expected, expected)


def test_sections_lend_their_names() -> None:
    """A setting inside of a section is found under its full name, and a setting of another section is not."""
    text = (
        "service imap {\n  process_limit = 5\n}\nservice pop3 {\n  process_limit = 6\n}\nplugin {\n  mail_home = 7\n}\n"
    )
    config = parse(text, "dovecot.conf")

    assert _value(config, "service_imap_process_limit") == "5"
    assert _value(config, "mail_home") is None


def test_the_servers_own_address_is_asked_for() -> None:
    """A block for an address of the server's holds only for those who ask for it."""
    config = parse("local 10.0.0.1 {\n  mail_home = a\n}\n", "dovecot.conf")

    assert _value(config, "mail_home") is None
    assert _value(config, "mail_home", Scope("imap", None, (Block("local", "10.0.0.1"),))) == "a"


def test_a_binary_file(tmp_path: Path) -> None:
    """What is no text is not taken for a configuration."""
    path = tmp_path / "dovecot.conf"
    path.write_bytes(b"\x7fELF\0\0")
    with pytest.raises(BadDovecotConfig, match="is no text"):
        dovecot_config.read(path)


@pytest.mark.parametrize(
    ("text", "version", "is_new"),
    [
        ("# 2.3.19.1 (9b53102964): /etc/dovecot/dovecot.conf\n", (2, 3, 19, 1), False),
        ("# 2.2.9: /etc/dovecot/dovecot.conf\n", (2, 2, 9), False),
        ("# 2.4.1-4 (7d8c0e5759): /etc/dovecot/dovecot.conf\n", (2, 4, 1), True),
        ("# a\ndovecot_config_version = 2.4.0\n", (2, 4, 0), True),
        ("# 2.4.2 (0962ed2104): dovecot.conf\ndovecot_config_version = 2.4.0\n", (2, 4, 0), True),
        ("dovecot_config_version = 3.0.0\n", (3, 0, 0), True),
        ("# 10.0.0.1 is where mail is: here\n", (), False),
        ("dovecot_config_version = soon\n", (), False),
    ],
)
def test_the_version(text: str, version: tuple[int, ...], is_new: bool) -> None:
    """The version is what the configuration sets, else what doveconf printed above it."""
    config = parse(text, "doveconf -n")

    assert (config.version, config.has_new_syntax) == (version, is_new)


def test_what_doveconf_prints(tmp_path: Path) -> None:
    """What the installed doveconf prints says the same as the file that it read."""
    text = """\
mail_plugins = quota
protocol lmtp {
  mail_plugins = $mail_plugins notify push_notification
}
mail_attribute_dict = file:%h/x # y
remote 127.0.0.1 {
  protocol imap {
    imap_metadata = yes
  }
}
plugin/push_notification_driver2 = "dlog # x"
plugin {
  push_notification_driver = ox:url=http://a:b@h/x user_from_metadata
}
service imap {
  process_limit = 2000
}
"""
    path = _write(tmp_path, {"dovecot.conf": text})
    ours, printed = dovecot_config.read(path), parse(_doveconf(path, "-nP"), "doveconf -n")

    here = Scope("imap", ipaddress.ip_address("127.0.0.1"))
    for name in ("mail_attribute_dict", "imap_metadata", "service_imap_process_limit"):
        assert _value(ours, name, here) == _value(printed, name, here) is not None
    assert ours.plugins("lmtp").names == printed.plugins("lmtp").names
    assert [(d.name, d.kind, d.url) for d in drivers(ours, "lmtp")] == [
        (d.name, d.kind, d.url) for d in drivers(printed, "lmtp")
    ]
    assert printed.version[:2] == (2, 3)


def test_what_doveconf_hides(tmp_path: Path) -> None:
    """A secret that doveconf does not print is known to be hidden, and cuts off nothing behind it."""
    text = "plugin {\n  push_notification_driver = ox:url=http://a:b@h:1/x user_from_metadata\n}\n"
    printed = _doveconf(_write(tmp_path, {"dovecot.conf": text}), "-n")
    (driver,) = drivers(parse(f"doveconf: Warning: something\n{printed}", "doveconf -n"), "lmtp")

    assert driver.target is not None
    assert (str(driver.target), driver.target.is_hidden, driver.target.user_pass) == ("http://h:1/x", True, None)
    assert driver.is_user_from_metadata


def test_drivers_of_2_4() -> None:
    """A driver is a block, named for what it is or with a driver setting; prefixes may be left out."""
    text = """\
dovecot_config_version = 2.4.0
push_notification_ox_url = http://c:d@h/1
push_notification ox {
}
push_notification two {
  driver = ox
  push_notification_ox_url = http://a:b@h/2
  ox_user_from_metadata = yes
}
push_notification dlog {
}
protocol lda {
  push_notification ox {
    url = http://h/3
  }
}
"""
    config = parse(text, "dovecot.conf")
    found = {
        protocol: [
            (driver.name, driver.kind, str(driver.target), driver.is_user_from_metadata)
            for driver in drivers(config, protocol)
            if driver.is_ox
        ]
        for protocol in ("lmtp", "lda")
    }

    two = ("push_notification two", "ox", "http://h:80/2", True)
    assert found == {
        "lmtp": [("push_notification ox", "ox", "http://h:80/1", False), two],
        "lda": [("push_notification ox", "ox", "http://h:80/3", False), two],
    }


def test_groups_of_2_4() -> None:
    """A group's settings hold where it is included, and give way to those written there."""
    text = """\
dovecot_config_version = 2.4.0
group @push ours {
  mail_plugins = notify push_notification
  mail_home = a
}
protocol lmtp {
  mail_home = b
  @push = ours
}
"""
    config = parse(text, "dovecot.conf")

    assert config.plugins("lmtp").names == {"notify", "push_notification"}
    assert config.plugins("lda").names == frozenset()
    assert _value(config, "mail_home", Scope("lmtp")) == "b"


def test_references_of_2_4() -> None:
    """$SET:name stands for the value of another setting."""
    text = "dovecot_config_version = 2.4.0\nmail_home = a\nmail_path = x $SET:mail_home\nmail_path = $SET:mail_path y\n"

    assert _value(parse(text, "dovecot.conf"), "mail_path") == "x a y"


def test_no_secret_in_what_is_shown() -> None:
    """Neither a driver's password nor any other value is in what Python shows of a configuration."""
    text = "plugin {\n  push_notification_driver = ox:url=http://dovecot:geheim@h/x\n}\ndoveadm_password = geheim\n"
    config = parse(text, "dovecot.conf")
    (driver,) = drivers(config, "lmtp")

    assert "geheim" not in repr((config, driver, driver.target))
    assert "geheim" not in str(driver.target)


_LINES = st.sampled_from(
    [
        *_PLUGINS.splitlines(),
        "}",
        "{",
        "a = b \\",
        "",
        "#",
        '"',
        "!include x",
        "group @a b {",
        "@a = b",
        "a = <<E",
        "$a = $b",
    ]
)


@given(st.one_of(st.text(max_size=200), st.lists(_LINES, max_size=30).map("\n".join)))
def test_any_text(text: str) -> None:
    """Whatever the text, it is a configuration or told with a place; nothing else is raised."""
    try:
        config = parse(text, "dovecot.conf")
    except BadDovecotConfig as error:
        assert error.origin.line is not None
    else:
        config.plugins("lmtp")
        drivers(config, "lmtp")
