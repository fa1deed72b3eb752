"""What config check says about the Redis that keeps mail passwords, from its URL and from its answers."""

from __future__ import annotations

import sys
from contextlib import ExitStack
from pathlib import Path

import pytest

from oxpushctl.config.check import Wishes
from oxpushctl.config.codes import CATALOGUE
from oxpushctl.config.configuration import Configuration
from oxpushctl.config.finding import Finding, Reach, Severity
from oxpushctl.stores.check import check_kept_passwords
from oxpushctl.stores.redis_check import check_redis
from tests.config import folders
from tests.peers.certificates import Authority
from tests.peers.ports import free_port
from tests.peers.redis import Redis
from tests.stores.test_redis import RIGHTS

STORAGE = "com.openexchange.push.credstorage"
KEPT_IN_MEMORY = f"{STORAGE}.enabled=true\n{STORAGE}.passcrypt=sesame\n{STORAGE}.rdb=false\n"


def configured(etc: Path, url: str, *, kept: str = KEPT_IN_MEMORY, more: str = "") -> Configuration:
    own = f"oxpushctl.credentials.url={url}\n{more}"
    return folders.read(etc, {"oxpushctl.properties": own, "mail-push.properties": kept})


async def found(configuration: Configuration) -> list[Finding]:
    """Return what the check says: known codes at the line of the URL, at most warnings."""
    findings = await check_redis(configuration, Wishes())
    for finding in findings:
        assert finding.code in CATALOGUE
        assert (finding.file, finding.line, finding.key) == ("oxpushctl.properties", 1, "oxpushctl.credentials.url")
        assert finding.severity is not Severity.ERROR
        assert "sesame" not in repr(finding)
    return findings


async def test_server_as_it_should_be(tmp_path: Path, redis: Redis) -> None:
    """Nothing is said of a Redis that answers and writes nothing to disk."""
    configuration = configured(tmp_path, redis.url)

    assert list(check_kept_passwords(configuration)) == []
    assert await found(configuration) == []


@pytest.mark.parametrize(
    "kept", [KEPT_IN_MEMORY.replace("rdb=false", "rdb=true"), KEPT_IN_MEMORY.replace("enabled=true", "enabled=false")]
)
async def test_server_that_nobody_uses(tmp_path: Path, kept: str) -> None:
    """Where passwords are in the database, or none are kept, no Redis is asked."""
    configuration = configured(tmp_path, f"redis://127.0.0.1:{free_port()}/push", kept=kept)

    assert list(check_kept_passwords(configuration)) == []
    assert await found(configuration) == []


async def test_offline(tmp_path: Path) -> None:
    """Nobody is asked."""
    configuration = configured(tmp_path, f"redis://127.0.0.1:{free_port()}")

    assert await check_redis(configuration, Wishes(is_offline=True)) == []


async def test_nobody_answers(tmp_path: Path) -> None:
    """A server that does not run is a warning, without the password."""
    port = free_port()

    (finding,) = await found(configured(tmp_path, f"redis://push:sesame@127.0.0.1:{port}/2"))

    assert (finding.code, finding.severity) == ("OXP731", Severity.WARNING)
    assert finding.message == f"redis://127.0.0.1:{port}/2: Connection refused"
    assert "network and firewall" in finding.hint


async def test_untrusted_certificate(tmp_path: Path, running: ExitStack) -> None:
    """Where the certificate is of an unknown authority, it is said where to name it; then nothing is said."""
    authority = Authority(tmp_path)
    server = running.enter_context(Redis(certificate=authority.server()))

    (finding,) = await found(configured(tmp_path, server.url))
    assert (finding.code, finding.severity) == ("OXP731", Severity.WARNING)
    assert "its certificate is not trusted" in finding.message
    assert "oxpushctl.tls.ca" in finding.hint

    assert await found(configured(tmp_path, server.url, more=f"oxpushctl.tls.ca={authority.pem.name}\n")) == []


async def test_refused_login(tmp_path: Path, running: ExitStack) -> None:
    """A refused password is a warning that says where to look."""
    server = running.enter_context(Redis(password="other"))

    (finding,) = await found(configured(tmp_path, server.url_for("push", "sesame")))

    assert (finding.code, finding.severity) == ("OXP732", Severity.WARNING)
    assert "look at login and password" in finding.message


