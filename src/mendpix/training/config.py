"""What a training run is: nested dataclasses, the only home of defaults. Knows no files and no torch."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any, Literal

from mendpix.data.batches import SilhouetteSpec
from mendpix.data.degrade import DamageSpec
from mendpix.data.guides import GuideSpec
from mendpix.data.mask_sampler import MaskSpec
from mendpix.errors import InputError


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
    exemplar_fills: int = 0
    """Real exemplar fills of training pictures that are made before the run, into the folder `fills` of it; a run that
    is resumed goes on with those it has. The table `guides` says how often they are seen. 0 = none."""
    exemplar_px: int = 256
    """Side of the squares that those fills are made for."""

    def __post_init__(self) -> None:
        _at_least(0, memory_limit_gib=self.memory_limit_gib, holdout_pictures=self.holdout_pictures)
        _at_least(0, guide_share=self.guide_share, pictures_per_folder=self.pictures_per_folder)
        _at_least(0, exemplar_fills=self.exemplar_fills)
        _at_least(32, exemplar_px=self.exemplar_px)
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
    """Checkpoint folder (or its .safetensors file), or network file, to take weights from; empty = fresh weights."""


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
    learn_through_map: bool = True
    """Whether the generator's gradient flows through the detector's map, so that it also learns to deceive the
    detector (GDN, Eq. 8), or takes the weights as given."""
    weighted_l1: float = 1.0
    """Weight of the detector-weighted L1 (GDN, Eq. 7)."""
    squared: float = 0.0
    """Weight of the plain squared difference, which PSNR counts."""
    gradient: float = 0.0
    """Weight of the L1 of the differences between neighbouring pixels, which count seams and blur."""
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
        _at_least(0, gradient=self.gradient)
        _at_least(0, perceptual_share=self.perceptual_share, other_fills_share=self.other_fills_share)
        _at_least(0, focal_gamma=self.focal_gamma)
        if not 0 < self.hole_weight < float("inf"):
            raise InputError(f"hole_weight must be above 0 and finite; got {self.hole_weight}.")
        if self.mapping != "linear" and not 1 < self.mapping < float("inf"):
            raise InputError(f"mapping must be a number above 1 or 'linear'; got {self.mapping!r}.")


@dataclass(frozen=True)
class MethodConfig:
    """A published method, whose objective takes the place of GDN's."""

    name: str
    """A name of `training.methods.table.METHODS`."""
    options: Mapping[str, Any] = field(default_factory=dict[str, Any])
    """Fields of that method's own dataclass: weights of its sum, phases; what is left out has the published value."""
    sizes: Mapping[str, Any] = field(default_factory=dict[str, Any])
    """Sizes of its further networks: part to fields of that network's config dataclass."""
    start: Mapping[str, str] = field(default_factory=dict[str, str])
    """Where they take weights from: part to checkpoint folder or network file, as for `start` of a network."""
    backbone: Literal["squeezenet", "vgg16", "vgg19"] = "squeezenet"
    """The frozen network of perceptual and style terms. The papers take VGG; SqueezeNet is a stand-in for it."""
    backbone_weights: str = ""
    """Its weights: .npz (SqueezeNet) or torchvision's .pth (VGG); relative paths start at the recipe's folder."""
    edges_sigma: float = 2.0
    """Width of the Gaussian of Canny's edges, px, for a generator that takes edges; 0 = 1 to 4, drawn anew."""

    def __post_init__(self) -> None:
        _at_least(0, edges_sigma=self.edges_sigma)


@dataclass(frozen=True)
class OptimizerConfig:
    """How weights are changed."""

    name: Literal["adam", "adamw", "muon", "adadelta"] = "adamw"
    """muon: orthogonalised momentum for convolutions, AdamW for the rest. adadelta: its learning rates are factors,
    usually 1, and the betas are not used."""
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
    schedule: ScheduleConfig
    """Length and sizes."""
    generator: NetworkConfig | None = None
    """The network that fills; only a method that fills nothing does without."""
    detector: NetworkConfig | None = None
    """The network that marks what looks filled; only a published method does without."""
    method: MethodConfig | None = None
    """A published method; None = GDN's, as the table `objective` says."""
    damage: DamageSpec | None = None
    """How pictures are damaged, for a method that learns from that; the table may be empty, for the defaults."""
    masks: MaskSpec = field(default_factory=MaskSpec)
    """The holes."""
    silhouettes: SilhouetteSpec = field(default_factory=SilhouetteSpec)
    """How many of them have the shape of a thing."""
    guides: GuideSpec = field(default_factory=GuideSpec)
    """Copied guides in place of the first fills, for a generator that is to harmonise them."""
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
