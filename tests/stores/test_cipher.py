from __future__ import annotations

from base64 import b64decode, b64encode
from concurrent.futures import ThreadPoolExecutor

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from oxpushctl.errors import BadData, ConfigurationError, Undecipherable
from oxpushctl.stores.cipher import LONGEST_PASSWORD, LONGEST_VALUE, Cipher, is_legacy, is_wellformed, salt_of
from tests.stores.kept_passwords import key_7, key_8, text_8, value_7, value_8

SALT = bytes(range(100, 116))
PASSPHRASES = ["secret", "pass crypt 123", "pÀßwÔrd;", "passwordpasswordpasswordpassword"]
KEYS_7 = [
    "b054b25cf15c5e093100214b7cbd9d49",
    "c2526216d38c22484e775446402069b0",
    "98c9de40dad9fdcad65dca464b36dfee",
    "616bf183fa7bca65dfe57f82e7f6ed3c",
]
# What the middleware itself made of two passwords, by passphrase.
VALUES_7 = {
    "secret": ("Ly0IuBiCK80hvTD1f81Q9A==", "m6V5NIfOEW6Q6XFp9tv3sA=="),
    "pass crypt 123": ("SXpE/yOP1OXfC5uSf+y3mQ==", "kUNmScXRsoGOMh5itvDYqg=="),
    "pÀßwÔrd;": ("SzM9ApIFxA1XR+HwVpoDmw==", "NflnTEgKPLWkTLpVjB4K8g=="),
    "passwordpasswordpasswordpassword": ("tzHvqZn4GutTxldcx8oQog==", "SMrs7cxnrDV39JXqJFjHbQ=="),
}
VALUE_8 = "AAECAwQFBgcICQoL$ZGVmZ2hpamtsbW5vcHFycw==$15360$2$1$UeT3DqNs/bjq+VMOdujNqvhQefwas3wdwLIyYg=="
VALUES_8 = {
    ("secret", "Hello World!", "c4f2f9f9312a1cf2291c9b832abadcdef7d857650ef71a8aac1f27d10c319d53"): VALUE_8,
    ("pass crypt 123", "s3crét", "1d7e9aafe19a783477c638f40f74f9cd7151a181ff24827bc2b3b1ba0aed1bcf"): (
        "AAECAwQFBgcICQoL$ZGVmZ2hpamtsbW5vcHFycw==$15360$2$1$ElurMcKWLVn/9QCBh8nQa+o+iPoOqnA="
    ),
}
OURS = Cipher("secret", SALT)
LEGACY_VALUE = value_7("secret", b"a password of two blocks")