async def test_no_such_database(tmp_path: Path, redis: Redis) -> None:
    """A number that the server has no database for is a warning."""
    (finding,) = await found(configured(tmp_path, redis.url.replace("/0", "/99")))

    assert (finding.code, finding.severity) == ("OXP732", Severity.WARNING)


@pytest.mark.parametrize(
    ("options", "ways"),
    [
        (("--save", "3600 1"), "save"),
        (("--appendonly", "yes"), "appendonly"),
        (("--save", "3600 1", "--appendonly", "yes"), "save and appendonly"),
    ],
)
async def test_server_that_writes_to_disk(
    tmp_path: Path, running: ExitStack, options: tuple[str, ...], ways: str
) -> None:
    """A Redis that writes to disk is a warning that says by what, and how to switch it off."""
    server = running.enter_context(Redis(*options))

    (finding,) = await found(configured(tmp_path, server.url))

    assert (finding.code, finding.severity) == ("OXP733", Severity.WARNING)
    assert f"({ways})" in finding.message
    assert finding.hint == 'set save "" and appendonly no in its redis.conf'


@pytest.mark.parametrize(("options", "ways"), [((), ""), (("--appendonly", "yes"), "appendonly"), (("SAVE",), "save")])
async def test_login_that_may_not_see_settings(
    tmp_path: Path, running: ExitStack, options: tuple[str, ...], ways: str
) -> None:
    """Where the settings may not be seen, what the server did so far tells."""
    has_saved = options == ("SAVE",)
    server = running.enter_context(Redis(*(() if has_saved else options)))
    server.execute("ACL", "SETUSER", "push", "on", ">sesame", *RIGHTS, "+info")
    if has_saved:
        server.execute("SAVE")

    findings = await found(configured(tmp_path, server.url_for("push", "sesame")))

    assert [finding.code for finding in findings] == (["OXP733"] if ways else [])
    assert all(f"({ways})" in finding.message for finding in findings)


async def test_login_that_may_see_nothing(tmp_path: Path, running: ExitStack) -> None:
    """Where nothing may be seen, it is said that nothing is known."""
    server = running.enter_context(Redis())
    server.execute("ACL", "SETUSER", "push", "on", ">sesame", *RIGHTS)

    (finding,) = await found(configured(tmp_path, server.url_for("push", "sesame")))

    assert (finding.code, finding.severity) == ("OXP733", Severity.INFO)
    assert "cannot be told" in finding.message


@pytest.mark.parametrize("rest", ["127.0.0.1/push", "127.0.0.1/0?ssl_cert_reqs=none", "127.0.0.1/0#1"])
def test_unusable_urls(tmp_path: Path, rest: str) -> None:
    """A URL that says more than it can mean is an error with which nothing starts, without the password."""
    (finding,) = check_kept_passwords(configured(tmp_path, f"rediss://push:sesame@{rest}"))

    assert (finding.code, finding.severity, finding.reach) == ("OXP502", Severity.ERROR, Reach.ENGINE)
    assert finding.code in CATALOGUE
    assert (finding.file, finding.line, finding.key) == ("oxpushctl.properties", 1, "oxpushctl.credentials.url")
    assert finding.message.startswith("not the URL of a Redis")
    assert "sesame" not in repr(finding)


def test_library_is_missing(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Without the extra nothing starts, and it is said how to install it."""
    monkeypatch.setitem(sys.modules, "redis", None)

    (finding,) = check_kept_passwords(configured(tmp_path, "redis://127.0.0.1"))

    assert (finding.code, finding.severity, finding.reach) == ("OXP502", Severity.ERROR, Reach.ENGINE)
    assert "pip install 'oxpushctl[redis]'" in finding.message


async def test_url_with_an_error(tmp_path: Path) -> None:
    """What is no URL of a Redis at all was told before, and leads nowhere."""
    configuration = configured(tmp_path, "http://127.0.0.1")

    assert list(check_kept_passwords(configuration)) == []
    assert await found(configuration) == []
