"""``oxpushctl test-push``: the real path, step by step, against the sandbox."""

from __future__ import annotations

import json
from collections.abc import AsyncIterator
from pathlib import Path

import pytest

from oxpushctl.cli import manual_reports
from oxpushctl.sandbox.sandbox import Sandbox
from oxpushctl.sandbox.write_etc import BEARER_CLIENT, CERTIFICATE_CLIENT, identity_in, write_etc
from tests.peers.engine import command

Result = tuple[int, str, str]


class Bench:
    """The command on a configuration of the sandbox's."""

    def __init__(self, sandbox: Sandbox, folder: Path) -> None:
        self.sandbox = sandbox
        self.etc = folder / "etc"
        self._state = folder / "state"

    async def run(self, *arguments: str) -> Result:
        return await command(self.etc, self._state, *arguments)

    async def push(self, *arguments: str, client: str = CERTIFICATE_CLIENT) -> Result:
        return await self.run("test-push", "-i", client, *arguments)

    async def subscribe(self, token: str) -> None:
        code, _, err = await self.run(
            *("subscriptions", "add", "-c", "1", "-u", "3", "-i", CERTIFICATE_CLIENT),
            *("--transport", "apn", "--token", token),
        )
        assert code == 0, err


@pytest.fixture
async def bench(tmp_path: Path) -> AsyncIterator[Bench]:
    sandbox = Sandbox(identity_in(tmp_path / "etc"))
    await sandbox.start()
    write_etc(tmp_path / "etc", sandbox.identity, endpoint=sandbox.url)
    yield Bench(sandbox, tmp_path)
    await sandbox.aclose()


@pytest.mark.parametrize("client", [CERTIFICATE_CLIENT, BEARER_CLIENT])
@pytest.mark.parametrize("transport", ["apn", "gcm"])
async def test_push_to_a_token_is_delivered(bench: Bench, client: str, transport: str) -> None:
    """With certificate, provider token and service account: the five steps, exit code 0, and the phone has it."""
    code, out, err = await bench.push(
        "--token", "aa11", "--transport", transport, "--subject", "Lunch?", "--from", "Anna <a@b.c>", client=client
    )
    assert (code, err) == (0, "")
    assert [line.split()[0] for line in out.splitlines() if not line.startswith(" ")] == [
        "event",
        "subscription",
        "route",
        "message",
        "outcome",
    ]
    (push,) = bench.sandbox.pushes
    assert (push.at("aps", "alert", "title") or push.at("data", "subject")) == "Lunch?"


@pytest.mark.parametrize(
    ("transport", "token", "code", "word"),
    [
        ("apn", "410a", 67, "Unregistered"),
        ("apn", "429a", 75, "TooManyRequests"),
        ("apn", "503a", 75, "ServiceUnavailable"),
        ("apn", "413a", 65, "PayloadTooLarge"),
        ("gcm", "404a", 67, "UNREGISTERED"),
        ("gcm", "429a", 75, "QUOTA_EXCEEDED"),
        ("gcm", "reset", 75, "unreachable"),
    ],
)
async def test_exit_code_is_the_verdict(bench: Bench, transport: str, token: str, code: int, word: str) -> None:
    """Scripts see what became of the push, people read the provider's word."""
    result, out, _ = await bench.push("--token", token, "--transport", transport)
    assert (result, word in out) == (code, True)


async def test_refused_credentials_are_78(bench: Bench) -> None:
    """403 is about our certificate, not about the device: nothing that waiting would mend."""
    code, out, _ = await bench.push("--token", "403a", "--transport", "apn")
    assert (code, "unreachable, HTTP 403" in out) == (78, True)


async def test_unknown_client_is_78(bench: Bench) -> None:
    """A client that no file configures: said at the step where it stops."""
    code, out, _ = await bench.push("--token", "aa", "--transport", "apn", client="open-xchange-mobile-api-facade-x")
    assert (code, "no usable credentials" in out) == (78, True)


async def test_push_to_a_user_reaches_each_device(bench: Bench) -> None:
    """-u and -c: every device of that client, and of no other."""
    await bench.subscribe("aa11")
    await bench.subscribe("bb22")
    code, _, _ = await bench.push("-c", "1", "-u", "3")
    assert (code, sorted(push.token for push in bench.sandbox.pushes)) == (0, ["aa11", "bb22"])


