"""What is to be looked for, by name. Knows kinds of damage by name only; finds none."""

from collections.abc import Mapping
from typing import Literal, get_args

from mendpix.engines.interface import Facts
from mendpix.errors import InputError

Preset = Literal["auto", "scratches", "text", "watermark", "noise"]
"""What is to be looked for."""

NOISE = "noise"
"""The kind of damage that `auto` leaves alone, since every photo has some grain; its marks are single pixels."""

STANDS_FOR: Mapping[Preset, tuple[str, ...]] = {
    "scratches": ("wear", "stains"),
    "text": ("text",),
    "watermark": ("watermark",),
    "noise": (NOISE,),
}
"""The kinds of damage that each preset but `auto` stands for; a finder need not know all of them."""


def kinds_of(preset: Preset, facts: Facts) -> tuple[str, ...]:
    """Tell which of the kinds that a finder tells apart are wanted.

    Args:
        preset: What to look for; `auto` = all but noise.
        facts: The finder's facts.

    Raises:
        InputError: If there is no such preset, or the finder does not find this kind.

    Example:
        >>> kinds_of("auto", Facts("finder", "damage", kinds=("wear", "text", "noise")))
        ('wear', 'text')
    """
    check_preset(preset)
    if preset == "auto":
        # A finder that knows noise alone was chosen for it.
        return tuple(kind for kind in facts.kinds if kind != NOISE) or facts.kinds
    known = tuple(kind for kind in facts.kinds if kind in STANDS_FOR[preset])
    if not known:
        able = presets_of(facts)
        raise InputError(
            f"what to look for must be something that the finder {facts.name} knows: {', '.join(able)}; got {preset}. "
            "Take one of these, or another finder."
        )
    return known


def thresholds_of(preset: Preset, facts: Facts) -> dict[str, float]:
    """Tell what is wanted of a finder, and from which of its answers on it counts as found at sensitivity 0.5.

    Args:
        preset: What to look for.
        facts: The finder's facts.

    Returns:
        Kind of damage -> answer, above 0 and below 1.

    Raises:
        InputError: If there is no such preset, or the finder does not find this kind.

    Example:
        >>> thresholds_of("text", Facts("finder", "damage", kinds=("wear", "text"), thresholds=(0.9, 0.8)))
        {'text': 0.8}
    """
    found = thresholds_by_kind(facts, named=preset != "auto")
    return {kind: found[kind] for kind in kinds_of(preset, facts)}


def thresholds_by_kind(facts: Facts, *, named: bool = False) -> dict[str, float]:
    """List all kinds of damage that a finder tells apart, with their thresholds.

    Args:
        facts: The finder's facts.
        named: The thresholds where a preset is asked for by name.
    """
    given = (facts.preset_thresholds if named else ()) or facts.thresholds or (0.5,) * len(facts.kinds)
    return dict(zip(facts.kinds, given, strict=True))


def presets_of(facts: Facts) -> list[Preset]:
    """List what a finder can be asked to look for."""
    return [name for name in get_args(Preset) if name == "auto" or set(STANDS_FOR[name]) & set(facts.kinds)]


def check_preset(preset: str) -> None:
    """Refuse what is no preset.

    Raises:
        InputError: If it is none.
    """
    if preset not in get_args(Preset):
        raise InputError(f"preset must be one of {', '.join(get_args(Preset))}; got {preset!r}.")
