"""Recipes as TOML: one file is one run, complete in itself. Reads and writes the dataclasses of `config.py`.

Unknown keys are errors that name the nearest valid key. Knows no torch and starts nothing.
"""

import difflib
import tomllib
import types
from collections.abc import Mapping
from dataclasses import MISSING, fields, is_dataclass
from pathlib import Path
from typing import Any, Literal, Union, get_args, get_origin, get_type_hints

from mendpix.errors import InputError, RecipeError
from mendpix.training.config import Recipe

PATHS = (
    ("data", "pictures"),
    ("data", "masks"),
    ("objective", "backbone"),
    ("generator", "start"),
    ("detector", "start"),
)
"""Keys whose values are paths, or lists of paths, that start at the recipe's folder."""


def load_recipe(path: Path | str) -> Recipe:
    """Read a recipe.

    Args:
        path: A TOML file. Relative paths inside it are taken from its folder.

    Returns:
        The recipe, with absolute paths: the resolved text of it may be read from another folder.

    Raises:
        RecipeError: If the file is missing or no TOML, or a key or value is wrong.
    """
    path = Path(path)
    try:
        text = path.read_text(encoding="utf-8")
    except OSError as error:
        raise RecipeError(
            f"recipe must be a readable TOML file; got {path} ({error.strerror}). Check the path."
        ) from error
    try:
        values = tomllib.loads(text)
    except tomllib.TOMLDecodeError as error:
        raise RecipeError(f"recipe must be TOML; {path} is not: {error}.") from error
    folder = path.absolute().parent
    for section, key in PATHS:
        table = values.get(section)
        if isinstance(table, dict) and table.get(key):
            table[key] = _resolve(folder, table[key])
    return parse_recipe(values)


def parse_recipe(values: Mapping[str, Any]) -> Recipe:
    """Build a recipe from the plain values of a TOML document.

    Raises:
        RecipeError: If a key is unknown or missing, or a value is of the wrong type or makes no sense.
    """
    recipe = _build(Recipe, values, "")
    ends = [stage.until for stage in recipe.schedule.stages]
    if not ends or ends[0] <= 0 or ends != sorted(set(ends)) or ends[-1] != 1.0:
        raise RecipeError(f"schedule.stages must end at rising shares, the last at 1.0; got {ends}.")
    if recipe.objective.perceptual and not recipe.objective.backbone:
        raise RecipeError("objective.perceptual needs objective.backbone, the path of SqueezeNet's .npz; got none.")
    return recipe


def format_recipe(recipe: Recipe) -> str:
    """Return the resolved recipe as TOML, every default written out; `parse_recipe` reads it back to an equal one."""
    return "\n".join(_table(recipe, "")) + "\n"


def _resolve(folder: Path, found: Any) -> Any:
    """Let a path, or each path of a list, start at a folder; anything else is left for the check of types."""
    if isinstance(found, list):
        return [_resolve(folder, one) for one in found]
    return str(folder / found) if isinstance(found, str) else found


def _build(kind: Any, values: Any, where: str) -> Any:
    """Build dataclass `kind` from plain values; `where` names the table for errors."""
    label = where or "recipe"
    if not isinstance(values, Mapping):
        raise RecipeError(f"{label} must be a table; got {values!r}.")
    known = {one.name: one for one in fields(kind)}
    for key in values:
        if key not in known:
            near = difflib.get_close_matches(str(key), known, 1, 0.4)
            hint = f"Did you mean {near[0]}?" if near else f"Valid keys: {', '.join(known)}."
            raise RecipeError(f"{label} has no key {key!r}. {hint}")
    hints = get_type_hints(kind)
    arguments: dict[str, Any] = {}
    for name, one in known.items():
        place = f"{where}.{name}" if where else name
        if name in values:
            arguments[name] = _convert(hints[name], values[name], place)
        elif one.default is MISSING and one.default_factory is MISSING:
            raise RecipeError(f"{label} must have the key {name!r}; it has {', '.join(map(str, values)) or 'none'}.")
    try:
        return kind(**arguments)
    except InputError as error:
        raise RecipeError(f"{label}: {error}") from error


def _convert(hint: Any, value: Any, place: str) -> Any:
    """Check a TOML value against a type hint and return it in that type."""
    origin, options = get_origin(hint), get_args(hint)
    if is_dataclass(hint):
        return _build(hint, value, place)
    if origin in (Union, types.UnionType):
        for option in options:
            try:
                return _convert(option, value, place)
            except RecipeError:
                continue
    elif origin is Literal:
        if value in options:
            return value
    elif origin is tuple and isinstance(value, list | tuple):
        items = list(value)
        if len(options) == 2 and options[1] is Ellipsis:
            return tuple(_convert(options[0], item, f"{place}[{i}]") for i, item in enumerate(items))
        if len(items) == len(options):
            return tuple(
                _convert(o, item, f"{place}[{i}]") for i, (o, item) in enumerate(zip(options, items, strict=True))
            )
    elif origin is not None and isinstance(value, Mapping):
        return {_convert(options[0], k, place): _convert(options[1], v, f"{place}.{k}") for k, v in value.items()}
    elif hint is Any or (hint is type(None) and value is None):
        return value
    elif hint is float and isinstance(value, int | float) and not isinstance(value, bool):
        return float(value)
    elif isinstance(hint, type) and isinstance(value, hint) and not (hint is int and isinstance(value, bool)):
        return value
    raise RecipeError(f"{place} must be {_expected(hint)}; got {value!r}.")


def _expected(hint: Any) -> str:
    """Write a type hint in the words of a recipe."""
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
    plain: list[str] = []
    tables: list[str] = []
    for one in fields(value):
        item = getattr(value, one.name)
        place = f"{where}.{one.name}" if where else one.name
        if is_dataclass(item):
            tables += ["", f"[{place}]", *_table(item, place)]
        elif isinstance(item, tuple) and item and is_dataclass(item[0]):
            for part in item:
                tables += ["", f"[[{place}]]", *_table(part, place)]
        elif item is not None:
            plain.append(f"{one.name} = {_value(item)}")
    return plain + tables


def _value(item: Any) -> str:
    """Write one plain value as TOML."""
    if isinstance(item, bool):
        return "true" if item else "false"
    if isinstance(item, str):
        escaped = item.replace("\\", "\\\\").replace('"', '\\"')
        return f'"{escaped}"'
    if isinstance(item, Mapping):
        return "{ " + ", ".join(f"{key} = {_value(entry)}" for key, entry in item.items()) + " }" if item else "{}"
    if isinstance(item, tuple | list):
        return "[" + ", ".join(_value(entry) for entry in item) + "]"
    return repr(item)