BASE64 = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/="
TEXTS = st.text(min_size=1, max_size=LONGEST_PASSWORD // 4)


@st.composite
def damage(draw: st.DrawFn, value: str) -> str:
    """One character of a value replaced, left out, or put in."""
    at = draw(st.integers(0, len(value)))
    put_in = draw(st.sampled_from(["", *BASE64, "$", " ", "\n", "ä", "\0"]))
    damaged = value[:at] + put_in + value[at + draw(st.integers(0, 1)) :]
    return damaged if damaged != value else value[:-1]


@pytest.mark.parametrize("passphrase", PASSPHRASES)
def test_values_of_7(passphrase: str) -> None:
    """What the middleware 7.x wrote is read, with passphrases and passwords of any characters."""
    cipher = Cipher(passphrase)

    assert [cipher.decrypt(value) for value in VALUES_7[passphrase]] == ["Hello World!", "s3crét"]


@pytest.mark.parametrize("known", VALUES_8)
def test_values_of_8(known: tuple[str, str, str]) -> None:
    """What the middleware 8.x wrote is read, whether its salt is ours or not."""
    passphrase, text, _ = known

    assert [Cipher(passphrase, salt).decrypt(VALUES_8[known]) for salt in (SALT, None)] == [text, text]


@pytest.mark.parametrize("known", VALUES_8)
def test_values_that_we_write(known: tuple[str, str, str]) -> None:
    """What we write has the middleware's parameters, our salt, and opens with the middleware's key."""
    passphrase, text, key = known

    written = Cipher(passphrase, SALT).encrypt(text)

    assert written.split("$")[1:5] == VALUES_8[known].split("$")[1:5]
    assert len(written) == len(VALUES_8[known])
    assert text_8(written, bytes.fromhex(key)) == text


@pytest.mark.parametrize(("passphrase", "key"), [*zip(PASSPHRASES, KEYS_7, strict=True)])
def test_recipe_of_these_tests(passphrase: str, key: str) -> None:
    """The recipe that these tests write the older format with gives the middleware's keys and values."""
    assert key_7(passphrase).hex() == key
    assert tuple(value_7(passphrase, text.encode()) for text in ("Hello World!", "s3crét")) == VALUES_7[passphrase]


@given(TEXTS)
@settings(deadline=None)
def test_round_trip(text: str) -> None:
    """Any text comes back as it was, fits the column, and has a value of its own each time."""
    value, other = OURS.encrypt(text), OURS.encrypt(text)

    assert OURS.decrypt(value) == text
    assert value != other
    assert len(value) <= LONGEST_VALUE


@given(TEXTS)
@settings(deadline=None)
def test_any_text_of_7(text: str) -> None:
    """Any text that the middleware 7.x encrypted comes back as it was."""
    assert OURS.decrypt(value_7("secret", text.encode())) == text


@pytest.mark.parametrize("text", ["a" * LONGEST_PASSWORD, "😀" * 82, " ", "\0", "p$ss$word", "\r\n"])
def test_odd_passwords(text: str) -> None:
    """The longest password, emoji, blanks and control characters come back exactly."""
    assert OURS.decrypt(OURS.encrypt(text)) == text


@pytest.mark.parametrize("text", ["", "a" * (LONGEST_PASSWORD + 1), "ä" * 165, "secret\ud800"])
def test_passwords_that_cannot_be_kept(text: str) -> None:
    """A password that is empty, longer than its column or no text is refused, and nothing tells it."""
    with pytest.raises(BadData) as refused:
        OURS.encrypt(text)

    assert "secret" not in str(refused.value)
    assert refused.value.__context__ is None  # it would have the password in it


@given(damage(VALUE_8))
@settings(deadline=None)
def test_any_damage(damaged: str) -> None:
    """A value of 8.x that lost, got or changed any character is refused, and the refusal does not show it."""
    with pytest.raises(Undecipherable) as refused:
        OURS.decrypt(damaged)

    assert not any(part in str(refused.value) for part in damaged.split("$") if len(part) > 10)


@given(damage(LEGACY_VALUE))
@settings(deadline=None)
def test_any_damage_of_7(damaged: str) -> None:
    """A damaged value of 7.x is refused or, since nothing authenticates it, another text: never the same."""
    try:
        text = OURS.decrypt(damaged)
    except Undecipherable:
        return

    assert text != "a password of two blocks"


def test_same_bytes_spelt_otherwise() -> None:
    """Base64 whose spare bits are not zero is damage as well, though it has the same bytes."""
    damaged = VALUE_8.replace("Yg==", "Yh==")

    assert b64decode(damaged[-28:]) == b64decode(VALUE_8[-28:])
    with pytest.raises(Undecipherable):
        OURS.decrypt(damaged)


@pytest.mark.parametrize(
    ("value", "reason"),
    [
        ("", "is an empty one"),
        ("hunter2", "is not encrypted"),
        ("correct horse battery staple", "is not encrypted"),
        ("SGVsbG8=", "is not encrypted"),
        ("A" * 600, "has 600 characters"),
        ("$$$$$", "six parts"),
        (VALUE_8.replace("$15360", "$015360"), "six parts"),
        (VALUE_8 + "\n", "six parts"),
        (VALUE_8.replace("$15360", "$٣"), "six parts"),
        (VALUE_8.replace("$15360", "$7"), "too few"),
        (VALUE_8.replace("$15360", "$262145"), "more than"),
        (VALUE_8.replace("$15360", "$9999999"), "more than"),
        (VALUE_8.replace("$2$", "$257$"), "more than"),
        (VALUE_8.replace("$15360$2$", "$65536$65$"), "more than"),
        (VALUE_8.replace("$1$U", "$17$U"), "more than"),
    ],
)
def test_kinds_of_damage(value: str, reason: str) -> None:
    """A value that is none is refused before any work, with words on what is wrong with it and without itself."""
    with pytest.raises(Undecipherable, match=reason) as refused:
        OURS.decrypt(value)

    assert not value or value not in str(refused.value)
    assert OURS.is_quick(value)
    assert not is_wellformed(value)


@pytest.mark.parametrize(
    "value",
    [value_8("another", "password"), value_7("secret", b"\xff"), VALUES_7["pÀßwÔrd;"][0]],
    ids=["8.x", "7.x, no text", "7.x"],
)
def test_another_passphrase(value: str) -> None:
    """What another passphrase encrypted is refused, never taken for a password."""
    assert is_wellformed(value)

    with pytest.raises(Undecipherable, match="damaged, or was encrypted with another passphrase") as refused:
        OURS.decrypt(value)

    assert refused.value.__context__ is None  # it would have what was decrypted in it


@pytest.mark.parametrize("value", [value_8("secret", ""), value_7("secret", b"")], ids=["8.x", "7.x"])
def test_empty_password(value: str) -> None:
    """An encrypted empty password is refused: a log-in with it may be one as nobody."""
    with pytest.raises(Undecipherable, match="empty"):
        OURS.decrypt(value)


def test_other_parameters() -> None:
    """A value tells its own parameters."""
    value = value_8("secret", "password", memory=64, iterations=3, lanes=2)

    assert OURS.decrypt(value) == "password"
    assert not OURS.is_own(value)


def test_what_a_value_is() -> None:
    """Whose salt a value has, and which format, shows without the passphrase; whether it is quick to open as well."""
    cipher = Cipher("secret", SALT)
    foreign = value_8("secret", "password")

    assert [salt_of(value) for value in (VALUE_8, LEGACY_VALUE, "$")] == [SALT, None, None]
    assert [is_legacy(value) for value in (VALUE_8, LEGACY_VALUE)] == [False, True]
    assert [cipher.is_own(value) for value in (VALUE_8, LEGACY_VALUE, foreign)] == [True, False, False]
    assert [cipher.is_quick(value) for value in (VALUE_8, LEGACY_VALUE, foreign)] == [False, True, False]

    for value in (VALUE_8, foreign):
        cipher.decrypt(value)

    assert [cipher.is_quick(value) for value in (VALUE_8, foreign)] == [True, False]


@pytest.mark.parametrize("passphrase", [" secret\t", "\n secret \u2003\u3000", "secret\x1c"])
def test_passphrase_is_stripped(passphrase: str) -> None:
    """Blanks around the passphrase do not count, as with the middleware."""
    assert Cipher(passphrase).decrypt(VALUES_7["secret"][0]) == "Hello World!"


def test_blank_that_is_none_to_java() -> None:
    """A no-break space belongs to the passphrase, as with the middleware."""
    assert Cipher("secret\xa0").decrypt(value_7("secret\xa0", b"password")) == "password"


@pytest.mark.parametrize("passphrase", ["", "  ", "secret\udcff"])
def test_passphrases_of_no_use(passphrase: str) -> None:
    """A passphrase that is empty or no text is refused and not shown."""
    with pytest.raises(
        ConfigurationError, match="the passphrase for kept mail passwords is empty or not UTF-8"
    ) as refused:
        Cipher(passphrase)

    assert refused.value.__context__ is None


def test_passphrase_is_not_shown() -> None:
    """Neither a cipher nor its seal shows the passphrase or a key."""
    shown = repr(OURS) + str(OURS) + OURS.seal()

    assert not any(secret in shown for secret in ("secret", "40e42cbd", key_8("secret", SALT).hex()))


def test_seal() -> None:
    """Who has the passphrase opens the seal, with its salt; others do not, and what is no seal is none."""
    seal = OURS.seal()
    opened = Cipher.of_seal("secret", seal)

    assert opened is not None
    assert opened.salt == SALT
    assert [Cipher.of_seal("Secret", seal), Cipher.of_seal("secret", VALUE_8), Cipher.of_seal("secret", "")] == [
        None
    ] * 3
    assert Cipher.of_seal("secret", value_7("secret", b"oxpushctl")) is None


def test_seal_is_no_hash() -> None:
    """Two installations with the same passphrase have seals that have nothing in common."""
    one, other = Cipher("secret").seal().split("$"), Cipher("secret").seal().split("$")

    assert [part for part in one if part in other] == ["15360", "2", "1"]


def test_many_threads() -> None:
    """Threads that share a cipher get in nobody's way, with its own key and with others."""
    cipher = Cipher("secret", SALT)
    values = {VALUE_8: "Hello World!", VALUES_7["secret"][0]: "Hello World!"}
    values |= {value_8("secret", f"password {number}"): f"password {number}" for number in range(6)}
    with ThreadPoolExecutor(8) as pool:
        texts = list(pool.map(cipher.decrypt, [*values] * 4))

    assert texts == [*values.values()] * 4


def test_base64_of_any_length() -> None:
    """The pattern of base64 takes what encoders write, and nothing else of the same length."""
    ends = {len(text): b64encode(text.encode()).decode() for text in ("a" * 15, "a" * 16, "a" * 31, "a" * 32)}

    assert [is_wellformed(value) for value in ends.values()] == [False, True, False, True]
