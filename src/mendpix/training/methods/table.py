"""The published methods by name: one literal table. To add one, write its file and add its line here."""

from collections.abc import Mapping
from dataclasses import asdict
from typing import Any

from mendpix.errors import InputError, RecipeError
from mendpix.training.methods.damage import DAMAGE
from mendpix.training.methods.deepfill_v1 import DEEPFILL_V1
from mendpix.training.methods.deepfill_v2 import DEEPFILL_V2
from mendpix.training.methods.edgeconnect import EDGECONNECT
from mendpix.training.methods.glcic import GLCIC
from mendpix.training.methods.informed import INFORMED
from mendpix.training.methods.interface import MethodEntry
from mendpix.training.methods.isnet import ISNET
from mendpix.training.methods.pconv import PCONV
from mendpix.training.methods.pennet import PENNET

METHODS: dict[str, MethodEntry] = {
    "damage": DAMAGE,
    "deepfill-v1": DEEPFILL_V1,
    "deepfill-v2": DEEPFILL_V2,
    "edgeconnect": EDGECONNECT,
    "glcic": GLCIC,
    "informed": INFORMED,
    "isnet": ISNET,
    "pconv": PCONV,
    "pennet": PENNET,
}


def find_method(name: str) -> MethodEntry:
    """Return a line of the table.

    Raises:
        RecipeError: If there is none of that name.
    """
    if name not in METHODS:
        raise RecipeError(f"method.name must be one of {', '.join(sorted(METHODS))}; got {name!r}.")
    return METHODS[name]


def method_options(name: str, options: Mapping[str, Any]) -> Any:
    """Build a method's own config.

    Args:
        name: A name of `METHODS`.
        options: Fields that differ from the published values; lists stand for tuples.

    Raises:
        RecipeError: If the name, a key or a value is wrong.
    """
    entry = find_method(name)
    defaults = asdict(entry.config())
    values = {key: tuple(value) if isinstance(value, list) else value for key, value in options.items()}
    for key, value in values.items():
        if key not in defaults:
            raise RecipeError(f"options of the method {name} must be among {', '.join(defaults)}; got {key}.")
        wanted = int | float if isinstance(defaults[key], float) else type(defaults[key])
        if not isinstance(value, wanted) or isinstance(value, bool) != isinstance(defaults[key], bool):
            raise RecipeError(f"option {key} of {name} must be of the kind of {defaults[key]!r}; got {value!r}.")
    try:
        return entry.config(**values)
    except InputError as error:
        raise RecipeError(f"options of {name}: {error}") from error