async def test_user_without_device_is_67(bench: Bench) -> None:
    """Nobody to push to is not a success."""
    code, _, err = await bench.push("-c", "1", "-u", "3")
    assert (code, "3@1 has no device" in err) == (67, True)


@pytest.mark.parametrize(("options", "left"), [((), ["410aa"]), (("--apply",), [])])
async def test_gone_token_stays_unless_applied(bench: Bench, options: tuple[str, ...], left: list[str]) -> None:
    """A test changes no subscription by itself."""
    await bench.subscribe("410aa")
    code, _, _ = await bench.push("-c", "1", "-u", "3", *options)
    _, out, _ = await bench.run("subscriptions", "list", "-f", "json")
    assert (code, [row["token"] for row in json.loads(out)]) == (67, left)


async def test_dry_run_sends_nothing(bench: Bench) -> None:
    """The message is written and shown, and that is all."""
    code, out, _ = await bench.push("--token", "aa11", "--transport", "apn", "--dry-run", "--unread", "7")
    assert (code, '"badge":7' in out, bench.sandbox.pushes) == (0, True, ())


async def test_simulated_answer_is_judged(bench: Bench) -> None:
    """What would follow if Apple said this, without asking Apple."""
    code, out, _ = await bench.push("--token", "aa", "--transport", "apn", "--simulate", "400:DeviceTokenNotForTopic")
    assert (code, "topic:" in out, bench.sandbox.pushes) == (65, True, ())


async def test_validate_only_delivers_nothing(bench: Bench) -> None:
    """Google checks the message and no phone shows it."""
    code, _, _ = await bench.push("--token", "aa", "--transport", "gcm", "--validate-only")
    assert (code, bench.sandbox.pushes) == (0, ())


async def test_silent_push_has_no_words(bench: Bench) -> None:
    """--silent wakes the app and shows nothing: a background push."""
    await bench.push("--token", "aa", "--transport", "apn", "--silent")
    (push,) = bench.sandbox.pushes
    assert (push.headers["apns-push-type"], push.at("aps", "alert")) == ("background", None)


async def test_json_has_every_step(bench: Bench) -> None:
    """For programs: the steps, the payload, the verdict and the exit code."""
    code, out, _ = await bench.push("--token", "aa11", "--transport", "apn", "-f", "json")
    report = json.loads(out)
    assert (code, report["exit"]) == (0, 0)
    assert [step["step"] for step in report["steps"]] == ["event", "subscription", "route", "message", "outcome"]
    assert report["steps"][-1]["verdict"] == "delivered"


async def test_json_is_what_the_manual_says(bench: Bench) -> None:
    """oxpushctl(1) names every field, and none that is not there."""
    _, out, _ = await bench.push("--token", "aa11", "--transport", "apn", "-f", "json")
    report = json.loads(out)
    described = [{name for name, _, _ in fields} for _, fields in manual_reports.OBJECTS[-2:]]
    assert [set(report), set().union(*report["steps"])] == described


@pytest.mark.parametrize(
    "arguments",
    [
        (),
        ("--token", "aa"),
        ("--transport", "apn"),
        ("--token", "aa", "--transport", "apn", "-u", "3"),
        ("--token", "aa", "--transport", "apn", "--apply"),
        ("--token", "aa", "--transport", "apn", "--validate-only"),
        ("--token", "aa", "--transport", "apn", "--simulate", "gone"),
        ("--token", "aa", "--transport", "apn", "--simulate", "410", "--dry-run"),
        ("--token", "aa", "--transport", "apn", "--unread", str(2**64)),
    ],
)
async def test_what_does_not_go_together_is_usage(bench: Bench, arguments: tuple[str, ...]) -> None:
    """Refused with 2 and a word why, before anything is sent."""
    code, _, err = await bench.push(*arguments)
    assert (code, "Error:" in err, bench.sandbox.pushes) == (2, True, ())


async def test_token_is_not_shown(bench: Bench) -> None:
    """The output can be pasted into a ticket."""
    token = "0123456789abcdef" * 4
    _, out, err = await bench.push("--token", token, "--transport", "apn", "-f", "json")
    assert token not in out + err
