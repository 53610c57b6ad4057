"""What a training run is: nested dataclasses, read from one TOML file that is complete in itself.

The dataclasses are the only home of defaults. Unknown keys are errors that name the nearest valid key. Knows no torch
and starts nothing.
"""

import difflib
import tomllib
import types
from collections.abc import Mapping
from dataclasses import MISSING, dataclass, field, fields, is_dataclass
from pathlib import Path
from typing import Any, Literal, Union, get_args, get_origin, get_type_hints

from mendpix.data.mask_sampler import MaskSpec
from mendpix.errors import InputError, RecipeError

PATHS = (
    ("data", "pictures"),
    ("data", "masks"),
    ("objective", "backbone"),
    ("generator", "start"),
    ("detector", "start"),
)
"""Keys whose values are paths, or lists of paths, that start at the recipe's folder."""


def _at_least(least: int, **values: float) -> None:
    """Refuse the first value that is smaller than `least`, or no number at all (nan)."""
    for name, value in values.items():
        if not value >= least:
            raise InputError(f"{name} must be at least {least}; got {value}.")


@dataclass(frozen=True)
class DataConfig:
    """Where the pictures come from."""

    pictures: tuple[str, ...]
    """Folders, list files, tar shards or patterns; relative paths start at the recipe's folder."""
    memory_limit_gib: float = 6.0
    """Decoded pictures are kept in memory up to this size, otherwise read again and again."""
    holdout_pictures: int = 64
    """Pictures kept out of training for validation and calibration, chosen by a hash of their names."""
    scale_min: float = 0.6
    """Crops may be shrunk down to this factor, which sharpens soft pictures; 1 = never."""
    flip: bool = True
    """Mirror half of the crops left to right."""
    guide_share: float = 0.1
    """Share of samples whose two first fills are both the harmonic one, as in coarse-to-fine filling."""
    fit: Literal["crop", "stretch"] = "crop"
    """How a picture becomes a square. crop: a random square of it. stretch: the whole, its aspect given up (GDN)."""
    pictures_per_folder: int = 0
    """At most this many pictures of each folder, chosen by a hash of their names; 0 = all."""
    masks: tuple[str, ...] = ()
    """Folders of mask files (white = hole), such as `mendpix masks build` makes; empty = holes are drawn at random as
    the table `masks` says. Relative paths start at the recipe's folder."""

    def __post_init__(self) -> None:
        _at_least(0, memory_limit_gib=self.memory_limit_gib, holdout_pictures=self.holdout_pictures)
        _at_least(0, guide_share=self.guide_share, pictures_per_folder=self.pictures_per_folder)
        if not 0 < self.scale_min <= 1:
            raise InputError(f"scale_min must be above 0 and at most 1; got {self.scale_min}.")


@dataclass(frozen=True)
class NetworkConfig:
    """Which network, and sizes that differ from its defaults."""

    name: str
    """A name of `networks.table.NETWORKS`."""
    sizes: Mapping[str, Any] = field(default_factory=dict[str, Any])
    """Fields of that network's config dataclass."""
    start: str = ""
    """Checkpoint folder (or its .safetensors file) to take weights from; empty = fresh weights."""


@dataclass(frozen=True)
class AdversarialConfig:
    """The adversarial term of the framework Adv."""

    weight: float = 0.01
    """Weight of the non-saturating adversarial loss, beside that of the L1."""
    discriminator: str = "gdn-discriminator"
    """A discriminator's name of `networks.table.NETWORKS`."""
    sizes: Mapping[str, Any] = field(default_factory=dict[str, Any])
    """Fields of that network's config dataclass."""

    def __post_init__(self) -> None:
        if not 0 < self.weight < float("inf"):
            raise InputError(f"weight must be above 0 and finite; got {self.weight}.")


@dataclass(frozen=True)
class ObjectiveConfig:
    """The weights of the visible sum that the generator minimises, and how the detector is trained."""

    framework: Literal["det", "weight", "adv"] = "det"
    """What shapes the fill (GDN, section 4.3). det: the detector's map weighs the L1. weight: holes weigh `hole_weight`
    times as much. adv: the plain L1 and a discriminator. In the last two the detector is trained too, but looks on."""
    hole_weight: float = 6.0
    """Weight of the L1 in the hole, 1 elsewhere, in the framework weight."""
    adversarial: AdversarialConfig = field(default_factory=AdversarialConfig)
    """The discriminator of the framework adv, and its weight."""
    mapping: float | Literal["linear"] = 10.0
    """Detector's valuation V to pixel weight: the base of base**V, or linear for 1 + V (GDN, section 3.4.3)."""
    weighted_l1: float = 1.0
    """Weight of the detector-weighted L1 (GDN, Eq. 7)."""
    squared: float = 0.0
    """Weight of the plain squared difference, which PSNR counts."""
    perceptual: float = 0.0
    """Weight of the relative feature difference on the frozen backbone."""
    perceptual_share: float = 1.0
    """Share of each batch's samples on which that difference is computed; it is dear, and the samples are random."""
    relative: bool = False
    """Divide each picture's pixel terms by those of its first fill, so that easy and hard pictures count alike."""
    detector_loss: Literal["focal", "balanced-cross-entropy", "cross-entropy"] = "focal"
    """What the detector minimises (GDN, Eq. 4 to 6)."""
    focal_gamma: float = 2.0
    """Exponent of the focal loss."""
    other_fills_share: float = 0.0
    """Share of the detector's samples that show a classical fill instead of the generator's."""
    backbone: str = ""
    """SqueezeNet weights (.npz) for the perceptual term; relative paths start at the recipe's folder."""
    backbone_last: str = "fire5"
    """Last layer of the backbone that is compared."""

    def __post_init__(self) -> None:
        _at_least(0, weighted_l1=self.weighted_l1, squared=self.squared, perceptual=self.perceptual)
        _at_least(0, perceptual_share=self.perceptual_share, other_fills_share=self.other_fills_share)
        _at_least(0, focal_gamma=self.focal_gamma)
        if not 0 < self.hole_weight < float("inf"):
            raise InputError(f"hole_weight must be above 0 and finite; got {self.hole_weight}.")
        if self.mapping != "linear" and not 1 < self.mapping < float("inf"):
            raise InputError(f"mapping must be a number above 1 or 'linear'; got {self.mapping!r}.")


