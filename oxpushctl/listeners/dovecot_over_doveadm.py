"""Registering at Dovecot over doveadm: hundreds of mailboxes in a request, and no password."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field

from oxpushctl.config.settings import Settings
from oxpushctl.errors import BadData, ConfigurationError, OxpushctlError, TryLater, UnknownEntry
from oxpushctl.listeners import doveadm_metadata as metadata
from oxpushctl.listeners.doveadm_metadata import AsksDoveadm
from oxpushctl.listeners.doveadm_names import name_of
from oxpushctl.listeners.doveadm_troubles import SecretRefused
from oxpushctl.listeners.dovecot_registrar import (
    Cleared,
    Intend,
    Mailbox,
    Registered,
    Standing,
    see_it_kept,
    standing_of,
    without,
)
from oxpushctl.listeners.dovecot_value import ENTRY, Values
from oxpushctl.listeners.mailbox_names import MailboxNames
from oxpushctl.listeners.namesakes import Namesakes
from oxpushctl.model import PushUser

Name = str | OxpushctlError
Value = str | None | OxpushctlError


@dataclass(frozen=True, slots=True)
class _Place:
    """A user's mailbox as ``name`` opens it, and what is to stand there."""

    user: PushUser
    name: str
    value: str = field(repr=False)


class DoveadmRegistrar:
    """A ``Registrar`` over doveadm, which opens any mailbox: ``namesakes`` know whose two users would share."""

    at_once = 500

    def __init__(self, doveadm: AsksDoveadm, names: MailboxNames, namesakes: Namesakes, settings: Settings) -> None:
        self._doveadm = doveadm
        self._names = names
        self._namesakes = namesakes
        self._settings = settings

    def reload(self, settings: Settings) -> None:
        """Take over changed settings, such as another delimiter of a proxy."""
        self._settings = settings
        self._namesakes.forget()

    async def verify_or_set(
        self, mailboxes: Sequence[Mailbox], values: Values, intend: Intend | None
    ) -> Sequence[Registered | OxpushctlError]:
        """See that each mailbox has its value."""
        names = await self._own_names([each.user for each in mailboxes])
        places, refused = self._placed(names, values)
        answers: dict[PushUser, Registered | OxpushctlError] = dict(refused)
        lacking: dict[str, _Place] = {}
        for known_as, found in (await metadata.get(self._doveadm, ENTRY, places)).items():
            place = places[known_as]
            answers[place.user] = answer = _seen(place, found)
            if isinstance(answer, Registered) and answer.standing is not Standing.ALREADY:
                lacking[known_as] = place
        if intend is not None and lacking:
            about_to = [answers[place.user] for place in lacking.values()]
            await intend([each for each in about_to if isinstance(each, Registered)])
            answers |= await self._not_written(lacking)
        return [answers[each.user] for each in mailboxes]

    async def unset(
        self, mailboxes: Sequence[Mailbox], values: Values, *, is_dry: bool = False
    ) -> Sequence[Cleared | OxpushctlError]:
        """Remove the values that are ours; a mailbox that is no longer there has none."""
        remembered = {each.user: each for each in mailboxes}
        unknown = [user for user, each in remembered.items() if not each.name]
        names: dict[PushUser, Name] = {user: each.name for user, each in remembered.items() if each.name}
        places, refused = self._placed({**names, **await self._names.of(unknown, is_kept_first=False)}, values)
        answers: dict[PushUser, Cleared | OxpushctlError] = dict(refused)
        ours: dict[str, _Place] = {}
        for known_as, found in (await metadata.get(self._doveadm, ENTRY, places)).items():
            place = places[known_as]
            mailbox = remembered[place.user]
            if isinstance(found, str) and values.is_ours(place.user, found.encode(), mailbox.about):
                ours[known_as] = place
                answers[place.user] = Cleared.REMOVED
            elif isinstance(found, OxpushctlError):
                is_gone = isinstance(found, UnknownEntry) and mailbox.name
                answers[place.user] = Cleared.NOTHING if is_gone else _told(place, found)
            else:
                answers[place.user] = Cleared.NOTHING if found is None else Cleared.ANOTHERS
        if not is_dry:
            failed = await metadata.unset(self._doveadm, ENTRY, ours)
            answers |= {ours[name].user: _told(ours[name], error) for name, error in failed.items() if error}
        return [answers[each.user] for each in mailboxes]

    async def _own_names(self, users: Sequence[PushUser]) -> Mapping[PushUser, Name]:
        """Return the names of mailboxes, each of which is one user's only."""
        names: dict[PushUser, Name] = dict(await self._names.of(users, is_kept_first=False))
        later: TryLater | None = None
        for user, name in names.items():
            if isinstance(name, OxpushctlError):
                continue
            try:
                if later is not None:  # the others would wait as well
                    raise later
                await self._namesakes.refuse_double(user, name, self._settings)
            except BadData as error:
                names[user] = error
            except TryLater as error:
                names[user] = later = error
        return names

    async def unset_former(self, mailboxes: Sequence[Mailbox], values: Values) -> Sequence[Cleared | OxpushctlError]:
        """Remove what is ours from mailboxes by their names: their users have others by now."""
        return await self.unset(mailboxes, values)

    def _placed(
        self, names: Mapping[PushUser, Name], values: Values
    ) -> tuple[Mapping[str, _Place], Mapping[PushUser, OxpushctlError]]:
        """Return the mailboxes by what doveadm knows them by, and the users who have none of their own."""
        users: dict[str, list[PushUser]] = {}
        refused = {user: name for user, name in names.items() if isinstance(name, OxpushctlError)}
        for user, name in names.items():
            if isinstance(name, str):
                users.setdefault(name_of(name, self._settings), []).append(user)
        places: dict[str, _Place] = {}
        for known_as, its in users.items():
            if len(its) == 1:
                places[known_as] = _Place(its[0], str(names[its[0]]), values.of(its[0]))
            else:
                whose = " and ".join(map(str, its[:2]))
                refused |= {user: BadData(f"{whose} have the same mailbox at Dovecot, {known_as!r}") for user in its}
        return places, refused

    async def _not_written(self, places: Mapping[str, _Place]) -> Mapping[PushUser, OxpushctlError]:
        """Write what is lacking; return what failed, or is not there then."""
        written = await metadata.set_each(self._doveadm, ENTRY, {name: each.value for name, each in places.items()})
        found = await metadata.get(self._doveadm, ENTRY, [name for name, error in written.items() if error is None])
        failed: dict[PushUser, OxpushctlError] = {}
        for known_as, place in places.items():
            answer = written[known_as] or found[known_as]
            try:
                if isinstance(answer, OxpushctlError):
                    raise answer
                see_it_kept(place.value, _bytes(answer), repr(place.name))
            except OxpushctlError as error:
                failed[place.user] = _told(place, error)
        return failed


def _seen(place: _Place, found: Value) -> Registered | OxpushctlError:
    if isinstance(found, OxpushctlError):
        return _told(place, found)
    return Registered(place.user, place.name, standing_of(place.value, _bytes(found)))


def _bytes(value: str | None) -> bytes | None:
    return None if value is None else value.encode("utf-8", "surrogatepass")


def _told(place: _Place, error: OxpushctlError) -> OxpushctlError:
    """Return what is said of a failure: that our key is refused says nothing about any user."""
    if isinstance(error, SecretRefused):
        return ConfigurationError(str(error))
    return without(place.value, error, repr(place.name))
