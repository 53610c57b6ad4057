"""Models hole by hole, on the command line: what `--hole` means, and how it is told which method filled what."""

from collections.abc import Sequence

from mendpix.errors import InputError
from mendpix.inference.routing import Cause, HoleFill

MOST_NAMED = 3
"""Holes of one model that are each named with their own reason; more of one kind are summed up."""

KINDS: dict[Cause, str] = {
    "thin": "thin holes",
    "branched": "branched holes",
    "strewn": "pieces of strewn damage",
    "vast": "vast holes",
    "bare": "compact holes with too little around them to copy from",
    "flat": "compact holes in flat surroundings",
    "soft": "compact holes in soft surroundings",
    "thing": "compact holes in textured surroundings",
    "asked": "holes, as asked for,",
    "model": "other holes",
    "gave-up": "holes for which nothing to copy was found",
}
"""What many holes of a kind are called."""


def models_by_hole(options: Sequence[str]) -> dict[int, str]:
    """Read what was given as `--hole`.

    Args:
        options: Each `N=NAME` or `N=FILE`.

    Returns:
        Name or path of the model by the hole's number.

    Raises:
        InputError: If one is of another form, or a hole is named twice.
    """
    models: dict[int, str] = {}
    for option in options:
        number, sign, model = option.partition("=")
        if not (sign and model and number.strip().isdecimal()):
            raise InputError(
                f"--hole must be a number and a model, such as 2=scenes; got {option!r}. See the numbers with --plan."
            )
        if int(number) in models:
            raise InputError(f"--hole must name each hole once; got {number.strip()} twice. Leave one of them away.")
        models[int(number)] = model
    return models


def holes_in_lines(fills: Sequence[HoleFill]) -> list[str]:
    """Write each hole with its place, its model and the reason on a line.

    Args:
        fills: From `Inpainter.plan`.
    """
    return [
        f"hole {fill.number}: {fill.box.right - fill.box.left} × {fill.box.bottom - fill.box.top} px at"
        f" {fill.box.left}, {fill.box.top}: {fill.model} ({fill.reason})"
        for fill in fills
    ]


def methods_in_lines(model: str, fills: Sequence[HoleFill]) -> list[str]:
    """Write a line for each method; none if one model filled everything because it was told to.

    Args:
        model: Name of the model that was given.
        fills: From a `Result`.
    """
    if all(fill.cause == "model" for fill in fills):
        return []
    by_model: dict[str, dict[Cause, list[HoleFill]]] = {}
    for fill in fills:
        by_model.setdefault(fill.model, {}).setdefault(fill.cause, []).append(fill)
    return [
        f"{model}: " + ", ".join(part for cause, some in causes.items() for part in _named(cause, some)) + f" by {name}"
        for name, causes in by_model.items()
    ]


def _named(cause: Cause, fills: Sequence[HoleFill]) -> list[str]:
    """Name a few holes one by one, many by their number."""
    if len(fills) > MOST_NAMED:
        return [f"{len(fills)} {KINDS[cause]}"]
    if len({fill.reason for fill in fills}) == 1 and len(fills) > 1:
        numbers = " and ".join(str(fill.number) for fill in fills)
        return [f"holes {numbers} ({fills[0].reason})"]
    return [f"hole {fill.number} ({fill.reason})" for fill in fills]
