"""``oxpushctl test-push``: one push through the real path, step by step."""

from __future__ import annotations

import asyncio
import json
import re
import time
from collections.abc import Sequence
from dataclasses import dataclass
from email.utils import parseaddr
from typing import Any

import click

from oxpushctl import checks, outgoing
from oxpushctl.cli.options import Invocation
from oxpushctl.cli.output import say
from oxpushctl.cli.parameters import client_option, context_option, report_format_option, user_option
from oxpushctl.cli.stored import named_user, refuse_errors
from oxpushctl.config.configuration import Configuration
from oxpushctl.config.own import PUSH_MAX_AGE
from oxpushctl.engine.routes import Route
from oxpushctl.engine.trial import Step, Trial
from oxpushctl.errors import ConfigurationError, UnknownEntry
from oxpushctl.model import NEW_MAIL, Address, MailEvent, Message, Outcome, PushUser, Subscription, Verdict
from oxpushctl.storage import Storage, opened_storage
from oxpushctl.topics import matches

NOT_CONFIGURED = ConfigurationError.exit_code
_EXIT_CODES = {
    Verdict.DELIVERED: 0,
    Verdict.TOKEN_GONE: 67,
    Verdict.REJECTED: 65,
    Verdict.THROTTLED: 75,
    Verdict.UNREACHABLE: 75,
}
# With several devices the exit code tells of what most needs somebody to act.
_GRAVEST_FIRST = (NOT_CONFIGURED, 75, 65, 67, 0)
# Nobody in particular: a push to a bare token is on no user's behalf.
_NOBODY = PushUser(0, 0)


def _simulation(_ctx: click.Context, _option: click.Parameter, text: str | None) -> tuple[int, str] | None:
    if text is None:
        return None
    match = re.fullmatch(r"([1-5][0-9]{2})(?::([A-Za-z0-9_]+))?", text)
    if match is None:
        raise click.BadParameter(f"{text!r} is not a status and the provider's word, such as 410:Unregistered")
    return int(match[1]), match[2] or ""


@click.command("test-push")
@client_option(is_required=True)
@click.option("--token", metavar="T", help="The device's token; with --transport.")
@click.option("--transport", type=click.Choice(["apn", "gcm"]), help="The token's transport.")
@context_option()
@user_option()
@click.option("--subject", default="Test push", show_default=True, help="The mail's subject.")
@click.option("--from", "sender", default="oxpushctl <oxpushctl@localhost>", show_default=True, help="Its sender.")
@click.option("--unread", type=click.IntRange(0, 2**32 - 1), help="The number of unseen mails.")
@click.option("--silent", is_flag=True, help="A mail without words: a background push.")
@click.option("--dry-run", is_flag=True, help="Write the message, send nothing.")
@click.option("--validate-only", is_flag=True, help="Have Google check the message without delivering it.")
@click.option(
    "--simulate", callback=_simulation, metavar="STATUS[:REASON]", help="Send nothing: judge this answer instead."
)
@click.option("--apply", is_flag=True, help="Remove the subscription if the token is gone.")
@report_format_option()
@click.pass_context
def test_push(ctx: click.Context, /, **given: Any) -> None:
    """Send one push to a device (--token, --transport) or to the devices of a user (-u, -c), step by step.

    It takes the real path: the same routes, messages, connections and verdicts as the engine, which need not run.

    Exit code: 0 delivered, 67 token gone, 65 rejected, 75 throttled or unreachable, 78 not configured or our
    credentials are refused.
    """
    invocation = ctx.find_object(Invocation)
    assert invocation is not None  # noqa: S101  # made by the group above
    wish = _Wish(**given)
    wish.check()
    invocation.start_logging()
    configuration = checks.check_parts(invocation.configuration())
    refuse_errors(configuration)
    steps = asyncio.run(_Attempt(configuration, wish).run())
    code = _exit_code(steps)
    if wish.form == "json":
        click.echo(json.dumps({"steps": [_as_json(step) for step in steps], "exit": code}, indent=2))
    ctx.exit(code)