@dataclass(frozen=True)
class OptimizerConfig:
    """How weights are changed."""

    name: Literal["adam", "adamw", "muon"] = "adamw"
    """muon: orthogonalised momentum for convolutions, AdamW for the rest."""
    generator_lr: float = 1e-3
    """Peak learning rate of the generator."""
    detector_lr: float = 5e-4
    """Peak learning rate of the detector, and of the discriminator if there is one."""
    muon_lr: float = 1e-3
    """Peak learning rate of muon's kernels in the generator, on the scale of AdamW's; the detector's is lower in the
    same ratio as `detector_lr` to `generator_lr`, which stay the rates of everything that is no kernel."""
    beta1: float = 0.9
    """Decay of the first moment."""
    beta2: float = 0.99
    """Decay of the second moment."""
    weight_decay: float = 0.0
    """Decoupled weight decay; not used by adam."""
    clip_norm: float = 1.0
    """Largest norm of a network's gradient; 0 = never clipped."""
    ema_halflife_pictures: float = 50_000
    """Half-life of the moving average of the generator's and detector's weights, in samples; 0 = no average."""

    def __post_init__(self) -> None:
        _at_least(0, generator_lr=self.generator_lr, detector_lr=self.detector_lr, muon_lr=self.muon_lr)
        _at_least(0, clip_norm=self.clip_norm, ema_halflife_pictures=self.ema_halflife_pictures)
        if self.generator_lr == 0:  # muon's rate for the detector is a ratio to it
            raise InputError("generator_lr must be above 0; got 0.")


@dataclass(frozen=True)
class StageConfig:
    """A part of the run with one crop size."""

    crop_px: int
    """Side of the square crops."""
    batch_pictures: int
    """Samples per step, over all processes."""
    until: float = 1.0
    """Share of the run at which the stage ends."""

    def __post_init__(self) -> None:
        _at_least(1, crop_px=self.crop_px, batch_pictures=self.batch_pictures)


@dataclass(frozen=True)
class ScheduleConfig:
    """How long, how large, how fast."""

    steps: int
    """Length of the run; a time budget may end it earlier and shortens the schedule to fit."""
    stages: tuple[StageConfig, ...] = (StageConfig(crop_px=128, batch_pictures=16),)
    """Crop and batch sizes in turn."""
    warmup_steps: int = 100
    """Steps over which the learning rates rise from 0."""
    decay: Literal["none", "cosine", "linear"] = "cosine"
    """How the learning rates fall to 0 over the run."""
    checkpoint_every_steps: int = 1000
    """Steps between checkpoints; the last two are kept."""
    log_every_steps: int = 50
    """Steps between lines of metrics.jsonl."""

    def __post_init__(self) -> None:
        _at_least(1, steps=self.steps, checkpoint_every_steps=self.checkpoint_every_steps)
        _at_least(1, log_every_steps=self.log_every_steps)


@dataclass(frozen=True)
class ValidationConfig:
    """Fixed pictures and masks on which a run is watched."""

    every_steps: int = 2000
    """Steps between validations; 0 = only at the end."""
    pictures: int = 32
    """Held-out pictures; each gets one hole of every ratio bin."""
    picture_px: int = 256
    """Side of the centre crop."""
    sample_pictures: int = 6
    """Rows of the sample grid; 0 = none is drawn."""

    def __post_init__(self) -> None:
        _at_least(0, every_steps=self.every_steps, pictures=self.pictures, sample_pictures=self.sample_pictures)
        _at_least(11, picture_px=self.picture_px)  # the window of SSIM


@dataclass(frozen=True)
class Recipe:
    """One training run."""

    name: str
    """Name of the run and of the model that comes out of it."""
    data: DataConfig
    """The pictures."""
    generator: NetworkConfig
    """The network that fills."""
    detector: NetworkConfig
    """The network that marks what looks filled."""
    schedule: ScheduleConfig
    """Length and sizes."""
    masks: MaskSpec = field(default_factory=MaskSpec)
    """The holes."""
    objective: ObjectiveConfig = field(default_factory=ObjectiveConfig)
    """What is minimised."""
    optimizer: OptimizerConfig = field(default_factory=OptimizerConfig)
    """How it is minimised."""
    validation: ValidationConfig = field(default_factory=ValidationConfig)
    """How it is watched."""
    seed: int = 10
    """Seed of weights, crops and holes."""
    device: Literal["auto", "cpu", "cuda"] = "auto"
    """Where to train."""
    devices: int = 1
    """Processes, one device each; under torchrun its own processes count instead."""
    precision: Literal["32-true", "bf16-mixed"] = "bf16-mixed"
    """Arithmetic of the forward and backward passes; weights stay float32."""
    channels_last: bool = True
    """Whether kernels and batches lie channels last: faster for most networks, slower on a CPU for those with instance
    norm (GDN)."""

    def __post_init__(self) -> None:
        _at_least(0, seed=self.seed)
        _at_least(1, devices=self.devices)


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
