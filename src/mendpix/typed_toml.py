"""TOML to nested dataclasses and back: the dataclass says which keys there are, and is the only home of defaults.

Unknown keys are errors that name the nearest valid key. Knows no dataclass of its own and no file.
"""

import difflib
import json
import re
import types
from collections.abc import Mapping
from dataclasses import MISSING, dataclass, fields, is_dataclass
from typing import Any, Literal, TypeVar, Union, get_args, get_origin, get_type_hints

from mendpix.errors import InputError, MendpixError

Built = TypeVar("Built")

_BARE_KEY = re.compile(r"[A-Za-z0-9_-]+")


def build_from_toml(kind: type[Built], values: Mapping[str, Any], *, whole: str, error: type[MendpixError]) -> Built:
    """Build a dataclass, and those inside it, from the plain values of a TOML document.

    Args:
        kind: The dataclass. Its type hints say what is allowed; an `InputError` from a constructor tells what is not.
        values: What `tomllib` gives.
        whole: What the document is, for sentences, such as "recipe".
        error: Raised if a key is unknown or missing, or a value is of the wrong type or makes no sense.

    Returns:
        An instance of `kind`.
    """
    return _Reader(whole, error).build(kind, values, "")


def format_as_toml(value: Any) -> str:
    """Write a dataclass as TOML, every default written out; `build_from_toml` reads it back to an equal one.

    TOML has no None: a field that is None is left out, and so reads back as its default.

    Args:
        value: Instance of a dataclass of strings, numbers, tuples, mappings and dataclasses.

    Raises:
        InputError: If something in it has no place in TOML: another kind of object, or half a character.
    """
    return "\n".join(_table(value, "")) + "\n"


@dataclass(frozen=True)
class _Reader:
    """Builds dataclasses, and knows in whose words to complain."""

    whole: str
    error: type[MendpixError]

    def build(self, kind: Any, values: Any, where: str) -> Any:
        """Build dataclass `kind` from plain values; `where` names the table for errors."""
        label = where or self.whole
        if not isinstance(values, Mapping):
            raise self.error(f"{label} must be a table; got {values!r}.")
        known = {one.name: one for one in fields(kind)}
        for key in values:
            if key not in known:
                near = difflib.get_close_matches(str(key), known, 1, 0.4)
                hint = f"Did you mean {near[0]}?" if near else f"Valid keys: {', '.join(known)}."
                raise self.error(f"{label} has no key {key!r}. {hint}")
        hints = get_type_hints(kind)
        arguments: dict[str, Any] = {}
        for name, one in known.items():
            place = f"{where}.{name}" if where else name
            if name in values:
                arguments[name] = self.convert(hints[name], values[name], place)
            elif one.default is MISSING and one.default_factory is MISSING:
                raise self.error(f"{label} must have the key {name!r}; it has {', '.join(map(str, values)) or 'none'}.")
        try:
            return kind(**arguments)
        except InputError as error:
            raise self.error(f"{label}: {error}") from error

    def convert(self, hint: Any, value: Any, place: str) -> Any:
        """Check a TOML value against a type hint and return it in that type."""
        origin, options = get_origin(hint), get_args(hint)
        if is_dataclass(hint):
            return self.build(hint, value, place)
        if origin in (Union, types.UnionType):
            for option in options:
                if is_dataclass(option) and isinstance(value, Mapping):
                    return self.build(option, value, place)  # its own complaints say more than ours would
                try:
                    return self.convert(option, value, place)
                except self.error:
                    continue
        elif origin is Literal:
            if value in options:
                return value
        elif origin is tuple and isinstance(value, list | tuple):
            items = list(value)
            if len(options) == 2 and options[1] is Ellipsis:
                return tuple(self.convert(options[0], item, f"{place}[{i}]") for i, item in enumerate(items))
            if len(items) == len(options):
                return tuple(
                    self.convert(o, item, f"{place}[{i}]")
                    for i, (o, item) in enumerate(zip(options, items, strict=True))
                )
        elif origin is not None and isinstance(value, Mapping):
            return {
                self.convert(options[0], k, place): self.convert(options[1], v, f"{place}.{k}")
                for k, v in value.items()
            }
        elif hint is Any or (hint is type(None) and value is None):
            return value
        elif hint is float and isinstance(value, int | float) and not isinstance(value, bool):
            return float(value)
        elif isinstance(hint, type) and isinstance(value, hint) and not (hint is int and isinstance(value, bool)):
            return value
        raise self.error(f"{place} must be {_expected(hint)}; got {value!r}.")


def _expected(hint: Any) -> str:
    """Write a type hint in plain words."""
    origin, options = get_origin(hint), get_args(hint)
    if origin is Literal:
        return " or ".join(map(repr, options))
    if origin in (Union, types.UnionType):
        return " or ".join(_expected(option) for option in options if option is not type(None))
    if origin is tuple:
        several = options[-1] is Ellipsis
        return f"a list of {_expected(options[0])}" if several else f"a list of {len(options)} values"
    return "a table" if origin is not None or is_dataclass(hint) else str(getattr(hint, "__name__", hint))


def _table(value: Any, where: str) -> list[str]:
    """Write a dataclass as TOML lines: plain values first, then sub-tables."""
    return _entries({one.name: getattr(value, one.name) for one in fields(value)}, where)


def _entries(entries: Mapping[str, Any], where: str) -> list[str]:
    plain: list[str] = []
    tables: list[str] = []
    for name, item in entries.items():
        place = f"{where}.{_key(name)}" if where else _key(name)
        if is_dataclass(item):
            tables += ["", f"[{place}]", *_table(item, place)]
        elif isinstance(item, tuple) and item and all(map(is_dataclass, item)):
            for part in item:
                tables += ["", f"[[{place}]]", *_table(part, place)]
        elif isinstance(item, Mapping) and item and all(map(is_dataclass, item.values())):
            tables += ["", f"[{place}]", *_entries(item, place)]
        elif item is not None:
            plain.append(f"{_key(name)} = {_value(item, place)}")
    return plain + tables


def _value(item: Any, place: str) -> str:
    """Write one plain value as TOML; `place` names it for errors."""
    if isinstance(item, bool):
        return "true" if item else "false"
    if isinstance(item, str):
        return _quoted(item)
    if isinstance(item, int | float):
        return repr(int(item) if isinstance(item, int) else float(item))  # NumPy's own print their type
    if isinstance(item, Mapping):
        inside = ", ".join(f"{_key(key)} = {_value(entry, f'{place}.{key}')}" for key, entry in item.items())
        return f"{{ {inside} }}" if inside else "{}"
    if isinstance(item, tuple | list):
        return "[" + ", ".join(_value(entry, f"{place}[{i}]") for i, entry in enumerate(item)) + "]"
    raise InputError(
        f"{place} must be text, a number, true or false, or a list or table of them; got {item!r}, for which TOML has "
        "no notation. Leave it out, or write it as text."
    )


def _key(name: str) -> str:
    return name if _BARE_KEY.fullmatch(name) else _quoted(name)


def _quoted(text: str) -> str:
    """Write text as a TOML string on one line. JSON escapes the same, but for one control character."""
    try:
        text.encode()
    except UnicodeEncodeError as error:
        raise InputError(
            f"text must be whole characters to be written as TOML; {text!r} holds half of one. Rename the file if it "
            "is a file's name."
        ) from error
    return json.dumps(text, ensure_ascii=False).replace("\x7f", "\\u007f")