@dataclass(frozen=True, slots=True)
class _Wish:
    """The options as they were given."""

    client: str
    token: str | None
    transport: str | None
    context: int | None
    user: str | None
    subject: str
    sender: str
    unread: int | None
    silent: bool
    dry_run: bool
    validate_only: bool
    simulate: tuple[int, str] | None
    apply: bool
    form: str

    def check(self) -> None:
        """Refuse what does not go together."""
        if (self.token is None) == (self.user is None):
            raise click.UsageError("give either --token and --transport, or -u and -c")
        if (self.token is None) != (self.transport is None):
            raise click.UsageError("--token and --transport go together")
        if self.apply and self.token is not None:
            raise click.UsageError("--apply removes a stored subscription: it goes with -u and -c")
        if self.validate_only and self.transport == "apn":
            raise click.UsageError("--validate-only: only Google can check a message without delivering it")
        if self.simulate and self.dry_run:
            raise click.UsageError("--simulate and --dry-run exclude each other")

    def event(self, user: PushUser) -> MailEvent:
        """Make the mail that is told of."""
        name, email = parseaddr(self.sender)
        return MailEvent(
            user=user,
            folder="INBOX",
            uidvalidity=0,
            uid=0,  # no mail is there for an app to open
            sender=None if self.silent else Address(name, email or self.sender),
            subject="" if self.silent else self.subject,
            snippet="",
            unseen=self.unread,
            heard_by="test-push",
            at=time.time(),
        )


class _Attempt:
    """One run of the command."""

    def __init__(self, configuration: Configuration, wish: _Wish) -> None:
        self._configuration = configuration
        self._wish = wish

    async def run(self) -> list[Step]:
        """Walk the steps, print each as it comes, and return them all."""
        wish = self._wish
        async with opened_storage(self._configuration) as storage:
            user, subscriptions = await self._devices(storage)
            routes = outgoing.make_routes(self._configuration)
            trial = Trial(
                routes=routes,
                max_age_s=self._configuration.settings[PUSH_MAX_AGE],
                send=self._send,
                options={"validate_only": "true"} if wish.validate_only else {},
            )
            steps = []
            try:
                async for step in trial.steps(wish.event(user), subscriptions):
                    steps.append(step)
                    if wish.form == "text":
                        _print(step)
                    if wish.apply and step.outcome is not None and step.subscription is not None:
                        await _apply(storage, step.subscription, step.outcome)
            finally:
                await routes.aclose()
        return steps

    async def _devices(self, storage: Storage) -> tuple[PushUser, Sequence[Subscription]]:
        wish = self._wish
        if wish.token is not None and wish.transport is not None:
            subscription = Subscription(_NOBODY, wish.client, wish.transport, wish.token)
            return _NOBODY, [subscription]
        user = await named_user(storage.database, wish.context, wish.user or "")
        stored = await storage.subscriptions.listing(user, wish.client)
        wanted = [each for each in stored if any(matches(topic, NEW_MAIL) for topic in each.topics)]
        if not wanted:
            raise UnknownEntry(f"{user} has no device of {wish.client} that wants {NEW_MAIL}")
        return user, wanted

    async def _send(self, route: Route, message: Message) -> Outcome | None:
        wish = self._wish
        if wish.dry_run:
            return None
        if wish.simulate is not None:
            return outgoing.simulated(route.transport.name, *wish.simulate)
        if wish.validate_only and route.transport.name != "gcm":
            raise click.UsageError("--validate-only: only Google can check a message without delivering it")
        return await route.transport.send(message)


async def _apply(storage: Storage, subscription: Subscription, outcome: Outcome) -> None:
    """Do what the engine would do with a token that is gone."""
    if outcome.verdict is Verdict.TOKEN_GONE and not outcome.is_doubtful:
        is_removed = await storage.subscriptions.remove_gone(subscription, outcome.gone_since_ms)
        say("Subscription removed." if is_removed else "Subscription kept: it was renewed since.")


def _exit_code(steps: Sequence[Step]) -> int:
    codes = {NOT_CONFIGURED for step in steps if step.is_blocked}
    for outcome in (step.outcome for step in steps):
        if outcome is not None:
            codes.add(NOT_CONFIGURED if outcome.are_credentials_refused else _EXIT_CODES[outcome.verdict])
    return next((code for code in _GRAVEST_FIRST if code in codes), 0)


def _print(step: Step) -> None:
    first, *more = step.text.splitlines()
    click.echo(f"{step.name:14}{first}")
    for line in more:
        click.echo(f"{'':14}{line}")


def _as_json(step: Step) -> dict[str, object]:
    outcome = step.outcome
    row: dict[str, object] = {"step": step.name, "text": step.text, "blocked": step.is_blocked}
    if step.subscription is not None:
        row |= {"client": step.subscription.client, "transport": step.subscription.transport}
    if step.message is not None:
        row |= {"payload": json.loads(step.message.payload), "options": dict(step.message.options)}
    if outcome is not None:
        row |= {
            "verdict": outcome.verdict.value,
            "status": outcome.status,
            "reason": outcome.reason,
            "advice": outcome.advice,
            "provider_id": outcome.provider_id,
        }
    return row
