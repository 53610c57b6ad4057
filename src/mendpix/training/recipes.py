"""Recipes as TOML: one file is one run, complete in itself. Reads and writes the dataclasses of `config.py`.

Unknown keys are errors that name the nearest valid key. Knows no torch and starts nothing.
"""

import tomllib
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from mendpix.errors import RecipeError
from mendpix.training.config import ObjectiveConfig, Recipe
from mendpix.typed_toml import build_from_toml, format_as_toml

PATHS = (
    ("data", "pictures"),
    ("data", "masks"),
    ("objective", "backbone"),
    ("method", "backbone_weights"),
    ("method", "start"),
    ("generator", "start"),
    ("detector", "start"),
)
"""Keys whose values are paths, or lists or tables of paths, that start at the recipe's folder."""


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
    recipe = build_from_toml(Recipe, values, whole="recipe", error=RecipeError)
    ends = [stage.until for stage in recipe.schedule.stages]
    if not ends or ends[0] <= 0 or ends != sorted(set(ends)) or ends[-1] != 1.0:
        raise RecipeError(f"schedule.stages must end at rising shares, the last at 1.0; got {ends}.")
    if recipe.method is None and recipe.generator is None:
        raise RecipeError("recipe must have the key 'generator', or a method that fills nothing; it has neither.")
    if (recipe.detector is None) != (recipe.method is not None):
        raise RecipeError(
            "a recipe must have a detector, or a method that does without; it has "
            f"{'both' if recipe.method is not None else 'neither'}. Leave one of the tables out."
        )
    if recipe.method is None and recipe.damage is not None:
        raise RecipeError("the table damage must come with a method that learns from damage; there is no method.")
    if recipe.method is not None and recipe.objective != ObjectiveConfig():
        raise RecipeError(
            "a recipe with a method must have no table objective, which is that of GDN; it has one. Set the method's "
            "weights under [method.options]."
        )
    if recipe.objective.perceptual and not recipe.objective.backbone:
        raise RecipeError("objective.perceptual needs objective.backbone, the path of SqueezeNet's .npz; got none.")
    return recipe


def format_recipe(recipe: Recipe) -> str:
    """Return the resolved recipe as TOML, every default written out; `parse_recipe` reads it back to an equal one."""
    return format_as_toml(recipe)


def _resolve(folder: Path, found: Any) -> Any:
    """Let a path, or each path of a list or table, start at a folder; the check of types comes later."""
    if isinstance(found, dict):
        return {key: _resolve(folder, one) for key, one in found.items()}
    if isinstance(found, list):
        return [_resolve(folder, one) for one in found]
    return str(folder / found) if isinstance(found, str) else found
