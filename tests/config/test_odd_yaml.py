"""Options files as they are found: empty, odd, large or broken, never a traceback."""

from __future__ import annotations

from pathlib import Path
from tempfile import TemporaryDirectory

import pytest
from hypothesis import given
from hypothesis import strategies as st

from oxpushctl.config.clients.reader import read_options
from oxpushctl.config.finding import Severity
from tests.config import folders
from tests.config.folders import CLIENT


@pytest.mark.parametrize(
    "content", ["", "\n", "# only\n# comments\n", "---\n", "--- # and\n...\n", "~\n", "\ufeff", "\ufeff#"]
)
def test_a_file_without_clients_is_fine(tmp_path: Path, content: str) -> None:
    """Packages deliver such files."""
    for name in ("pns-apns-options.yml", "pns-gcm-options.yml", "pns-mobile-api-facade-clients.yml"):
        folders.write(tmp_path, {name: content})
    reading = read_options(tmp_path)
    assert (reading.clients, reading.facade_clients, reading.findings) == ([], set(), [])


@pytest.mark.parametrize(
    ("yaml", "ids"),
    [
        ("123: &a {enabled: true}\ntrue: *a\n1.50: *a\n2024-01-01: *a\nno: *a\n", "123 true 1.50 2024-01-01 no"),
        ("\ufeffa: {enabled: true}\r\nb: {enabled: true}\r\n", "a b"),
        ("a: &x {enabled: true}\nb: &x {enabled: false}\nc: *x\n", "a"),
        ("!!map {!!str a: !x {enabled: !!bool 'true'}}\n", "a"),
    ],
    ids=["numbers and booleans", "byte order mark and CR LF", "an anchor twice", "tags"],
)
def test_odd_yaml_is_read_as_it_is_meant(tmp_path: Path, yaml: str, ids: str) -> None:
    """A client's id is the text that stands there, and an anchor is the last one of its name."""
    folders.write(tmp_path, {"pns-mobile-api-facade-clients.yml": yaml})
    reading = read_options(tmp_path)
    assert (reading.facade_clients, reading.findings) == (set(ids.split()), [])


@pytest.mark.parametrize(
    ("yaml", "places"),
    [
        ("~: {enabled: true}\n", [(1, 1)]),
        ("? [a]\n: {enabled: true}\n", [(1, 3)]),
        ("'': {enabled: true}\n", [(1, 1)]),
        ("a: &a {enabled: true}\nb:\n<<: {c: *a}\n", [(2, 1), (3, 1)]),
        ("a: &a {description: *a}\n", [(1, 4)]),
        ("a:\n  enabled: *none\n", [(2, 12)]),
        ("a:\n \tenabled: true\n", [(2, 2)]),
        ("a:\n  - enabled\n", [(1, 1)]),
        ("12\n", [(1, 1)]),
        ("a: {enabled: [true]}\n", [(1, 14)]),
        ("a: {enabled: 1}\n", [(1, 14)]),
        ("a: {enabled: true\n", [(2, 1)]),
    ],
)
def test_yaml_that_means_nothing_is_told_with_its_place(
    tmp_path: Path, yaml: str, places: list[tuple[int, int]]
) -> None:
    """Each fault is an error of its own, at the line and column where an editor goes to."""
    folders.write(tmp_path, {"pns-mobile-api-facade-clients.yml": yaml})
    findings = read_options(tmp_path).findings
    assert [(found.line, found.column) for found in findings] == places
    assert {found.severity for found in findings} == {Severity.ERROR}


def test_the_suffix_alone_is_no_client(tmp_path: Path) -> None:
    """An 8.x id without the app before the suffix belongs to nobody."""
    files = {"pushClientConfig/x.yml": "-ios: {_type: apn, keystore: cert.pem}\n", "cert.pem": ""}
    configuration = folders.read(tmp_path, files)
    assert ("OXP207" in folders.codes(configuration), configuration.clients) == (True, ())


def test_a_file_of_a_megabyte_is_read_and_a_larger_one_told(tmp_path: Path) -> None:
    """The bound is far above what thousands of brands need, and what exceeds it is not half read."""
    file = tmp_path / "pns-mobile-api-facade-clients.yml"
    client = "brand: {enabled: true}\n"
    file.write_text("#" * (1024 * 1024 - len(client) - 1) + "\n" + client)
    assert read_options(tmp_path).facade_clients == {"brand"}
    file.write_text("#" + file.read_text())
    reading = read_options(tmp_path)
    assert (reading.facade_clients, [found.code for found in reading.findings]) == (set(), ["OXP001"])


_WORDS = st.sampled_from(
    (
        *(CLIENT, f"{CLIENT}-ios", "enabled", "authtype", "jwt", "keystore", "_type", "apn", "fcm", "keyPath", "key"),
        *(
            "true",
            "yes",
            ":",
            ": ",
            "\n",
            "\n  ",
            "\t",
            "- ",
            "{",
            "}",
            "[",
            "]",
            ", ",
            "&a ",
            "*a",
            "<<",
            "~",
            "'",
            '"',
        ),
        *("#", "|", ">", "%", "!", "? ", "---\n", "\\", "\ufeff", "\x85", "a.p12", "0", "/"),
    )
)
_FILES = st.dictionaries(
    st.sampled_from(["pns-apns-options.yml", "pns-gcm-options.yml", "pushClientConfig/x.yml"]),
    st.lists(_WORDS, max_size=25).map("".join),
)


@given(_FILES)
def test_whatever_options_files_hold_is_read(files: dict[str, str | bytes]) -> None:
    """Every content ends in clients and findings, whose places are within the file."""
    with TemporaryDirectory() as folder:
        configuration = folders.read(Path(folder), files)
    for found in configuration.findings:
        lines = str(files.get(found.file, "")).splitlines()
        assert found.file not in files or (found.line is not None and 1 <= found.line <= len(lines) + 1)
