import tomllib
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Literal

import numpy as np
import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from mendpix.errors import InputError, ProtocolError, RecipeError
from mendpix.typed_toml import build_from_toml, format_as_toml


@dataclass(frozen=True)
class Inner:
    text: str = "plain"
    share: float = 0.5
    names: tuple[str, ...] = ()

    def __post_init__(self) -> None:
        if self.share > 1:
            raise InputError(f"share must be at most 1; got {self.share}.")


@dataclass(frozen=True)
class Outer:
    title: str
    inner: Inner
    count: int = 3
    on: bool = True
    size_px: tuple[int, int] | None = None
    kind: Literal["one", "two"] = "one"
    labels: Mapping[str, str] = field(default_factory=dict[str, str])
    anything: Mapping[str, Any] = field(default_factory=dict[str, Any])
    several: tuple[Inner, ...] = ()
    named: Mapping[str, Inner] = field(default_factory=dict[str, Inner])
    größe: int = 1  # a key that TOML wants quoted


def back(value: Outer) -> Outer:
    return build_from_toml(Outer, tomllib.loads(format_as_toml(value)), whole="test", error=RecipeError)


TEXT = st.text(st.one_of(st.characters(codec="utf-8"), st.sampled_from("\n\r\t\x00\x1b\x7f\\\"'#=.[]{}")), max_size=12)
NUMBERS = st.floats(max_value=1, allow_nan=False)
INNER = st.builds(Inner, TEXT, NUMBERS, st.lists(TEXT, max_size=3).map(tuple))
PLAIN = st.recursive(
    st.one_of(TEXT, st.integers(), st.floats(allow_nan=False), st.booleans()),
    lambda some: st.one_of(st.lists(some, max_size=3), st.dictionaries(TEXT, some, max_size=3)),
    max_leaves=6,
)
OUTER = st.builds(
    Outer,
    TEXT,
    INNER,
    st.integers(),
    st.booleans(),
    st.none() | st.tuples(st.integers(), st.integers()),
    st.sampled_from(["one", "two"]),
    st.dictionaries(TEXT, TEXT, max_size=3),
    st.dictionaries(TEXT, PLAIN, max_size=3),
    st.lists(INNER, max_size=3).map(tuple),
    st.dictionaries(TEXT, INNER, max_size=3),
    st.integers(),
)


@given(OUTER)
@example(Outer("two\nlines", Inner("a\r\nb\x7f\x00\u2028\ufeff"), labels={"": "", "a.b": "\t", "ü ö": "", '"': "\\"}))
def test_what_is_written_is_read_back_equal(outer):
    assert back(outer) == outer


@given(TEXT)
def test_text_of_any_kind_stays_on_its_line_and_is_read_back_from_a_file(text):
    written = format_as_toml(Inner(text, 0.5, (text,)))
    assert written.count("\n") == 3
    assert "\r" not in written
    assert tomllib.loads(written.encode().decode("utf-8")) == {"text": text, "share": 0.5, "names": [text]}


def test_plain_keys_are_not_quoted():
    written = format_as_toml(Outer("a", Inner(), labels={"b-1": "c", "d e": "f"}, named={"x y": Inner()}))
    assert '\nlabels = { b-1 = "c", "d e" = "f" }\n' in written
    assert '\n[named."x y"]\n' in written
    assert '\n"größe" = 1\n' in written


@pytest.mark.parametrize("value", [Path("p"), None, {1, 2}, b"bytes", Inner()])
def test_what_toml_has_no_notation_for_is_refused(value):
    with pytest.raises(InputError, match=r"anything\.a\[0\] must be text, a number"):
        format_as_toml(Outer("a", Inner(), anything={"a": [value]}))


def test_numbers_of_numpy_are_written_as_numbers():
    assert format_as_toml(Inner("a", np.float64(0.1))) == format_as_toml(Inner("a", 0.1))


def test_half_a_character_is_refused():
    with pytest.raises(InputError, match="whole characters"):
        format_as_toml(Inner("\udc80"))
    with pytest.raises(InputError, match="whole characters"):
        format_as_toml(Outer("a", Inner(), labels={"\udc80": ""}))


@pytest.mark.parametrize(
    ("text", "sentence"),
    [
        ('title = "a"\ninner = {}\ncuont = 1', r"test has no key 'cuont'. Did you mean count\?"),
        ('title = "a"\ninner = {}\nzzzz = 1', r"test has no key 'zzzz'. Valid keys: title, inner, "),
        ('title = "a"', "test must have the key 'inner'; it has title"),
        ("", "it has none"),
        ('title = "a"\ninner = 3', "inner must be a table; got 3"),
        ('title = "a"\ninner = { texd = "" }', r"inner has no key 'texd'. Did you mean text\?"),
        ('title = "a"\ninner = { share = 2 }', r"inner: share must be at most 1; got 2\.0"),
        ("title = 1\ninner = {}", "title must be str; got 1"),
        ('title = "a"\ninner = {}\ncount = true', "count must be int; got True"),
        ('title = "a"\ninner = {}\ncount = 1.5', "count must be int; got 1.5"),
        ('title = "a"\ninner = { share = true }', r"inner\.share must be float; got True"),
        ('title = "a"\ninner = {}\nkind = "three"', "kind must be 'one' or 'two'; got 'three'"),
        ('title = "a"\ninner = {}\nsize_px = [1]', r"size_px must be a list of 2 values; got \[1\]"),
        ('title = "a"\ninner = { names = [1] }', r"inner\.names\[0\] must be str; got 1"),
        ('title = "a"\ninner = {}\nseveral = [{ share = "" }]', r"several\[0\]\.share must be float"),
        ('title = "a"\ninner = {}\nlabels = { b = 2 }', r"labels\.b must be str; got 2"),
    ],
)
@pytest.mark.parametrize("error", [RecipeError, ProtocolError])
def test_a_wrong_document_is_told_in_the_caller_s_words(text, sentence, error):
    with pytest.raises(error, match=sentence):
        build_from_toml(Outer, tomllib.loads(text), whole="test", error=error)


def test_what_is_left_out_is_the_default():
    built = build_from_toml(Outer, tomllib.loads('title = "a"\n[inner]\nshare = 1'), whole="test", error=RecipeError)
    assert built == Outer("a", Inner(share=1.0))
    assert isinstance(built.inner.share, float)
