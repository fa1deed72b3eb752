from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from oxpushctl.config.clients import yaml_file

_YAMLISH = st.text(alphabet=st.sampled_from("ab: \n\t-[]{}&*!|>'\"%@#,?<~\\Ux0\ud800\x07é"), max_size=80)


def _text(yaml: str) -> str | None:
    [section], problems = yaml_file.parse(yaml.encode())
    assert problems == []
    return section.options[0].text


@given(st.one_of(st.binary(max_size=200), _YAMLISH.map(lambda text: text.encode("utf-8", "surrogatepass"))))
def test_any_bytes_end_in_sections_and_problems(data: bytes) -> None:
    """No content of a file raises, and every place lies within it."""
    sections, problems = yaml_file.parse(data)
    lines = data.decode("utf-8", "replace").splitlines()
    places = [(item.line, item.column) for item in sections] + [(item.line, item.column) for item in problems]
    assert all(1 <= line <= len(lines) + 1 and column >= 1 for line, column in places)


@pytest.mark.parametrize(
    ("written", "text"),
    [
        ("01234567", "01234567"),
        ("1e3", "1e3"),
        ("0x10", "0x10"),
        ("yes", "yes"),
        ("'01'", "01"),
        ('"a\\tb"', "a\tb"),
        ("2024-01-01", "2024-01-01"),
        ("!!int 07", "07"),
        ("", None),
        ("~", None),
        ("'~'", "~"),
    ],
)
def test_scalars_are_taken_as_written(written: str, text: str | None) -> None:
    """An unquoted number is a password too: YAML's own kinds are not applied."""
    assert _text(f"a:\n  password: {written}\n") == text


def test_shared_options_are_merged() -> None:
    """Anchors and merge keys work, and what a client says itself wins."""
    yaml = b"a: &a {teamid: T, keyid: A}\nb:\n  <<: *a\n  keyid: B\n"
    sections, problems = yaml_file.parse(yaml)
    assert problems == []
    assert {option.name: option.text for option in sections[1].options} == {"keyid": "B", "teamid": "T"}


def test_a_mapping_that_merges_itself_ends() -> None:
    """Recursive aliases are followed but once."""
    sections, problems = yaml_file.parse(b"a: &a\n  <<: *a\n  keyid: A\n")
    assert ([option.name for option in sections[0].options], problems) == (["keyid"], [])


def test_aliases_of_aliases_cost_nothing() -> None:
    """Nine levels of nine aliases each are read as what was written, not as what they stand for."""
    levels = ["a: &l0 {keyid: A}"]
    levels += [f"m{n}: &l{n} {{<<: [{', '.join([f'*l{n - 1}'] * 9)}]}}" for n in range(1, 10)]
    sections, problems = yaml_file.parse("\n".join(levels).encode())
    assert (len(sections), problems) == (10, [])
    assert [option.text for option in sections[-1].options] == ["A"]


@pytest.mark.parametrize("password", ["*sesame", "!sesame!x", "&sesame &sesame x", "%sesame", "@sesame"])
def test_a_password_with_a_special_character_is_not_repeated(password: str) -> None:
    """PyYAML's messages quote names; ours never hold what may be a secret."""
    _, problems = yaml_file.parse(f"a:\n  password: {password}\n".encode())
    assert [(problem.code, problem.line) for problem in problems] == [("OXP201", 2)]
    assert "sesame" not in problems[0].message


@pytest.mark.parametrize("yaml", [rb'a: "\UFFFFFFFF"', b"%YAML 1." + b"9" * 5000 + b"\n---\na: b"])
def test_numbers_out_of_range_are_problems(yaml: bytes) -> None:
    """What PyYAML leaves unchecked is a syntax error here."""
    assert [problem.code for problem in yaml_file.parse(yaml)[1]] == ["OXP201"]
