"""What is to be looked for, by name. Knows kinds of damage by name only; finds none."""

from collections.abc import Mapping
from typing import Literal, get_args

from mendpix.engines.interface import Facts
from mendpix.errors import InputError

Preset = Literal["auto", "scratches", "text", "watermark", "noise"]
"""What is to be looked for."""

NOISE = "noise"
"""The kind of damage that `auto` leaves alone, since every photo has some grain; its marks are single pixels."""

KIND: Mapping[Preset, str] = {"scratches": "wear", "text": "text", "watermark": "watermark", "noise": NOISE}
"""The kind of damage that each preset but `auto` stands for."""


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
    if KIND[preset] not in facts.kinds:
        able = [name for name in get_args(Preset) if name == "auto" or KIND[name] in facts.kinds]
        raise InputError(
            f"what to look for must be something that the finder {facts.name} knows: {', '.join(able)}; got {preset}. "
            "Take one of these, or another finder."
        )
    return (KIND[preset],)


def check_preset(preset: str) -> None:
    """Refuse what is no preset.

    Raises:
        InputError: If it is none.
    """
    if preset not in get_args(Preset):
        raise InputError(f"preset must be one of {', '.join(get_args(Preset))}; got {preset!r}.")
